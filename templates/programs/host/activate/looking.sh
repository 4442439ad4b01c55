# ---------------------------------------------------------------------------------------------------------------- looking

# problem TEXT REMEDY: notes why this host can't be activated.
problem() {
    printf '%s\n    %s\n' "$1" "$2" >>"$work/problems"
}

stop() {
    echo "activate: $1" >&2
    exit 1
}

# without_lock COMMAND…: runs what may outlive an activate that is killed, as a container does. As long as it held the lock, no other would begin.
without_lock() {
    "$@" 9>&-
}

# files FILE: the files of a manifest, each `SHA256 MODE PATH`.
files() {
    jq -r '.files | to_entries[] | "\(.value.sha256) \(.value.mode) \(.key)"' "$1"
}

# digests DIRECTORY: of the paths on standard input, those that are plain files below it, each `SHA256  PATH`. One process for all.
digests() {
    (
        cd "$1"
        while read -r path; do
            if [ -f "$path" ] && [ ! -L "$path" ]; then printf '%s\0' "$path"; fi
        done | xargs --null --no-run-if-empty sha256sum --zero | tr '\0' '\n'
    )
}

# unit_files SUFFIX: the Quadlet files of the bundle that end so.
unit_files() {
    find "$bundle/rootfs/etc/containers/systemd" -maxdepth 1 -path "*$1" | sort
}

# value KEY FILE: what a unit file assigns to KEY.
value() {
    sed -n "s/^$1=//p" "$2"
}

check_bundle() {
    jq -r '.files | keys[]' "$manifest" | digests "$bundle" | jq -Rrn --slurpfile manifest "$manifest" '
        ([inputs | {(.[66:]): .[:64]}] | add // {}) as $here
        | $manifest[0].files | to_entries[] | select(.value.sha256 != $here[.key]) | "\($here[.key] != null) \(.key)"' >"$work/broken"
    while read -r is_there path; do
        if [ "$is_there" = true ]; then
            problem "$path is not what the manifest says" "deliver the bundle again, whole; change the description, never a bundle"
        else
            problem "the bundle lacks $path" "deliver the bundle again, whole"
        fi
    done <"$work/broken"
}

# Looks at where the bundle's files go on this host, and writes to $work/compared what is not as it shall be: `REASON PATH`, where REASON
# is `absent` (no plain file is there), `content` or `mode`.
compare_files() {
    jq -r '.files | keys[] | select(startswith("rootfs/")) | ltrimstr("rootfs/")' "$manifest" | digests / >"$work/digests"
    cut -c 67- "$work/digests" | tr '\n' '\0' | (cd / && xargs --null --no-run-if-empty stat --format='%04a') | paste -d ' ' - "$work/digests" |
        jq -Rrn --slurpfile manifest "$manifest" '
            ([inputs | {("rootfs/" + .[71:]): {mode: .[:4], sha256: .[5:69]}}] | add // {}) as $here
            | $manifest[0].files | to_entries[] | select((.key | startswith("rootfs/")) and $here[.key] != (.value | {mode, sha256}))
            | (if $here[.key] == null then "absent" elif $here[.key].sha256 != .value.sha256 then "content" else "mode" end) + " \(.key)"' >"$work/compared"
    sed 's/^[a-z]* //' "$work/compared" >"$work/changed"
    sed -n '/^absent /!s/^[a-z]* //p' "$work/compared" >"$work/updated"
}

check_host() {
    [ -d /run/systemd/system ] || problem "systemd does not run this host" "a bundle's units need it"
    [ -f /sys/fs/cgroup/cgroup.controllers ] ||
        problem "control groups are not of version 2" "boot with systemd.unified_cgroup_hierarchy=1"
    [ -c /dev/net/tun ] || problem "there is no /dev/net/tun, which Nebula needs" "modprobe tun, and name it in /etc/modules-load.d"
    nft list tables >/dev/null 2>&1 || problem "nft does not work here" "install nftables; its kernel modules must load"
    wanted=$(jq -r .podman_version "$manifest")
    here=$(podman --version | sed 's/.* //')
    [ "$(printf '%s\n' "$wanted" "$here" | sort -V | head -n 1)" = "$wanted" ] ||
        problem "Podman here is $here, and the units are written for $wanted" "install it, or say podman_version in the description"
    host=$(jq -r .host "$manifest")
    before=$(jq -r '.host // empty' "$old")
    [ -z "$before" ] || [ "$before" = "$host" ] ||
        problem "this host is $before, and the bundle is $host's" "deliver out/hosts/$before; if it was renamed, remove $record"
}

# Devices of the host that containers are given: Podman starts none of them without.
check_devices() {
    unit_files .container | while read -r file; do
        value AddDevice "$file" | while read -r device; do
            device=${device%%:*}
            case $device in
            /dev/net/tun) continue ;; # above
            /dev/watchdog) remedy="load the driver of this machine's watchdog and name it in /etc/modules-load.d, or write \"watchdog\": \"container\"" ;;
            *) remedy="load its driver and name it in /etc/modules-load.d, or take it out of the description" ;;
            esac
            [ -e "$device" ] || problem "there is no $device, which $(basename "$file" .container) needs" "$remedy"
        done
    done
}

# Files that stand where ours must go and that nobody of us put there.
check_places() {
    while read -r reason path; do
        place=/${path#rootfs/}
        if [ -e "$place" ] && [ "$reason" != mode ] && ! jq -e --arg path "$path" '.files | has($path)' "$old" >/dev/null; then
            problem "$place is there already, and no bundle put it there" "move it away, or make it what the bundle has"
        fi
    done <"$work/compared"
}

check_data() {
    jq -r '.units[].member | select(.kind == "patroni") | "\(.cluster) \(.postgres_version)"' "$manifest" |
        while read -r cluster wanted; do
            data=/var/containerops/data/patroni/$cluster/data/PG_VERSION
            if [ -f "$data" ] && [ "$(cat "$data")" != "$wanted" ]; then
                problem "the data of cluster $cluster is PostgreSQL $(cat "$data")'s, and the bundle runs $wanted" \
                    "go back to its postgres_version, or restore into a new cluster"
            fi
        done
}

check_secrets() {
    if ! sh "$bundle/rootfs$loader" --check "$bundle/rootfs$table" >"$work/secrets" 2>"$work/errors"; then
        sed 's/^load-secrets: //' "$work/errors" | while read -r line; do
            problem "$line" "see \`secrets\` in the description"
        done
    fi
}

# pull IMAGE: 0 when it is here now.
pull() {
    podman image exists "$1" || { [ -z "$dry_run" ] && podman pull --quiet "$1" >/dev/null; }
}

# The images of containers, and those that drills run: each with whether it may be pulled.
wanted_images() {
    unit_files .container | while read -r file; do
        echo "$(value Pull "$file") $(value Image "$file")"
    done
    find "$bundle/rootfs/etc/containerops/barman/drills" -name '*.json' -exec jq -r '"\(.pull) \(.image)"' {} + 2>/dev/null
}

find_images() {
    unit_files .build | while read -r file; do value ImageTag "$file"; done >"$work/built"
    wanted_images | sort -u | while read -r pull image; do
        podman image exists "$image" && continue
        if grep -qxF "$image" "$work/built"; then
            echo "build $image"
        elif [ "$pull" = never ]; then
            problem "the image $image is not here, and nothing pulls or builds it" "podman load or podman build it"
        else
            echo "pull $image"
        fi
    done | sort -u >"$work/images"
}

# check_start: runs the program that starts Patroni, as it is in the bundle, in each image of a member that is here and that it was not
# tried in before. Writes to $work/misfits what it says where it doesn't fit. Running members stay as they are.
check_start() {
    : >"$work/misfits"
    jq -r '.units | to_entries[] | select(.value.member.kind == "patroni") | .key | rtrimstr(".service")' "$manifest" | while read -r name; do
        image=$(value Image "$(unit_files "/$name.container")")
        podman image exists "$image" || continue
        start=$bundle/rootfs/etc/containerops/${name%-main}/start
        mkdir -p "$work/program"
        cp "$start"/*.py "$work/program"
        chmod -R go+rX "$work/program"
        pair="$(podman image inspect --format '{{.Id}}' "$image") $(cat "$start"/*.py | sha256sum | cut -d ' ' -f 1)"
        grep -qxF "$pair" "$state/starts" "$work/starts" 2>/dev/null && continue
        if without_lock podman run --rm --quiet --pull=never --network=none --log-driver=none --user=65534 --security-opt=label=disable \
            --entrypoint=python3 --volume="$work/program:/start:ro" "$image" /start/start.py --check >/dev/null 2>"$work/errors"; then
            echo "$pair" >>"$work/starts"
        else
            sed "s|^start.py: ||; s|^|$image does not fit: |" "$work/errors" >>"$work/misfits"
        fi
    done
}

# with_nebula PROGRAM MOUNT… -- ARGUMENT…: runs a program of the Nebula image, with no network and nothing but the mounts.
with_nebula() {
    program=$1
    shift
    mounts=
    while [ "$1" != -- ]; do
        mounts="$mounts --volume=$1"
        shift
    done
    shift
    # shellcheck disable=SC2086  # our own paths: they hold no blanks
    without_lock podman run --rm --quiet --pull=never --network=none --log-driver=none --user=0 --security-opt=label=disable \
        --entrypoint="$program" $mounts "$nebula" "$@"
}

# Every certificate is there, is this endpoint's, of a CA that is trusted, and neither expired nor not valid yet.
check_certificates() {
    jq -r '.endpoints | to_entries[] | "\(.key) \(.value.directory) \(.value.address)"' "$manifest" >"$work/endpoints"
    : >"$work/found"
    while read -r name directory address; do
        missing=
        for file in ca.crt host.crt host.key; do
            [ -s "$directory/$file" ] || missing="$missing $file"
        done
        if [ -n "$missing" ]; then
            problem "$name lacks$missing in $directory" "issue-certs makes them: deliver its directory keys/hosts/$(jq -r .host "$manifest")"
        else
            echo "$name $directory" >>"$work/found"
            echo "$name $(cat "$directory/ca.crt" "$directory/host.crt" "$directory/host.key" | sha256sum | cut -d ' ' -f 1) $address" >>"$work/pki"
        fi
    done <"$work/endpoints"
    [ -s "$work/found" ] || return 0
    nebula=$(value Image "$(unit_files "/$(jq -r '[.endpoints[].unit][0] | rtrimstr(".service")' "$manifest").container")")
    if ! pull "$nebula"; then
        [ -n "$dry_run" ] || problem "$nebula can't be pulled" "mend the way to its registry, or podman load it"
        echo "certificates are not looked at before $nebula is here"
        return 0
    fi
    mkdir "$work/certificates"
    while read -r name directory; do
        { cat "$directory/ca.crt" && echo && cat "$directory/host.crt" && echo; } >"$work/certificates/$name.pem"
        cat "$work/certificates/$name.pem" >>"$work/certificates/all"
    done <"$work/found"
    # All at once, since each start of a container takes its time; one by one only to find the file that can't be read.
    if ! print_certificates all; then
        while read -r name directory; do
            print_certificates "$name.pem" ||
                problem "$name: $directory/ca.crt or host.crt can't be read" "issue-certs makes them: deliver them again"
        done <"$work/found"
        return 0
    fi
    jq -rs --slurpfile manifest "$manifest" --rawfile found "$work/found" --argjson now "$(date +%s)" '
        def seconds: sub("\\.[0-9]+"; "") | fromdateiso8601;
        def day: .[:10];
        # The certificates as printed: of each endpoint its CAs, then its own.
        reduce (flatten[] | .details.isCa as $ca | {ca: $ca, fingerprint, details}) as $one ({done: [], cas: []};
            if $one.ca then .cas += [$one] else .done += [{own: $one, cas}] | .cas = [] end)
        | .done as $pairs
        | [$found | split("\n")[] | select(. != "") | split(" ")[0]] | to_entries[]
        | .value as $name | $pairs[.key] as {$own, $cas} | $manifest[0].endpoints[$name] as $wanted
        | ($own.details | .networks // .ips) as $networks | ($own.details.groups // []) as $groups
        | (if $own == null then "\($name): its files don'\''t hold CAs and one certificate" else empty end),
          ($own | values | $own.details
            | (if $networks != [$wanted.address] then
                "\($name): the certificate is for \($networks | join(", ")), not \($wanted.address)" else empty end),
              (if ($groups | sort) != $wanted.groups then
                "\($name): the certificate has the groups [\($groups | sort | join(", "))], not [\($wanted.groups | join(", "))]" else empty end),
              (if .notAfter | seconds <= $now then "\($name): the certificate expired on \(.notAfter | day)" else empty end),
              (if .notBefore | seconds > $now then
                "\($name): the certificate is valid only from \(.notBefore): is the clock right?" else empty end),
              (.issuer as $issuer | [$cas[] | select(.fingerprint == $issuer)] as $issuers
                | if $issuers == [] then "\($name): the certificate is of a CA that its ca.crt does not hold"
                  elif $issuers[0].details.notAfter | seconds <= $now then "\($name): its CA expired on \($issuers[0].details.notAfter | day)"
                  else empty end))' "$work/print" >"$work/wrong"
    while read -r line; do
        problem "$line" "run issue-certs, and deliver what it made"
    done <"$work/wrong"
    [ -s "$work/wrong" ] || check_keys
}

# print_certificates FILE: as JSON to $work/print.
print_certificates() {
    with_nebula /nebula-cert "$work/certificates:/c:ro" -- print -json -path "/c/$1" >"$work/print" 2>/dev/null
}

# What is new is tried by Nebula itself: only it knows whether the key fits.
check_keys() {
    sort "$work/pki" >"$work/pki.new"
    sort "$state/pki" 2>/dev/null | comm -23 "$work/pki.new" - >"$work/pki.changed"
    while read -r name _; do
        directory=$(jq -r --arg name "$name" '.endpoints[$name].directory' "$manifest")
        # The bundle's path may hold what no mount can.
        cp "$bundle/rootfs${directory%/pki}/config.yml" "$work/config.yml"
        if ! with_nebula /nebula "$directory:/config/pki:ro" "$work/config.yml:/config/config.yml:ro" -- -test -config /config/config.yml >"$work/errors" 2>&1; then
            problem "$name: Nebula does not take its files: $(tail -n 1 "$work/errors")" "run issue-certs, and deliver what it made"
        fi
    done <"$work/pki.changed"
}

look() {
    [ "$(id -u)" = 0 ] || problem "this is not root" "run it with sudo"
    for program in podman systemctl systemd-tmpfiles nft jq sha256sum base64 flock; do
        command -v "$program" >/dev/null || problem "there is no program $program" "install it"
    done
    [ -f "$manifest" ] || problem "there is no $manifest" "deliver the bundle whole"
    if [ ! -s "$work/problems" ]; then
        jq -e '.version == 1' "$manifest" >/dev/null || problem "the manifest is of another version" "use the activate of its own bundle"
        check_bundle
    fi
    if [ ! -s "$work/problems" ]; then
        check_host
        check_devices
        compare_files
        check_places
        check_data
        find_images
        check_start
        while read -r line; do
            problem "$line" "name an image with Patroni 4.0.0 to 4.1.5 in the description; until then go on with the bundle before"
        done <"$work/misfits"
        check_secrets
        check_certificates
    fi
    if [ -s "$work/problems" ]; then
        {
            echo "activate: nothing was changed, since"
            sed 's/^/  /' "$work/problems"
        } >&2
        exit 2
    fi
}

