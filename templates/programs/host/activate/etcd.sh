# ------------------------------------------------------------------------------------------------------------------- etcd

# has_log CLUSTER: etcd makes its log when its cluster has let it in, and goes by it from then on.
has_log() {
    [ -d "/var/containerops/data/etcd/$1/member/wal" ]
}

is_well() {
    without_lock podman exec "${1%.service}" etcdctl endpoint health --command-timeout=4s >/dev/null 2>&1
}

# A member without data starts only when its cluster expects it, and tries again every few seconds until then.
check_etcd() {
    units '.value.member.kind == "etcd"' | while read -r unit; do
        cluster=$(member "$unit" cluster)
        name="etcd member $(jq -r .host "$manifest") of cluster $cluster"
        initial=/etc/containerops/etcd-$cluster/main/initial.env
        if [ "$(value ETCD_INITIAL_CLUSTER_STATE "$initial")" = existing ]; then
            within 10 has_log "$cluster" || stop "$name waits until its cluster expects it. On a host with another member run
    etcdctl --cluster $cluster member add $(jq -r .host "$manifest") --peer-urls=$(value ETCD_INITIAL_ADVERTISE_PEER_URLS "$initial")
and then this again"
            within 60 is_well "$unit" || stop "$name is not well: journalctl -u $unit. Did it lose its data? docs/etcd.md tells how to replace it"
            # One that was let in just now restarted until then, which is no loop.
            [ -z "$(find "/var/containerops/data/etcd/$cluster/member" -maxdepth 0 -mmin -10)" ] || systemctl reset-failed "$unit"
        else
            # It asks each peer first, up to seven seconds.
            within 60 has_log "$cluster" || stop "$name does not start: journalctl -u $unit. Did it lose its data? docs/etcd.md tells how to replace it"
        fi
    done
}

