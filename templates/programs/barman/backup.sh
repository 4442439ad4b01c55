#!/bin/bash
# Makes a full backup of a Barman server: backup.sh SERVER, when its schedule says so; backup.sh SERVER --owed, each minute, only where one is owed.
# One is owed while there is none, and after one that was broken off: by a restart of Barman, by a power cut, or by a failover before it was whole.
# Just after a failover, or with one in the middle of it, there is none: it is tried again for some minutes, since the next may be due in a day.
set -euo pipefail

server=$1
owed=/var/lib/barman/.$server-backup-owed
barman() { command barman -c /etc/barman/barman.conf "$@"; }

has_backup() { barman show-backup "$server" latest >/dev/null 2>&1; }

# What failed before would keep `barman check` red for as long as the retention lasts, and its disk space. Not while somebody else's backup runs, which
# holds this lock: it would be listed as begun, and might be done before it is dropped.
drop_broken() {
    flock --nonblock "/var/lib/barman/.$server-backup.lock" true || return
    barman list-backups "$server" |
        sed -nE "s/^$server ([0-9]{8}T[0-9]{6}) .*(FAILED|STARTED|EMPTY).*/\1/p" |
        while read -r broken; do
            barman -q delete "$server" "$broken" </dev/null
        done
}

make_backup() {
    drop_broken || return
    # A backup can start only after a first WAL segment was received and archived.
    has_backup || barman -q switch-wal --force --archive --archive-timeout 60 "$server" || return
    barman -q backup "$server"
}

if [ "${2-}" = --owed ] && [ ! -e "$owed" ] && has_backup; then
    exit 0
fi
# Held as long as this runs; left behind where it is broken off.
exec 9>>"$owed"
flock --nonblock 9 || exit 0
for pause in 30 60 120 240 0; do
    if make_backup; then
        rm "$owed"
        exit 0
    fi
    sleep "$pause"
done
rm "$owed"
exit 1
