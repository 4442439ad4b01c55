# ------------------------------------------------------------------------------------------------------------------- main

# finish STATUS: leaves nothing behind. A program that failed unexpectedly has said why; its status is none of ours.
finish() {
    rm -rf "$work"
    case $1 in
    [0-3]) exit "$1" ;;
    esac
    echo "activate: stopped on the way; run it again" >&2
    exit 1
}

work=$(mktemp -d)
trap 'finish $?' EXIT
trap 'exit 1' HUP INT TERM
for file in problems changed updated gone removed secrets images starts pki pki.changed todo start restart roll reload; do
    : >"$work/$file"
done
old=$work/old
if [ -f "$record" ]; then
    cp "$record" "$old"
else
    echo '{"files": {}, "units": {}, "endpoints": {}}' >"$old"
fi
if [ -z "$dry_run" ] && [ "$(id -u)" = 0 ]; then
    mkdir -p "$state"
    exec 9>"$state/lock"
    if ! flock --nonblock 9; then
        # What one that was killed had begun may not have ended yet.
        echo "activate: another activate is at work; waiting a minute for its end" >&2
        flock --timeout 60 9 || stop "another activate is at work"
    fi
fi

look
compare
plan_units
show_plan >"$work/plan"
if [ ! -s "$work/plan" ]; then
    check_etcd
    check_loops
    check_members
    echo "Nothing to do."
    exit 0
fi
cat "$work/plan"
[ -z "$dry_run" ] || exit 0

sed -n 's/^pull //p' "$work/images" | while read -r image; do
    pull "$image" || stop "$image can't be pulled; nothing was changed"
done
check_start
[ ! -s "$work/misfits" ] || stop "nothing was changed, since $(cat "$work/misfits")"
keep_todo
install_files
reload_systemd
build_images
check_start
[ ! -s "$work/misfits" ] || stop "running members stay as they are, since $(cat "$work/misfits")"
cat "$work/starts" >>"$state/starts"
change_passwords
load_secrets
restart_units
change_clusters
if [ -s "$work/roll" ] && [ -n "$roll" ]; then
    roll_units
    mv "$work/roll" "$work/transaction"
    : >"$work/roll"
fi
check_etcd
if [ -s "$work/transaction" ]; then
    within 60 has_settled || true
fi
check_loops
check_members
# What ends just now is started again by systemd in a moment.
within 5 all_run || stop "these do not run:$(not_running); journalctl -u UNIT tells why"
tell_background
if [ -s "$work/roll" ]; then
    echo "Done, but for restarts that wait for --roll:$(sed 's/^/ /' "$work/roll" | tr -d '\n'); one host after the other"
    exit 3
fi
echo "Done."
