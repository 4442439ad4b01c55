#!/bin/bash
# Makes a full backup of a Barman server when its schedule says so. Just after a failover, or with one in the middle of it, there is none: it is
# tried again for some minutes, since the next may be due in a day. Run by crond.py, which never overlaps it.
set -euo pipefail

for pause in 30 60 120 240 0; do
    ! barman -c /etc/barman/barman.conf -q backup "$1" || exit 0
    sleep "$pause"
done
exit 1
