"""Who may reach which port of whom on the overlay, read from the description in its own words. Nothing here comes from the generator.

A connection is allowed twice or not at all: its source may dial, and its target accepts.
"""

import collections
import dataclasses
import ipaddress

from . import description

_ETCD_CLIENT, _ETCD_PEER, _POSTGRES, _PATRONI_API, _STATISTICS = 2379, 2380, 5432, 8008, 7000
_PROXY = range(5432, 5435)
# No rule names it.
UNMENTIONED = 4444
_ALL_PORTS = range(0, 65536)


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A place on the overlay: a pod's, or a host's own, which has no pod. Its service listens on the ports that it serves."""

    hostname: str
    host: str
    pod: str | None
    groups: frozenset
    serves: frozenset = frozenset()


class Rights:
    """What the description allows; `addresses` are those that the lock gave away, by host name."""

    def __init__(self, described, addresses):
        self._described, self._addresses = described, addresses
        self._domain = described["networks"][description.NETWORK]["dns_domain"]
        self._may_dial, self._accepts = collections.defaultdict(list), collections.defaultdict(list)
        self._mentioned = {("tcp", port) for port in [_ETCD_CLIENT, _ETCD_PEER, _PATRONI_API, _STATISTICS, *_PROXY]}
        self._hosts = {host: self._host(host, entry) for host, entry in described["hosts"].items()}
        self._etcd = self._clustered("etcd_clusters", ["members"], "etcd-{}", "{}.{}-etcd", [_ETCD_CLIENT, _ETCD_PEER])
        self._patroni = self._clustered("patroni_clusters", ["members", "read_replicas"], "patroni-{}", "{}.{}", [_POSTGRES, _PATRONI_API])
        self._proxies = self._clustered("patroni_clusters", ["proxies"], "proxy-{}", "{}.{}-proxy", [*_PROXY, _STATISTICS])
        self._barman = {name: self._named("barman", name, entry, f"barman-{name}") for name, entry in described.get("barman_servers", {}).items()}
        self._exports = {(server, name): self._export(server, name) for server, entry in described.get("barman_servers", {}).items()
                         for name, export in entry.get("exports", {}).items() if "postgres" in export}
        self._pods = {name: self._named(name, name, entry) for name, entry in described.get("pods", {}).items()}
        services = [member for clusters in [self._etcd, self._patroni, self._proxies] for members in clusters.values() for member in members]
        self.endpoints = [*self._hosts.values(), *services, *self._barman.values(), *self._exports.values(), *self._pods.values()]
        self._services()
        self._written()

    @property
    def doors(self):
        """Every protocol and port that a rule names, and one port that none does."""
        return sorted(self._mentioned | {("tcp", UNMENTIONED), ("udp", UNMENTIONED), ("icmp", 0)})

    def may_dial(self, source, target, protocol, port):
        """Whether the source's own rules let it out."""
        return _has(self._may_dial[source, target], protocol, port)

    def accepts(self, source, target, protocol, port):
        """Whether the target's own rules let the source in."""
        return _has(self._accepts[source, target], protocol, port)

    # ------------------------------------------------------------------------------------------------ endpoints

    def _host(self, host, entry):
        own = entry["endpoints"][description.NETWORK]
        return Endpoint(own.get("hostname", f"{host}.{self._domain}"), host, None, frozenset(own.get("groups", [])))

    def _named(self, pod, name, entry, *own):
        return Endpoint(entry.get("hostname", f"{name}.{self._domain}"), entry["host"], pod, frozenset([*entry.get("groups", []), *own]))

    def _export(self, server, name):
        """The PostgreSQL of an export, on its Barman's host."""
        entry = self._described["barman_servers"][server]
        own = entry["exports"][name]["postgres"]
        hostname = own.get("hostname", f"{name}.{server}-export.{self._domain}")
        return Endpoint(hostname, entry["host"], f"postgres-{name}", frozenset(own.get("groups", [])), frozenset([_POSTGRES]))

    def _clustered(self, section, fields, pod, label, serves):
        """The endpoints of each cluster: a member is a host's name, or an object that says more. Each has its service's group: the pod's name."""
        found = {}
        for cluster, entry in self._described.get(section, {}).items():
            placed = [member if isinstance(member, dict) else {"host": member} for field in fields for member in entry.get(field, [])]
            found[cluster] = [
                Endpoint(member.get("hostname", f"{label.format(member['host'], cluster)}.{self._domain}"), member["host"], pod.format(cluster),
                         frozenset([*member.get("groups", []), pod.format(cluster)]), frozenset(serves))
                for member in placed
            ]
        return found

    # ---------------------------------------------------------------------------------------------------- rules

    def _services(self):
        """What comes by itself."""
        for members in self._etcd.values():
            self._connect(members, members, _ETCD_CLIENT, _ETCD_PEER)
        for name, cluster in self._described.get("patroni_clusters", {}).items():
            members, proxies = self._patroni[name], self._proxies[name]
            self._connect(members, self._etcd[cluster["etcd_cluster"]], _ETCD_CLIENT)
            self._connect(members, members, _POSTGRES, _PATRONI_API)
            self._connect(proxies, members, _POSTGRES, _PATRONI_API)
            # Who is let in by a group still needs a rule of its own to get out.
            self._grant(self._accepts, self._of_groups(cluster.get("client_groups", [])), proxies, *_PROXY, _STATISTICS)
            readers = self._of_groups(cluster.get("patroni_api_groups", []))
            self._grant(self._accepts, readers, members, _PATRONI_API)
            self._grant(self._accepts, readers, proxies, _STATISTICS)
        for name, server in self._described.get("barman_servers", {}).items():
            for source in server["sources"]:
                self._connect([self._barman[name]], self._proxy(source["cluster"], source.get("proxy", server["host"])), _POSTGRES)
        for (server, name), endpoint in self._exports.items():
            clients = self._described["barman_servers"][server]["exports"][name]["postgres"].get("client_groups", [])
            self._grant(self._accepts, self._of_groups(clients), [endpoint], _POSTGRES)
        for name, pod in self._described.get("pods", {}).items():
            for cluster in pod.get("uses", []):
                self._connect([self._pods[name]], self._proxy(cluster, pod["host"]), *_PROXY)
        for source in self.endpoints:
            for target in self.endpoints:
                for side in [self._may_dial, self._accepts]:
                    side[source, target].append(("icmp", _ALL_PORTS))

    def _written(self):
        """The rules that hosts' endpoints and pods have of their own."""
        for host, entry in self._described["hosts"].items():
            self._own_rules(self._hosts[host], entry["endpoints"][description.NETWORK].get("firewall", {}))
        for name, pod in self._described.get("pods", {}).items():
            self._own_rules(self._pods[name], pod.get("firewall", {}))

    def _own_rules(self, endpoint, firewall):
        for direction, rules in firewall.items():
            for rule in rules:
                protocol = rule.get("proto", "tcp")
                ports = _ports(rule["port"])
                if ports is not _ALL_PORTS:
                    self._mentioned |= {(each, port) for each in ["tcp", "udp"] if protocol in (each, "any") for port in ports}
                for peer in filter(lambda other: self._is_meant(rule, other), self.endpoints):
                    side, pair = (self._may_dial, (endpoint, peer)) if direction == "outbound" else (self._accepts, (peer, endpoint))
                    side[pair].append((protocol, ports))

    def _is_meant(self, rule, peer):
        if "group" in rule:
            return rule["group"] in peer.groups
        if "cidr" in rule:
            return ipaddress.ip_address(self._addresses[peer.hostname]) in ipaddress.ip_network(rule["cidr"])
        return rule["host"] in ("any", peer.hostname)

    def _proxy(self, cluster, host):
        return [proxy for proxy in self._proxies[cluster] if proxy.host == host]

    def _of_groups(self, groups):
        return [endpoint for endpoint in self.endpoints if endpoint.groups & set(groups)]

    def _connect(self, sources, targets, *ports):
        self._grant(self._may_dial, sources, targets, *ports)
        self._grant(self._accepts, sources, targets, *ports)

    @staticmethod
    def _grant(side, sources, targets, *ports):
        for source in sources:
            for target in targets:
                side[source, target].extend(("tcp", range(port, port + 1)) for port in ports)


def _ports(text):
    if text == "any":
        return _ALL_PORTS
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _has(rules, protocol, port):
    return any(named in (protocol, "any") and port in ports for named, ports in rules)
