"""Who reaches what, tried from inside every network namespace at once, with a live listener behind every port that no service listens on."""

import collections
import contextlib
import json
import subprocess
from typing import NamedTuple

from . import places, switch
from .host import Failed
from .rights import Rights

SWITCH = "the switch"

# What passes a pod's lock, though it be neither the overlay's nor Nebula's own. The hooks come after those of the lock.
_WATCH = """
add table inet lab_watch
delete table inet lab_watch
table inet lab_watch {{
    set left {{ type ipv4_addr . inet_proto; flags dynamic; size 4096; }}
    set left6 {{ type ipv6_addr . inet_proto; flags dynamic; size 4096; }}
    set entered {{ type ipv4_addr . inet_proto; flags dynamic; size 4096; }}
    set entered6 {{ type ipv6_addr . inet_proto; flags dynamic; size 4096; }}
    chain postrouting {{
        type filter hook postrouting priority 300;
        oifname {{ "lo", "nebula1" }} accept
        udp sport {port} accept
        add @left {{ ip daddr . meta l4proto }}
        add @left6 {{ ip6 daddr . meta l4proto }}
    }}
    chain input {{
        type filter hook input priority 300;
        iifname {{ "lo", "nebula1" }} accept
        udp dport {port} accept
        icmp type {{ destination-unreachable, time-exceeded }} accept
        add @entered {{ ip saddr . meta l4proto }}
        add @entered6 {{ ip6 saddr . meta l4proto }}
    }}
}}
"""


class Probe(NamedTuple):
    """One try: from an endpoint's namespace, or from beside the switch, to a port of an address; `target` says whose that is."""

    source: str
    target: str
    protocol: str
    address: str
    port: int

    def __str__(self):
        return f"{self.source} → {self.target}, {self.protocol} {self.port} of {self.address}"


class Reach:
    """The endpoints as they run now: their namespaces are looked up once."""

    def __init__(self, lab):
        self._lab = lab
        self._is_watched = False
        self.lock = lab.endpoints()
        self.rights = Rights(lab.description, {hostname: entry["address"] for hostname, entry in self.lock.items()})
        self.endpoints = {endpoint.hostname: endpoint for endpoint in self.rights.endpoints}
        looked_up = lab.everywhere(self._look_up)
        self._pids = {hostname: pid for pids, _ in looked_up.values() for hostname, pid in pids.items()}
        # The bridge's own address of IPv6, by host.
        self.link_local = {host: link_local for host, (_, link_local) in looked_up.items()}

    def on(self, host):
        """The endpoints of a host."""
        return [endpoint for endpoint in self.endpoints.values() if endpoint.host == host]

    def _look_up(self, host):
        pods = [endpoint for endpoint in self.on(host.name) if endpoint.pod]
        pids = host.output("podman", "inspect", "--format", "{{.State.Pid}}", *[f"{endpoint.pod}-infra" for endpoint in pods]).split()
        link_local = host.output("sh", "-c", "ip -6 -json address show dev $(podman network inspect underlay --format '{{.NetworkInterface}}') scope link")
        addresses = [address["local"] for device in json.loads(link_local) for address in device.get("addr_info", [])]
        return {endpoint.hostname: int(pid) for endpoint, pid in zip(pods, pids)}, addresses[0]

    # ------------------------------------------------------------------------------------- listeners and probes

    def _start(self, place, program):
        script = (places.LAB / "lab" / program).read_text()
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        if place == SWITCH:
            return switch.run(["python3", "-c", script], text=True, **options)
        return self._lab.hosts[place].start("python3", "-c", script, **options)

    def _request(self, sources, sockets):
        return json.dumps([{"pid": self._pids.get(source), "sockets": sockets[source]} for source in sources])

    def _places(self, names):
        by_place = collections.defaultdict(list)
        # Hosts first: who has entered a pod's namespace doesn't come back to the host's own.
        for name in sorted(names, key=lambda name: name in self._pids):
            by_place[self.endpoints[name].host if name in self.endpoints else SWITCH].append(name)
        return by_place

    @contextlib.contextmanager
    def listening(self):
        """Listens on every port of every endpoint and of the switch that no service of ours has, while the `with` block lasts."""
        sockets = {SWITCH: self._listeners(frozenset(), [switch.ADDRESS])}
        for endpoint in self.endpoints.values():
            own = self.lock[endpoint.hostname]
            at = [own["bridge_address"]] if endpoint.pod else [self._lab.hosts[endpoint.host].address, gateway(endpoint.host, self._lab.description)]
            sockets[endpoint.hostname] = self._listeners(endpoint.serves, [own["address"], *at])
        running = {}
        try:
            for place, names in self._places(sockets).items():
                running[place] = self._start(place, "listener.py")
                running[place].stdin.write(self._request(names, sockets) + "\n")
                running[place].stdin.flush()
            for place, listener in running.items():
                if listener.stdout.readline().strip() != "listening":
                    raise Failed(f"no listeners on {place}: {listener.stderr.read()[-500:]}")
            yield
        finally:
            for listener in running.values():
                listener.communicate(timeout=30)

    # One socket takes the connections of all addresses; of datagrams, each address has its own, so that answers leave from it.
    def _listeners(self, served, addresses):
        return [(protocol, address, port) for protocol, port in self.rights.doors if protocol != "icmp" and port not in served
                for address in (["::"] if protocol == "tcp" else addresses)]

    def probe(self, probes):
        """Tries all at once; returns the outcome of each: open, refused or closed."""
        sockets = collections.defaultdict(list)
        for each in probes:
            sockets[each.source].append(each)
        running = {}
        places_of = self._places(sockets)
        for place, names in places_of.items():
            running[place] = self._start(place, "prober.py")
            request = {name: [each[2:] for each in sockets[name]] for name in names}
            running[place].stdin.write(self._request(names, request))
            running[place].stdin.close()
        outcomes = {}
        for place, prober in running.items():
            answer = prober.stdout.read()
            if prober.wait(60):
                raise Failed(f"no probes from {place}: {prober.stderr.read()[-500:]}")
            for name, said in zip(places_of[place], json.loads(answer), strict=True):
                outcomes.update(zip(sockets[name], said, strict=True))
        return outcomes

    # ------------------------------------------------------------------------------------------------ past locks

    def watch(self):
        """From here on, what passes a pod's lock in either direction is written down in the pod's own namespace."""
        def begin(host):
            for hostname, pid in self._pids_on(host):
                host.run("nsenter", "--target", pid, "--net", "nft", "-f", "-", input=_WATCH.format(port=self.lock[hostname]["port"]))

        self._lab.everywhere(begin)
        self._is_watched = True

    def passed(self):
        """What passed a lock since `watch`, in words."""
        if not self._is_watched:
            return []

        def read(host):
            found = []
            for hostname, pid in self._pids_on(host):
                table = json.loads(host.output("nsenter", "--target", pid, "--net", "nft", "-j", "list", "table", "inet", "lab_watch"))
                for each in (item["set"] for item in table["nftables"] if "set" in item):
                    for element in each.get("elem", []):
                        address, protocol = element["concat"]
                        way = "let out to" if each["name"].startswith("left") else "let in from"
                        found.append(f"{hostname}: {protocol} {way} {address}")
            return found

        return [line for lines in self._lab.everywhere(read).values() for line in lines]

    def _pids_on(self, host):
        return [(hostname, pid) for hostname, pid in self._pids.items() if self.endpoints[hostname].host == host.name]

    def in_pods(self, *argv):
        """Runs a program of the host in each pod's network namespace."""
        self._lab.everywhere(lambda host: [host.run("nsenter", "--target", pid, "--net", *argv) for _, pid in self._pids_on(host)])


def gateway(host, described):
    """The host's own address on the bridge of its pods."""
    return described["hosts"][host].get("underlay_subnet", "172.30.200.0/24").partition("/")[0].rpartition(".")[0] + ".1"

