# --------------------------------------------------------------------------------------------------------------- planning

# Compares with the bundle before, and writes what is to do: files to remove to $work/gone, units to remove to $work/removed, what
# else to $work/todo (VERB UNIT).
compare() {
    jq -rn --slurpfile new "$manifest" --slurpfile old "$old" '$old[0].files | keys - ($new[0].files | keys) | .[]' |
        while read -r path; do
            place=/${path#rootfs/}
            [ ! -e "$place" ] || echo "$path"
        done >"$work/gone"
    jq -rn --slurpfile new "$manifest" --slurpfile old "$old" '$old[0].units | keys - ($new[0].units | keys) | .[]' >"$work/removed"
    jq -rn --slurpfile new "$manifest" --slurpfile old "$old" --rawfile changed "$work/changed" --rawfile updated "$work/updated" \
        --rawfile gone "$work/gone" --rawfile secrets "$work/secrets" --rawfile pki "$work/pki.changed" '
        def set: split("\n") | map(select(. != "") | {(.): true}) | add // {};
        ($changed + $gone | set) as $touched | ($updated | set) as $updated | ($secrets | set) as $secrets
        | ([$pki | split("\n")[] | select(. != "") | split(" ")[0]
            | $new[0].endpoints[.] as $now | ($old[0].endpoints[.].address // $now.address) as $then
            | {($now.unit): (if $then == $now.address then "reload" else "restart" end)}] | add // {}) as $pki
        | ($touched | keys) as $paths
        | (if any($paths[]; test("^rootfs/etc/(containers/)?systemd/")) then "daemon-reload -" else empty end),
          (if ($pki | length) > 0 or any($paths[]; startswith("rootfs/etc/tmpfiles.d/")) then "tmpfiles -" else empty end),
          ($new[0].units | to_entries[] | .key as $unit | .value as $now | ($old[0].units[$unit] // {}) as $then
            | (if $unit | endswith("-build.service") then empty
               elif any($now.restart[], $then.restart[]?; $touched[.]) or any($now.secrets[]?; $secrets[.]) or $pki[$unit] == "restart"
               then "restart \($unit)" else empty end),
              (if any($now.reload[], $then.reload[]?; $touched[.]) or $pki[$unit] == "reload" then "reload \($unit)" else empty end),
              ($now.member | select(.kind == "patroni") | "rootfs/etc/containerops/patroni-\(.cluster)/dynamic" as $dynamic
                | (if $updated["\($dynamic)/dynamic.json"] then "apply \($unit)" else empty end),
                  (if $updated["\($dynamic)/reconcile.sql"] then "reconcile \($unit)" else empty end)))' >"$work/new"
    # What an earlier run left, but for what is gone, was restarted since by somebody else, or is done anew anyway.
    [ ! -f "$pending" ] || while read -r verb unit invocation; do
        if [ "$unit" != - ] && ! jq -e --arg unit "$unit" '.units | has($unit)' "$manifest" >/dev/null; then
            continue
        elif [ -n "$invocation" ] && [ "$(invocation "$unit")" != "$invocation" ]; then
            continue
        fi
        grep -qxF "$verb $unit" "$work/new" || echo "$verb $unit${invocation:+ $invocation}"
    done <"$pending" >"$work/todo"
    cat "$work/new" >>"$work/todo"
}

# invocation UNIT: the id of the run that it is in.
invocation() {
    systemctl show --property=InvocationID --value "$1"
}

# units FILTER: the units of the manifest that jq's FILTER leaves, those that others start after first.
units() {
    jq -r "
        . as \$all
        | def depth: [.after[] | \$all.units[.] | values | depth] | (max // 0) + 1;
        [.units | to_entries[] | select($1) | {key, depth: (.value | depth)}] | sort_by(.depth)[].key" "$manifest"
}

# The units that run on this host. An image is built when it is missing, and never again.
all_units() {
    units '.key | endswith("-build.service") | not'
}

# Those that take their own time and may fail by themselves: jobs, and what waits for one.
background_units() {
    units '.value.in_background'
}

# Those that have to run before this is done.
awaited_units() {
    units '(.value.in_background or (.key | endswith("-build.service"))) | not'
}

# inactive: of the units on standard input, those that neither run nor are being started. systemctl fails where one isn't active.
inactive() {
    cat >"$work/asked"
    # shellcheck disable=SC2046  # names of units hold no blanks
    { systemctl is-active $(cat "$work/asked") || true; } | paste -d ' ' - "$work/asked" |
        sed -En '/^(active|activating|reloading|refreshing) /!s/^[^ ]* //p'
}

# The units that wait for systemd to start them again.
falling_units() {
    # shellcheck disable=SC2046  # names of units hold no blanks
    systemctl list-units --plain --no-legend --state=auto-restart,auto-restart-queued $(awaited_units) | cut -d ' ' -f 1
}

# is_active UNIT
is_active() {
    [ -z "$(echo "$1" | inactive)" ]
}

# todo VERB: the units of $work/todo with this verb, those that others start after first.
todo() {
    sed -n "s/^$1 \([^ ]*\).*/\1/p" "$work/todo" >"$work/units_of_verb"
    # grep fails where it finds none.
    units 'true' | grep -xFf "$work/units_of_verb" || true
}

# is_operators UNIT: whether its restart waits for --roll.
is_operators() {
    jq -e --arg unit "$1" '.units[$unit].on_change == "operator"' "$manifest" >/dev/null
}

# Sorts units into $work/{start,restart,roll,reload}.
plan_units() {
    all_units | inactive >"$work/start"
    todo restart | while read -r unit; do
        if grep -qxF "$unit" "$work/start"; then
            continue
        elif is_operators "$unit"; then
            echo "$unit" >>"$work/roll"
        else
            echo "$unit" >>"$work/restart"
        fi
    done
    todo reload | while read -r unit; do
        cat "$work/start" "$work/restart" | grep -qxF "$unit" || echo "$unit"
    done >"$work/reload"
}

# show VERB FILE: a line for each line of the file.
show() {
    sed "s|^|$1 |" "$2"
}

# Prints the whole plan; empty when there is nothing to do.
show_plan() {
    show 'stop     ' "$work/removed"
    sed 's|^rootfs||' "$work/changed" | show 'install  ' -
    sed 's|^rootfs||' "$work/gone" | show 'remove   ' -
    awk '{ printf "%-9s %s\n", $1, $2 }' "$work/images"
    show 'secret   ' "$work/secrets"
    grep -q '^daemon-reload' "$work/todo" && echo 'reload    systemd'
    grep -q '^tmpfiles' "$work/todo" && echo 'own       data directories and keys'
    todo reconcile | show 'reconcile' -
    show 'start    ' "$work/start"
    show 'restart  ' "$work/restart"
    show 'reload   ' "$work/reload"
    todo apply | show 'apply    ' -
    show 'roll     ' "$work/roll"
}

