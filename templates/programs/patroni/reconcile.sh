#!/bin/bash
# Makes the roles, their passwords and the databases what reconcile.sql says: idempotent, from any member, at any time.
# usage: reconcile.sh [CONNECTION_STRING]
# Patroni calls it after the bootstrap, with a connection string: passwords are those that this container was started with.
# Without one, standard input holds them as they are now, and it finds the primary: its own server through the local socket,
# another member's over the overlay as the superuser. Passwords come as lines `ROLE BASE64`.
set -euo pipefail
umask 077

# In memory: /tmp is a tmpfs.
PASSWORDS=$(mktemp -d /tmp/reconcile.XXXXXXXX)
trap 'rm -rf -- "$PASSWORDS"' EXIT
export PASSWORDS

read_passwords() {
    while read -r role password; do
        case $role in
        '' | -* | *[!a-z0-9_-]*)
            echo "reconcile.sh: a line of the passwords names no role" >&2
            exit 2
            ;;
        esac
        base64 -d <<<"$password" >"$PASSWORDS/$role"
    done
}

# reconcile CONNECTION_STRING
reconcile() {
    psql --no-psqlrc --quiet --file=/etc/containerops/reconcile.sql --dbname="$1"
}

# forget_recovery CONNECTION_STRING: a restore left its settings where Patroni doesn't look, and copies of the data would take them along.
forget_recovery() {
    for name in restore_command recovery_end_command recovery_target_timeline recovery_target_action recovery_target_inclusive \
        recovery_target_time recovery_target_lsn recovery_target_xid recovery_target_name; do
        echo "ALTER SYSTEM RESET $name;"
    done | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=on --dbname="$1"
    psql --no-psqlrc --quiet --output=/dev/null --command='SELECT pg_reload_conf()' --dbname="$1"
}

# may_log_in PASSWORD: whether the primary takes that password of the superuser.
may_log_in() {
    PGPASSWORD=$1 psql --no-psqlrc --quiet --command='SELECT' --dbname="$remote" >/dev/null 2>&1
}

if [ $# -gt 0 ]; then
    read_passwords </run/secrets/passwords
    forget_recovery "$1"
    reconcile "$1"
    exit
fi
read_passwords
leader=$(python3 -c '
import json, sys, urllib.error, urllib.request
def get(path):
    return urllib.request.urlopen("http://127.0.0.1:8008" + path, timeout=5)
try:
    get("/leader")
    print("/run/postgresql")
except urllib.error.HTTPError:
    members = json.load(get("/cluster"))["members"]
    print(*(member["host"] for member in members if member["role"] == "leader" and member["state"] == "running"))
except OSError as error:
    sys.exit(f"reconcile.sh: Patroni does not answer: {error}")')
case $leader in
'')
    echo "reconcile.sh: the cluster has no running leader" >&2
    exit 1
    ;;
/*)
    reconcile "host=$leader user=postgres dbname=postgres"
    exit
    ;;
esac
# The superuser's password may have been changed by another member's run: then the new one fits, and this container's doesn't.
remote="host=$leader port=5432 user=postgres dbname=postgres connect_timeout=5"
for password in "$PATRONI_SUPERUSER_PASSWORD" "$(cat -- "$PASSWORDS/postgres")"; do
    if may_log_in "$password"; then
        PGPASSWORD=$password reconcile "$remote"
        exit
    fi
done
echo "reconcile.sh: $leader takes neither the old nor the new password of the superuser" >&2
exit 1
