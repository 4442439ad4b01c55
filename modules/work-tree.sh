#!/bin/sh
# work-tree.sh lock|render COPS-GEN MARK CLUSTER LOCK [OUT] [ARGUMENT…]: what `nix run .#lock` and `nix run .#render` do. A flake can't
# write where it lies, so this finds the work tree around the user, MARK at its top, and lets cops-gen write there.
set -eu

verb=$1
program=$2
mark=$3
cluster=$4
lock=$5
shift 5
root=$PWD
until [ -e "$root/$mark" ]; do
    if [ -z "$root" ]; then
        echo "error: there is no $mark at or above $PWD: run this in the work tree of the flake" >&2
        exit 2
    fi
    root=${root%/*}
done
cd "$root/"

new=
[ -e "$lock" ] || new=" $lock"
case $verb in
lock)
    "$program" lock "$cluster" --lock "$lock" "$@"
    ;;
render)
    out=$1
    shift
    [ -e "$out" ] || new="$new $out"
    "$program" render "$cluster" --lock "$lock" --out "$out" "$@"
    ;;
esac
[ -z "$new" ] || echo "New here:$new. Nix sees them after: git add$new" >&2
