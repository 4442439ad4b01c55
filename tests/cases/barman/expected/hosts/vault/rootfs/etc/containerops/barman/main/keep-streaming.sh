#!/bin/bash
# Starts a Barman server's WAL stream again within seconds of a failover, which breaks it off. `barman cron` does so once a minute, and fails
# when the cluster has no primary just then: until the minute after, WAL would be on no host but its cluster's. Run by crond.py each minute, and
# at work for most of it.
set -euo pipefail

server=$1
# Held by the receive-wal that was started here, from its first moment to its last. Barman's own lock comes seconds of CPU later: where those are
# scarce, one more each few seconds would keep them so for ever.
started=/var/lib/barman/.$server-streaming
option() { sed -n "s/^$1 = //p" "/etc/barman/barman.d/$server.conf"; }
# Not while there is no primary, or nothing to stream from: that is resume-wal.sh's matter, and others'.
has_slot() {
    local found
    found=$(timeout 8 "$(option path_prefix)/psql" -XAtqd "$(option conninfo)" \
        -c "SELECT wal_status <> 'lost' FROM pg_catalog.pg_replication_slots WHERE slot_name = 'barman'" 2>/dev/null) && [ "$found" = t ]
}
is_free() { flock --nonblock "$1" true; }

while [ "$(date +%-S)" -lt 45 ]; do
    sleep 5
    # As long as it streams, receive-wal holds this lock.
    if is_free "$started" && is_free "/var/lib/barman/.$server-receive-wal.lock" && [ ! -e "/var/lib/barman/.$server-resuming" ] && has_slot; then
        setsid flock --nonblock "$started" barman -c /etc/barman/barman.conf -q receive-wal "$server" </dev/null &
    fi
done
