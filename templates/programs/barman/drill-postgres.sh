#!/bin/bash
# Starts PostgreSQL on a restored directory and looks through all of it: DIRECTORY, and SECONDS that recovery may take.
# Runs in a container of the cluster's own image. What it finds goes to DIRECTORY.facts, a line each: `KEY<tab>VALUE`,
# and `problem<tab>KIND<tab>TEXT`. The last line is `looked through`: without it, this script didn't come to its end.
set -uo pipefail

data=$1
limit=$2
facts=$data.facts
log=$data.log
bin=/usr/lib/postgresql/$(cat "$data/PG_VERSION")/bin
export LC_ALL=C PGHOST=/run/postgresql PGUSER=postgres PGDATABASE=postgres
# Whatever the cluster sets for its sessions.
export PGOPTIONS='-c statement_timeout=0 -c lock_timeout=0 -c default_transaction_read_only=off'

fact() { printf '%s\t%s\n' "$1" "$2" >>"$facts"; }

# problems KIND: notes the lines of standard input, an indented one as part of the one before; paths as within the data directory.
problems() {
    sed "s|$data/||g" | tr '\t' ' ' | awk -v kind="$1" '
        function flush() { if (text != "") printf "problem\t%s\t%s\n", kind, text }
        /^ / { sub(/^ +/, " "); text = text $0; next }
        { flush(); text = $0 }
        END { flush() }' | head -n 50 >>"$facts"
}

verify() {
    # A restore writes these anew; what it adds lies in barman_wal.
    "$bin/pg_verifybackup" --no-parse-wal --quiet --ignore=postgresql.conf --ignore=pg_hba.conf --ignore=pg_ident.conf \
        --ignore=patroni.dynamic.json --ignore=barman_wal "$data" 2>&1 | problems backup
}

# Own memory, and none of the cluster's jobs. Nobody gets in before recovery has come to its end, so settings of a standby don't matter.
start() {
    local options="-c listen_addresses='' -c unix_socket_directories=$PGHOST -c hot_standby=off -c shared_buffers=128MB -c huge_pages=off
        -c logging_collector=off -c log_destination=stderr -c log_min_messages=warning -c archive_mode=off -c ssl=off -c fsync=off
        -c synchronous_standby_names='' -c autovacuum=off -c max_logical_replication_workers=0"
    local end=$((SECONDS + limit)) answer="PostgreSQL does not start"
    if "$bin/pg_ctl" start --silent --wait --timeout="$limit" --pgdata="$data" --log="$log" --options="$(tr -s '\n ' ' ' <<<"$options")"; then
        while "$bin/pg_ctl" status --pgdata="$data" >/dev/null; do
            if [ "$("$bin/psql" -XAtqc 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; then
                return
            elif [ "$SECONDS" -ge "$end" ]; then
                answer="recovery did not end within $limit seconds"
                break
            fi
            sleep 0.2
        done
    fi
    echo "$answer" | problems recovery
    { grep -E '(FATAL|PANIC):' "$log" || tail -n 3 "$log"; } | grep -v 'the database system is ' | tail -n 5 | problems recovery
    return 1
}

stop() { "$bin/pg_ctl" stop --silent --wait --mode="$1" --timeout="$limit" --pgdata="$data"; }

read_canary() {
    local statement="select case when to_regclass('barman_canary.canary') is null then 'select ''none''' else
        'select coalesce((select extract(epoch from at)::text from barman_canary.canary), ''none'')' end \gexec"
    fact canary "$("$bin/psql" -XAtq <<<"$statement" 2> >(problems canary))"
}

look_through() {
    local found
    found=$("$bin/pg_amcheck" --no-password --all --heapallindexed --install-missing 2>&1) || grep -v '^WARNING:' <<<"$found" | problems database
}

check_pages() {
    if "$bin/pg_controldata" "$data" | grep -q '^Data page checksum version: *0$'; then
        fact checksums off
    else
        fact checksums on
        "$bin/pg_checksums" --check --pgdata="$data" 2>&1 >/dev/null | problems pages
    fi
}

rm -f "$facts"
SECONDS=0
verify
fact verify_seconds "$SECONDS"
SECONDS=0
if start; then
    fact recovery_seconds "$SECONDS"
    SECONDS=0
    read_canary
    look_through
    stop fast || echo "PostgreSQL does not stop" | problems recovery
    check_pages
    fact check_seconds "$SECONDS"
else
    stop immediate
fi
fact "looked through" yes
