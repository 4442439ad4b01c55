#!/bin/bash
# Patroni's bootstrap method `restore`: the data directory becomes a copy of what `barman restore` left in /restored.
set -euo pipefail
umask 077

from=/restored
data=/var/lib/postgresql/data
copy=$data.restoring

fail() {
    echo "restore.sh: $*" >&2
    exit 1
}

[ -r "$from/PG_VERSION" ] ||
    fail "the directory of restore_from_backup holds no data directory that uid $(id -u) can read; run barman restore first"
if [ -e "$from/recovery.signal" ] && [ ! -d "$from/barman_wal" ]; then
    fail "the restored directory has no WAL of its own; restore again without --get-wal"
fi

# A copy that was interrupted must never be taken for a database, so it gets its name last.
rm -rf -- "$copy"
cp -a --reflink=auto -- "$from" "$copy"
chmod 0700 "$copy"
# What the old server left: its place in the old cluster, and Patroni's copy of the old dynamic configuration.
rm -f -- "$copy/standby.signal" "$copy/postmaster.pid" "$copy/patroni.dynamic.json"

settings=$copy/postgresql.auto.conf
touch "$settings"
sed -i -E '/^[[:space:]]*(restore_command|recovery_end_command|archive_cleanup_command|hot_standby|recovery_target_action|primary_conninfo|primary_slot_name|synchronous_standby_names)[[:space:]=]/Id' "$settings"
if [ -e "$copy/recovery.signal" ]; then
    # Barman wrote the paths that it saw; WAL moved along with the data. Patroni waits for ever unless PostgreSQL promotes.
    cat >>"$settings" <<END
restore_command = 'cp $data/barman_wal/%f %p'
recovery_end_command = 'rm -rf $data/barman_wal'
recovery_target_action = 'promote'
END
fi

mv -T -- "$copy" "$data"
