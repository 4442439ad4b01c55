"""Every endpoint reaches exactly those ports of the others that the description allows; of a pod's traffic nothing passes but the overlay.

A probe that must fail has a live listener behind it, which answers in its own place, and succeeds once the rule in its way is taken away. Each side of a
connection is shown to be closed by itself: with the other side's rules opened.
"""

import contextlib
import json
import re
import subprocess
import time

from lab import description, places, switch
from lab.reach import SWITCH, Probe, Reach, gateway

from .change import containers

_CONFIGS = "/etc/containerops/nebula/networks/internal/endpoint/*/config.yml"
# In the order in which rounds take them: what one round disturbs on three hosts is of three kinds, so that no service loses two members at once.
_KINDS = ["client", "proxy", "etcd", "patroni", ""]


def run(lab):
    start, began = time.monotonic(), time.time()
    counts = check(lab)
    lab.measure("all pairs probed, listeners and all", time.monotonic() - start, "s")
    for what, count in counts.items():
        lab.measure(what, count, "")
    open_one_side(lab)
    nobody_was_mistaken(lab, began)
    take_locks_away(lab)
    locked = time.time()
    start_without_lock(lab)
    disturb(lab)
    # What was heard from the bridge meanwhile goes on being found there, at the same ports.
    nobody_was_mistaken(lab, locked, {endpoint["port"] for endpoint in lab.endpoints().values()})


# ------------------------------------------------------------------------------------------------------- probes


def check(lab, dialing=False, accepting=False, locked=True, outside=False):
    """Tries everything and fails at the first that isn't as described. With `dialing`, all rules of what goes out are open, with `accepting` those of
    what comes in; without `locked`, pods have no lock; with `outside`, from beside the switch as well."""
    reach = Reach(lab)
    wanted = {**on_overlay(reach, dialing, accepting), **past_locks(lab, reach, not locked)}
    with reach.listening():
        if locked:
            reach.watch()
        expect(lab, reach, wanted)
        for host in lab.hosts if outside else []:
            from_switch = seen_from_switch(lab, reach, host, not locked)
            with route_through(lab, host):
                expect(lab, reach, from_switch)
        passed = reach.passed()
        lab.expect(not passed, "pods' locks were passed:\n" + "\n".join(passed))
    pairs = {probe: is_open for probe, is_open in wanted.items() if probe.source in reach.endpoints and probe.target in reach.endpoints}
    return {"ports probed between endpoints": len(pairs), "of them open": sum(pairs.values()), "ports probed past locks": len(wanted) - len(pairs)}


def expect(lab, reach, wanted, seconds=60):
    """Tries all of these until what must be open is. What must not be and is, even once, is a failure."""
    end = time.monotonic() + seconds
    while True:
        outcomes = reach.probe(wanted)
        # Whoever refuses was reached.
        open_wrongly = [probe for probe, is_open in wanted.items() if not is_open and outcomes[probe] != "closed"]
        lab.expect(not open_wrongly, lambda: reached(reach, open_wrongly, outcomes))
        missing = [f"{probe}: {outcomes[probe]}" for probe, is_open in wanted.items() if is_open and outcomes[probe] != "open"]
        if not missing:
            return
        lab.expect(time.monotonic() < end, f"not reachable, {len(missing)} in all:\n" + "\n".join(missing[:20]))


def reached(reach, probes, outcomes):
    """What there is to say of those that must be closed and aren't: what each met, whether it meets that again, and what passed a lock meanwhile."""
    again = reach.probe(probes[:20])
    lines = [f"{probe}: {outcomes[probe]}, then {said}" for probe, said in again.items()]
    return "\n".join([f"reachable against the description, {len(probes)} in all:", *lines, "past locks:", *(reach.passed() or ["nothing"])])


def on_overlay(reach, dialing, accepting):
    """Every port of every endpoint from every endpoint. Each reaches itself, past every rule: so its listeners live."""
    wanted = {}
    for source in reach.endpoints.values():
        for target in reach.endpoints.values():
            for door in reach.rights.doors:
                allowed = (dialing or reach.rights.may_dial(source, target, *door)) and (accepting or reach.rights.accepts(source, target, *door))
                wanted[_probe(source.hostname, target.hostname, reach.lock[target.hostname]["address"], door)] = source is target or allowed
    return wanted


def past_locks(lab, reach, is_open):
    """Every way around the overlay: out of each pod to what lies beside the switch, to the hosts and to the bridge, IPv6 as well; and into it."""
    wanted = {}
    for endpoint in reach.endpoints.values():
        neighbours = [(other.hostname, reach.lock[other.hostname]["bridge_address"]) for other in reach.on(endpoint.host) if other.pod and other != endpoint]
        targets = neighbours
        if endpoint.pod:
            outside = [(f"host {name}", host.address) for name, host in lab.hosts.items()]
            bridge = [("its bridge", gateway(endpoint.host, lab.description)), ("its bridge", f"{reach.link_local[endpoint.host]}%eth0")]
            targets = [(SWITCH, switch.ADDRESS), *outside, *bridge, *neighbours]
        for target, address in targets:
            wanted |= {_probe(endpoint.hostname, f"{target}, around the overlay", address, door): is_open
                       for door in reach.rights.doors if door[0] != "udp" or ":" not in address}
    return wanted


def seen_from_switch(lab, reach, host, is_open):
    """What a machine on the hosts' network reaches of a host's pods, and of what the host has on the overlay."""
    wanted = {}
    for endpoint in reach.on(host):
        own = reach.lock[endpoint.hostname]
        at = ["bridge_address", "address"] if endpoint.pod else ["address"]
        # No way leads from there to a pod's overlay address, whatever is open.
        for address in at[:1] if is_open else at:
            wanted |= {_probe(SWITCH, endpoint.hostname, own[address], door): is_open for door in reach.rights.doors}
    return wanted


def _probe(source, target, address, door):
    protocol, port = door
    return Probe(source, target, protocol, address, port)


@contextlib.contextmanager
def route_through(lab, host):
    """While the `with` block lasts, machines beside the switch send what goes to the overlay or to a bridge to this host."""
    bridge = gateway(host, lab.description).rpartition(".")[0] + ".0/24"
    networks = [bridge, lab.description["networks"][description.NETWORK]["cidr"]]
    for network in networks:
        switch.run(["ip", "route", "replace", network, "via", lab.hosts[host].address]).wait()
    try:
        yield
    finally:
        for network in networks:
            switch.run(["ip", "route", "del", network]).wait()


# ----------------------------------------------------------------------------------------------------- controls


def open_one_side(lab):
    """With one side of every Nebula open, the other decides alone; with both open, everything reaches everything. `activate` closes them again."""
    def opened(*sides):
        script = """
            for side; do
                sed -i "/^  $side:\\$/,/^  [a-z]*:\\$/ { /^  - /d; /^    /d }; /^  $side:\\$/a\\\\  - {port: any, proto: any, host: any}" """ + _CONFIGS + """
            done
            systemctl reload '*-nebula.service' 'host-*.service'"""
        lab.everywhere(lambda host: host.run("sh", "-c", script, "sh", *sides))

    def closed():
        lab.everywhere(lambda host: lab.activate(host.name))

    opened("inbound")
    check(lab, accepting=True)
    closed()
    opened("outbound")
    check(lab, dialing=True)
    opened("inbound")
    check(lab, dialing=True, accepting=True)
    closed()


def take_locks_away(lab):
    """Without their locks, pods reach what lies outside and are reached from there; with them, neither."""
    check(lab, outside=True)
    Reach(lab).in_pods("nft", "delete", "table", "inet", "containerops_egress")
    lab.everywhere(lambda host: host.run("nft", "delete", "table", "inet", "containerops_underlay"))
    try:
        check(lab, locked=False, outside=True)
    finally:
        lab.everywhere(lambda host: host.run("systemctl", "reload", "containerops-underlay.service", "*-pod.service"))
    check(lab, outside=True)


def start_without_lock(lab):
    """`stranger` calls out from its first moment on, and is heard when its pod's unit loads no lock; never when it does."""
    host, drop_in = lab.hosts["db1"], "/run/systemd/system/stranger-pod.service.d/lab.conf"
    host.write(drop_in, "[Service]\nExecStartPost=\n")
    try:
        host.run("systemctl", "daemon-reload")
        lab.expect(heard_at_start(lab) == ["stranger"], "`stranger` was not heard without its lock: nothing is tested")
    finally:
        host.run("rm", drop_in)
        host.run("systemctl", "daemon-reload")
    for _ in range(10 if lab.is_full else 2):
        lab.expect(heard_at_start(lab) == [], "`stranger` was heard before its lock was loaded")


def heard_at_start(lab):
    """What is heard beside the switch while `stranger` starts."""
    host = lab.hosts["db1"]
    ear = switch.run(["python3", places.LAB / "lab/listener.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    ear.stdin.write(json.dumps([{"pid": None, "sockets": [("udp", switch.ADDRESS, description.CALLED)]}]) + "\n")
    ear.stdin.flush()
    lab.expect(ear.stdout.readline().strip() == "listening", "nobody listens beside the switch")
    host.run("systemctl", "restart", "stranger-pod.service")
    lab.wait_until("`stranger` called", lambda: "bash" not in host.output("podman", "top", "stranger-main", "comm"), 60)
    return json.loads(ear.communicate()[0])


# ------------------------------------------------------------------------------------------------- disturbances


def disturb(lab):
    """Pods of three kinds at once, one on each host, are restarted and killed in every part; each time all is as described once they are back."""
    reach = Reach(lab)
    for number in range(len(_KINDS) if lab.is_full else 1):
        kinds = {host: _KINDS[(number + position) % len(_KINDS)] for position, host in enumerate(lab.hosts)}
        pods = {it.host: it.pod for it in reach.endpoints.values() if it.pod and _kind(it.pod) == kinds[it.host]}
        for what in ["restart", "kill"]:
            for part in ["main", "nebula", "infra"]:
                lab.everywhere(lambda host: disturb_one(lab, host, pods[host.name], what, part), pods)
                check(lab)
        lab.wait_healthy()


def disturb_one(lab, host, pod, what, part):
    """Restarts or kills a part of a pod, and waits until all of its containers run again."""
    before = _containers(lab, host.name, pod)
    if what == "restart":
        host.run("systemctl", "restart", f"{pod}-{'pod' if part == 'infra' else part}.service")
    else:
        host.run("kill", "-KILL", host.output("podman", "inspect", "--format", "{{.State.Pid}}", f"{pod}-{part}"))

    def is_back():
        now = _containers(lab, host.name, pod)
        return now.keys() == before.keys() and now[f"{pod}-{part}"] != before[f"{pod}-{part}"]

    lab.wait_until(f"{pod} on {host.name} is back after {what} of {part}", is_back, 120)


def _kind(pod):
    return next(kind for kind in _KINDS if pod.startswith(kind))


def _containers(lab, host, pod):
    return {name: start for name, start in containers(lab, host).items() if name.startswith(f"{pod}-")}


def nobody_was_mistaken(lab, since, known=()):
    """No endpoint was looked for where another is: that one takes the caller's tunnel for its own, and its answers are lost for seconds. And none was
    heard from anywhere but its own place, or from `known` ports: what else a host's NAT makes of it is forgotten after two quiet minutes, and then
    nothing leads there."""
    for host in lab.hosts.values():
        said = host.output("journalctl", "--no-pager", "--quiet", f"--since=@{since:.0f}", "--grep", "Incorrect host responded|Host roamed", check=False)
        odd = [line for line in said.splitlines() if not ((at := re.search(r'newAddr="[\d.]+:(\d+)"', line)) and int(at[1]) in known)]
        lab.expect(not odd, f"{host.name}: " + "\n".join(odd))
