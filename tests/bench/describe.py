#!/usr/bin/env python3
"""Repeats the three hosts of a description, with all their services, until there are enough.

Group 7 of host `db1` is `db1-7`, of cluster `app` `app-7`, and so on. The networks are either one
large one (the default) or one per group. The second variant changes most files: some groups are
gone, some have lost their pods and some have more, and images, sizes and the MTU differ.
"""

import argparse
import copy
import ipaddress
import json
import pathlib
import sys

EXAMPLE = pathlib.Path(__file__).resolve().parent.parent / "example" / "cluster.json"


def suffixed(place, group, key="host"):
    """Renames the host of a placement: a plain string, or an object with a host."""
    if isinstance(place, str):
        return f"{place}-{group}"
    return {**place, key: f"{place[key]}-{group}"}


def group_of(example, group, network_of):
    """Returns the hosts and services of one group, renamed."""
    example = copy.deepcopy(example)

    def name(text):
        return f"{text}-{group}"

    def networked(service):
        if "network" in service or network_of is not None:
            network = service.get("network", next(iter(example["networks"])))
            service["network"] = network if network_of is None else network_of(network)
        return service

    hosts = {}
    base = int(ipaddress.ip_address("198.18.0.0")) + 3 * group
    for index, (host, body) in enumerate(example["hosts"].items()):
        body["address"] = str(ipaddress.ip_address(base + index))
        if network_of is not None:
            if "endpoints" in body:
                endpoints = body["endpoints"].items()
                body["endpoints"] = {network_of(net): ends for net, ends in endpoints}
        hosts[name(host)] = body
    etcd = {}
    for cluster, body in example.get("etcd_clusters", {}).items():
        body["members"] = [suffixed(member, group) for member in body["members"]]
        etcd[name(cluster)] = networked(body)
    patroni = {}
    for cluster, body in example.get("patroni_clusters", {}).items():
        body["etcd_cluster"] = name(body["etcd_cluster"])
        for key in ("members", "read_replicas", "backup_replicas", "proxies"):
            if key in body:
                body[key] = [suffixed(member, group) for member in body[key]]
        patroni[name(cluster)] = networked(body)
    barman = {}
    for server, body in example.get("barman_servers", {}).items():
        body["host"] = name(body["host"])
        for source in body["sources"]:
            source["cluster"] = name(source["cluster"])
            if "proxy" in source:
                source["proxy"] = name(source["proxy"])
        barman[name(server)] = networked(body)
    pods = {}
    for pod, body in example.get("pods", {}).items():
        body["host"] = name(body["host"])
        body["uses"] = [name(cluster) for cluster in body.get("uses", [])]
        pods[name(pod)] = networked(body)
    return {
        "hosts": hosts,
        "etcd_clusters": etcd,
        "patroni_clusters": patroni,
        "barman_servers": barman,
        "pods": pods,
    }


def change(description, group):
    """Makes the second variant of a group: most of its files differ."""
    for cluster in description["patroni_clusters"].values():
        postgres = cluster.setdefault("postgres_config", {})
        postgres.setdefault("parameters", {})["max_connections"] = 300
        cluster["ttl"] = 45
        cluster["image"] = "registry.example.com/patroni:second"
        cluster["proxy_image"] = "registry.example.com/haproxy:second"
    for cluster in description["etcd_clusters"].values():
        cluster["image"] = "registry.example.com/etcd:second"
    for server in description["barman_servers"].values():
        server["image"] = "registry.example.com/barman:second"
        for source in server["sources"]:
            source["recovery_window"] = 7
    if group % 3 == 0:
        description["pods"] = {}
    if group % 3 == 1:
        more = {f"more-{name}": copy.deepcopy(pod) for name, pod in description["pods"].items()}
        for pod in more.values():
            pod.pop("publish", None)
            pod.pop("hostname", None)
            pod.pop("ip", None)
        description["pods"].update(more)


def networks_of(example, groups, separate):
    """Returns the networks, and how a group names its own."""
    networks = {}
    for index, (name, body) in enumerate(example["networks"].items()):
        for group in range(groups) if separate else [0]:
            own = copy.deepcopy(body)
            if separate:
                first = int(ipaddress.ip_address("10.0.0.0")) + 256 * (index * groups + group)
                own["cidr"] = f"{ipaddress.ip_address(first)}/24"
                own["dns_domain"] = f"g{group}.{body['dns_domain']}"
            else:
                first = int(ipaddress.ip_address("10.0.0.0")) + (index << 21)
                own["cidr"] = f"{ipaddress.ip_address(first)}/11"
            own["lighthouses"] = [f"{host}-{group}" for host in body["lighthouses"]]
            networks[f"{name}-{group}" if separate else name] = own
    return networks


def describe(hosts, separate=False, variant=1, source=EXAMPLE):
    """Returns a description of at least `hosts` hosts."""
    example = json.loads(pathlib.Path(source).read_text(encoding="utf-8"))
    groups = -(-hosts // len(example["hosts"]))
    # The first group stays: in one large network its hosts are the lighthouses.
    kept = groups if variant == 1 else groups - groups // 10
    description = {key: example[key] for key in example if not isinstance(example[key], dict)}
    description["networks"] = networks_of(example, kept, separate)
    description["secrets"] = example.get("secrets", {})
    for group in range(kept):
        network_of = (lambda network, group=group: f"{network}-{group}") if separate else None
        part = group_of(example, group, network_of)
        if variant == 2:
            change(part, group)
        for key, bodies in part.items():
            description.setdefault(key, {}).update(bodies)
    if variant == 2:
        for network in description["networks"].values():
            network["mtu"] = 1280
            # Other host names are other endpoints, with addresses and ports of their own.
            network["dns_domain"] = f"second.{network['dns_domain']}"
        for host in description["hosts"].values():
            host["podman_version"] = "5.6"
    return description


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("hosts", type=int)
    parser.add_argument("--separate", action="store_true", help="one network per three hosts")
    parser.add_argument("--variant", type=int, choices=(1, 2), default=1)
    parser.add_argument("--example", default=EXAMPLE)
    arguments = parser.parse_args()
    description = describe(
        arguments.hosts, arguments.separate, arguments.variant, arguments.example
    )
    json.dump(description, sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
