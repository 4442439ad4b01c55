#!/bin/bash
# Makes the first backup of a Barman server; does nothing once there is one. Run by crond.py, which never overlaps it.
set -euo pipefail

server=$1
barman() { command barman -c /etc/barman/barman.conf "$@"; }

if barman show-backup "$server" latest >/dev/null 2>&1; then
    exit 0
fi

# Backups that failed before the first good one would keep `barman check` red for ever.
barman list-backups "$server" 2>/dev/null |
    sed -n "s/^$server \([0-9T]\{15\}\) .*FAILED.*/\1/p" |
    while read -r failed; do
        barman -q delete "$server" "$failed" </dev/null
    done

# A backup can start only after a first WAL segment was received and archived.
barman -q switch-wal --force --archive --archive-timeout 60 "$server"
barman -q backup "$server"
