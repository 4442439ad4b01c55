# ------------------------------------------------------------------------------------------------------------------ doing

# Writes the pending file anew from $work/todo; it outlives a power cut.
keep_todo() {
    cp "$work/todo" "$pending.new"
    sync "$pending.new"
    mv "$pending.new" "$pending"
}

# finished VERB UNIT: strikes it off. Where it was the last, grep finds no line and fails.
finished() {
    grep -Ev "^$1 $2( |\$)" "$work/todo" >"$work/rest" || true
    mv "$work/rest" "$work/todo"
    keep_todo
}

keep_record() {
    sync "$1"
    mv "$1" "$record"
}

install_files() {
    # From here on a file of either bundle may be on this host.
    jq -s '.[1] + {files: (.[0].files + .[1].files), units: (.[0].units + .[1].units)}' "$old" "$manifest" >"$record.new"
    keep_record "$record.new"
    running=$(while read -r unit; do if is_active "$unit"; then echo "$unit"; fi; done <"$work/removed")
    if [ -n "$running" ]; then
        # shellcheck disable=SC2086  # names of units hold no blanks
        systemctl stop $running || stop "a removed unit does not stop"
    fi
    files "$manifest" | while read -r _ mode path; do
        grep -qxF "$path" "$work/changed" || continue
        place=/${path#rootfs/}
        mkdir -p "${place%/*}"
        new=${place%/*}/.containerops-new
        rm -rf "$new"
        cp "$bundle/$path" "$new"
        chown 0:0 "$new"
        chmod "$mode" "$new"
        sync "$new"
        mv -T "$new" "$place"
    done
    while read -r path; do
        place=/${path#rootfs/}
        rm -f "$place"
        case $place in
        /etc/containerops/* | /etc/containers/systemd/*/*)
            # Up to what still holds something, which rmdir may tell as a failure.
            rmdir -p --ignore-fail-on-non-empty "${place%/*}" 2>/dev/null || true
            ;;
        esac
    done <"$work/gone"
    cp "$manifest" "$record.new"
    keep_record "$record.new"
}

reload_systemd() {
    if grep -q '^daemon-reload' "$work/todo"; then
        systemctl daemon-reload
        while read -r unit; do
            # What a timer ran has no line of its own. systemd fails where it has forgotten the unit already.
            systemctl reset-failed "$unit" "${unit%.timer}.service" 2>/dev/null || true
        done <"$work/removed"
        # From here on whoever restarts a unit starts it as it shall be: it is known by its invocation.
        while read -r verb unit invocation; do
            if [ "$verb" = restart ] && [ -z "$invocation" ]; then
                invocation=$(invocation "$unit")
            fi
            echo "$verb $unit${invocation:+ $invocation}"
        done <"$work/todo" >"$work/known"
        mv "$work/known" "$work/todo"
        finished daemon-reload -
    fi
    if grep -q '^tmpfiles' "$work/todo"; then
        systemd-tmpfiles --create /etc/tmpfiles.d/containerops.conf
        sort "$work/pki" >"$state/pki.new"
        mv "$state/pki.new" "$state/pki"
        finished tmpfiles -
    fi
}

build_images() {
    unit_files .build | while read -r file; do
        image=$(value ImageTag "$file")
        podman image exists "$image" && continue
        unit=$(basename "$file" .build)-build.service
        echo "building $image"
        if ! systemctl restart "$unit" || ! podman image exists "$image"; then
            stop "$image was not built: journalctl -u $unit"
        fi
    done
}

# member UNIT FIELD: what the manifest says of the cluster that the unit is a member of.
member() {
    jq -r --arg unit "$1" --arg field "$2" '.units[$unit].member[$field] // empty' "$manifest"
}

# within SECONDS COMMAND…: tries until it works.
within() {
    end=$(($(date +%s) + $1))
    shift
    until "$@"; do
        [ "$(date +%s)" -lt "$end" ] || return 1
        sleep 1
    done
}

# Passwords reach the database before any container has the new ones.
change_passwords() {
    units '.value.member.kind == "patroni"' | while read -r unit; do
        if ! grep -qxF "$(member "$unit" passwords)" "$work/secrets" || ! jq -e --arg unit "$unit" '.units | has($unit)' "$old" >/dev/null; then
            # A new member's cluster gets them when it is made, or from the members that it has.
            continue
        elif ! is_running "$unit"; then
            # A stopped member has to be started first.
            echo "reconcile $unit" >>"$work/todo"
            keep_todo
        else
            echo "changing passwords of $(member "$unit" cluster)"
            within 30 reconcile "$unit" ||
                stop "the passwords of cluster $(member "$unit" cluster) could not be changed; when it has a leader, run activate again: $(tail -n 1 "$work/errors")"
            finished reconcile "$unit"
        fi
    done
}

# A unit whose container has been there since before this run.
is_running() {
    ! grep -qxF "$1" "$work/start" && podman container exists "${1%.service}"
}

# reconcile UNIT: makes roles, passwords and databases of a cluster.
reconcile() {
    "$loader" --value "$(member "$1" passwords)" |
        without_lock podman exec --interactive "${1%.service}" bash /etc/patroni/reconcile.sh >"$work/errors" 2>&1
}

load_secrets() {
    if [ -s "$work/secrets" ]; then
        "$loader" >/dev/null || stop "a secret could not be loaded; run activate again"
    fi
}

# An existing network keeps its addresses: a changed one is removed, and all pods stop with it.
remove_network() {
    systemctl stop underlay-network.service
    podman network rm underlay >/dev/null
}

# Reloads come first, since the host's own rules must know a new pod's port before it starts. Then everything at once: systemd keeps
# the order. What does not run is started and not restarted, since a restart breaks off the start that another unit asked for.
restart_units() {
    while read -r unit; do
        systemctl reload "$unit" || stop "$unit was not reloaded: journalctl -u $unit"
        finished reload "$unit"
    done <"$work/reload"
    if grep -qxF underlay-network.service "$work/restart"; then
        remove_network
        all_units | inactive >"$work/start"
    fi
    sort -u "$work/start" "$work/restart" >"$work/transaction"
    if [ -s "$work/transaction" ]; then
        background_units >"$work/background"
        # grep fails where it finds none.
        awaited=$(grep -vxFf "$work/background" "$work/transaction" || true)
        running=$(grep -vxFf "$work/background" "$work/restart" || true)
        # systemd counts anew: what it restarted before this is no sign of a loop. It fails where it doesn't know a unit yet.
        # shellcheck disable=SC2046  # names of units hold no blanks
        systemctl reset-failed $(cat "$work/transaction") 2>/dev/null || true
        # shellcheck disable=SC2086  # names of units hold no blanks
        [ -z "$running" ] || systemctl restart --no-block $running || stop "systemd does not take these: $running"
        # This waits for those too.
        # shellcheck disable=SC2086
        [ -z "$awaited" ] || systemctl start $awaited || stop "these do not run:$(not_running); journalctl -u UNIT tells why"
        # What Barman's own start has begun meanwhile is not begun anew.
        for verb in start restart; do
            others=$(grep -xFf "$work/background" "$work/$verb" || true)
            # shellcheck disable=SC2086
            [ -z "$others" ] || systemctl "$verb" --no-block $others || stop "systemd does not take these: $others"
        done
        # A job that can't be done often ends at once; of one that goes on, the end of this run tells.
        within 10 is_settled || true
        while read -r unit; do
            finished restart "$unit"
            finished reload "$unit"
        done <"$work/transaction"
    fi
}

not_running() {
    { awaited_units | inactive && falling_units; } | sed 's/^/ /' | tr -d '\n'
}

all_run() {
    [ -z "$(not_running)" ]
}

# loops: writes to $work/loops which units systemd starts again and again, and why to believe it; says whether there is one.
loops() {
    # shellcheck disable=SC2046  # names of units hold no blanks
    ! sh "$bundle/rootfs$detector" $(all_units) >"$work/loops"
}

# A program that can't run has ended after five seconds. What ends again after its next start is a loop before a minute is over.
has_settled() {
    ! loops || return 0
    # shellcheck disable=SC2046
    newest=$(systemctl show --timestamp=unix --property=ActiveEnterTimestamp --value $(awaited_units) | tr -d '@' | sort -n | tail -n 1)
    all_run && [ "$(date +%s)" -ge $((newest + 5)) ]
}

# check_loops: a unit in a restart loop is active most of the time, and works never. One that waited for what came just now, a secret say, stays up
# from now on: within two minutes it is no suspect any more, or systemd has restarted it once more.
check_loops() {
    loops || return 0
    cp "$work/loops" "$work/suspects"
    within 130 is_decided || true
    loops || return 0
    sed 's/^/activate: /' "$work/loops" >&2
    exit 1
}

is_decided() {
    ! loops || ! cmp -s "$work/loops" "$work/suspects"
}

# check_members: what the keepers found. A member that differs from the primary may look well to everybody else.
check_members() {
    units '.key | endswith("-keeper.service")' | while read -r unit; do
        is_active "$unit" || continue
        # Another status is podman's own.
        without_lock podman exec "${unit%.service}" python3 /etc/keeper/keeper.py --verdict >"$work/verdict" 2>&1 || [ $? -ne 1 ] ||
            stop "member $(jq -r .host "$manifest") $(cat "$work/verdict")"
    done
}

# is_settled: no job is at work.
is_settled() {
    for unit in $(background_units); do
        [ "$(systemctl is-active "$unit")" != activating ] || return 1
    done
}

# tell_background: what takes its time, or can't be done. All else is done without it.
tell_background() {
    background_units | while read -r unit; do
        case $(systemctl is-active "$unit") in
        active) ;;
        failed) echo "$unit FAILED: journalctl -u $unit tells why, and systemctl restart $unit tries again" ;;
        *) echo "$unit is at work or waits: systemctl status $unit" ;;
        esac
    done
}

# What lives in a cluster and not on this host: its dynamic configuration, its roles and databases.
change_clusters() {
    todo reconcile >"$work/units"
    while read -r unit; do
        within 30 reconcile "$unit" || stop "roles and databases of $(member "$unit" cluster) wait for a leader: $(tail -n 1 "$work/errors")"
        finished reconcile "$unit"
    done <"$work/units"
    todo apply >"$work/units"
    while read -r unit; do
        within 30 apply "$unit" || stop "the configuration of $(member "$unit" cluster) waits for its cluster: $(tail -n 1 "$work/errors")"
        show "applied  " "$work/applied"
        # Patroni finds out which parameters take a restart in its next round, or in the one after it when a reload came first.
        if within "$(($(jq .loop_wait "/etc/containerops/${unit%-main.service}/dynamic/dynamic.json") * 2 + 2))" waits_for_restart "$unit" &&
            ! grep -q "^restart $unit" "$work/todo"; then
            echo "restart $unit $(invocation "$unit")" >>"$work/todo"
            echo "$unit" >>"$work/roll"
        fi
        finished apply "$unit"
    done <"$work/units"
}

# ask UNIT PATH: what the REST API of the unit's Patroni answers. (patronictl takes a second to start.)
ask() {
    # shellcheck disable=SC2016  # it is the container's bash that expands this
    without_lock podman exec "${1%.service}" bash -c \
        'exec 3<>/dev/tcp/127.0.0.1/8008 && printf "GET $1 HTTP/1.0\r\n\r\n" >&3 && sed "1,/^\r\$/d" <&3' bash "$2" 2>/dev/null
}

waits_for_restart() {
    [ "$(ask "$1" /patroni | jq .pending_restart)" = true ]
}

apply() {
    without_lock podman exec "${1%.service}" python3 /etc/patroni/apply.py >"$work/applied" 2>"$work/errors"
}

