# ---------------------------------------------------------------------------------------------------------------- rolling

# members_in UNIT: the units of members that stop when the unit stops.
members_in() {
    jq -r --arg unit "$1" '
        . as $all
        | def up: ., ($all.units[.].after[]? | up);
        .units | to_entries[] | select(.value.member) | .key | select(any(up; . == $unit))' "$manifest"
}

list_members() {
    ask "$1" /cluster | jq -c '.members[]'
}

# of_member UNIT FILTER: what Patroni says of the member that the unit runs.
of_member() {
    list_members "$1" | jq -r --arg name "$(jq -r .host "$manifest")" "select(.name == \$name) | $2"
}

# is_whole UNIT: every member of its cluster is well.
is_whole() {
    case $(member "$1" kind) in
    etcd) without_lock podman exec "${1%.service}" etcdctl endpoint health --cluster --command-timeout=4s >/dev/null 2>&1 ;;
    patroni)
        list_members "$1" | jq -es 'any(.[]; .role == "leader" and .state == "running")
            and all(.[]; .state == "running" or .state == "streaming")' >/dev/null 2>&1
        ;;
    esac
}

is_leader() {
    [ "$(of_member "$1" .role)" = leader ]
}

is_no_leader() {
    role=$(of_member "$1" .role)
    [ -n "$role" ] && [ "$role" != leader ]
}

# hand_over UNIT: asks for a standby in the primary's place, one that has everything: a synchronous one where there is one. Just after its restart
# a standby may not count as synchronous yet; Patroni refuses it then, and patronictl ends with 0 all the same.
hand_over() {
    ! is_no_leader "$1" || return 0
    candidate=$(list_members "$1" | jq -rs '
        map(select(.state == "streaming" and (.tags.nofailover | not)))
        | (map(select(.role == "sync_standby" or .role == "quorum_standby")) + .) | .[0].name // empty')
    if [ -z "$candidate" ]; then
        echo "no standby could take over" >"$work/errors"
        return 1
    fi
    without_lock podman exec "${1%.service}" patronictl switchover "$(member "$1" cluster)" --leader "$(jq -r .host "$manifest")" --candidate "$candidate" --force \
        >"$work/errors" 2>&1 || return
    is_no_leader "$1"
}

switch_over() {
    cluster=$(member "$1" cluster)
    echo "switchover of $cluster"
    within 60 hand_over "$1" || stop "$cluster did not switch over, its primary here was not restarted: $(tail -n 1 "$work/errors")"
    within 120 is_whole "$1" || stop "$cluster is not whole after the switchover"
}

roll_units() {
    while read -r unit; do
        # The restart of another, its pod's say, may have been this one's.
        left=$(sed -n "s/^restart $unit \(.*\)/\1/p" "$work/todo")
        if [ -n "$left" ] && [ "$(invocation "$unit")" != "$left" ]; then
            finished restart "$unit"
            continue
        fi
        members=$(members_in "$unit")
        for one in $members; do
            is_active "$one" || continue
            within 30 is_whole "$one" || stop "$(member "$one" kind) cluster $(member "$one" cluster) is not whole: $unit was not restarted"
            if [ "$(member "$one" kind)" = patroni ] && is_leader "$one"; then
                switch_over "$one"
            fi
        done
        echo "rolling $unit"
        # systemd counts its own restarts anew.
        systemctl reset-failed "$unit" 2>/dev/null || true
        if [ "$unit" = underlay-network.service ]; then
            remove_network
            # shellcheck disable=SC2046  # names of units hold no blanks
            systemctl start $(awaited_units)
        else
            systemctl restart "$unit"
        fi || stop "$unit does not run: journalctl -u $unit"
        # A pod comes up before its containers do.
        for one in $members; do
            systemctl start "$one" || stop "$one does not run: journalctl -u $one"
            within 300 is_whole "$one" || stop "$(member "$one" kind) cluster $(member "$one" cluster) is not whole after the restart of $unit"
        done
        finished restart "$unit"
    done <"$work/roll"
}

