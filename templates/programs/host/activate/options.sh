#!/bin/sh
# activate [--dry-run] [--roll]: makes this host run what the bundle around this file says.
#
# Looks first, and changes nothing while anything is missing. Then installs what changed, removes what an earlier bundle put
# there, builds and pulls images, loads secrets, and restarts or reloads exactly the units that this means. Data is never removed.
# Killed at any point, the next run finishes the work; a run that finds nothing to do says so.
#
#   --dry-run  prints what would be done, and does nothing
#   --roll     restarts members of etcd and Patroni clusters too: one host at a time, the primary switched over before
#
# Exit status: 0 done; 1 stopped on the way or a service does not stay up, run it again; 2 refused, nothing was changed; 3 done, but restarts wait for --roll.
set -eu
umask 022
LC_ALL=C
TZ=UTC0
export LC_ALL TZ

bundle=$(cd "$(dirname "$0")" && pwd)
manifest=$bundle/manifest.json
state=/var/lib/containerops
record=$state/installed.json # the manifest of what is installed; while a run is under way, of all that may be
pending=$state/pending       # what is still to be done: VERB UNIT [INVOCATION]
loader=/etc/containerops/bin/load-secrets
table=/etc/containerops/secrets.json
detector=/etc/containerops/bin/restart-loops

dry_run=
roll=
for argument; do
    case $argument in
    --dry-run) dry_run=yes ;;
    --roll) roll=yes ;;
    -h | --help)
        sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "activate: there is no option $argument; see activate --help" >&2
        exit 2
        ;;
    esac
done

