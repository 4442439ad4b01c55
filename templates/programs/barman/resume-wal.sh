#!/bin/bash
# Lets a Barman server stream WAL again after its slot was overrun: the primary threw away what Barman hasn't got, so the stream could never
# go on where it was. What is missing stays missing until the next full backup, and backup-check says so. Run by crond.py.
set -euo pipefail

server=$1
# Work that was begun is ended, whatever came between.
begun=/var/lib/barman/.$server-resuming
barman() { command barman -c /etc/barman/barman.conf -q "$@"; }
option() { sed -n "s/^$1 = //p" "/etc/barman/barman.d/$server.conf"; }
slot() { "$(option path_prefix)/psql" -XAtqd "$(option conninfo)" -c "SELECT $1 FROM pg_catalog.pg_replication_slots WHERE slot_name = 'barman'"; }

if [ ! -e "$begun" ]; then
    [ "$(slot wal_status 2>/dev/null)" = lost ] || exit 0
    echo "resume-wal: the slot of $server was overrun, and WAL is lost; streaming begins anew, and a full backup has to follow" >&2
    touch "$begun"
fi
if [ "$(slot wal_status)" = lost ]; then
    barman receive-wal --drop-slot "$server"
fi
# Patroni makes it again in one of its next rounds.
for _ in {1..40}; do
    [ -z "$(slot restart_lsn)" ] || break
    sleep 1
done
barman receive-wal --reset "$server"
rm -f "$begun"
