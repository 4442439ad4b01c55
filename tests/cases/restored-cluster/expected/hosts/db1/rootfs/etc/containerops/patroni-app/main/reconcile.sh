#!/bin/bash
# Makes the roles, their passwords and the databases what reconcile.sql says: idempotent, on the primary, at any time.
# usage: reconcile.sh [--values] [CONNECTION_STRING]
# Patroni calls it after the bootstrap, with a connection string. Without one it uses the local socket.
# --values reads passwords that are newer than this container from standard input: `PODMAN_SECRET BASE64`, one a line.
set -euo pipefail
umask 077

SECRETS=/run/secrets
if [ "${1-}" = --values ]; then
    shift
    # In memory: /tmp is a tmpfs.
    SECRETS=$(mktemp -d /tmp/reconcile.XXXXXXXX)
    trap 'rm -rf -- "$SECRETS"' EXIT
    cp -- /run/secrets/* "$SECRETS/"
    chmod 0600 "$SECRETS"/*
    while read -r name value; do
        case $name in
        '' | .* | *[!A-Za-z0-9_.-]*)
            echo "reconcile.sh: standard input has a line that names no secret" >&2
            exit 2
            ;;
        esac
        base64 -d <<<"$value" >"$SECRETS/$name"
    done
fi
export SECRETS

psql --no-psqlrc --quiet --file=/etc/containerops/reconcile.sql \
    --dbname="${1:-host=/run/postgresql user=postgres dbname=postgres}"
