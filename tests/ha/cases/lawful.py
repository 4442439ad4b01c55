"""Lawful changes of the primary go through, in time, with the fix in place: a lost host, switchovers, an operator's failover."""

import time

from trial.account import settle
from trial.clients import Clients
from trial.cluster import FIXED, Cluster

# Above ttl: the race, the promotion and the client's next connection. A lost host here refuses connections at once.
AFTER_TTL = 2.5
# A planned change waits for nothing that runs out.
PLANNED = 10
ROUNDS = 2


def run(case):
    cluster = Cluster(case, FIXED)
    try:
        cluster.start()
        clients = Clients(cluster)
        clients.through(*cluster.members)
        time.sleep(1)
        for _ in range(ROUNDS):
            host_lost(cluster, clients)
        for _ in range(ROUNDS):
            planned(cluster, clients, "switchover", "--leader")
        planned(cluster, clients, "failover")
        settle(cluster, clients)
    finally:
        cluster.close()


def host_lost(cluster, clients, after_ttl=AFTER_TTL):
    """Every process of the primary's host is killed, and starts again once its successor is there."""
    case, old = cluster.case, cluster.wait_healthy()
    cluster.etcd.move_leader(cluster.members[-1].name)
    case.say(f"everything on {old.name} is killed")
    moment = time.time()
    old.cut_power()
    gap = first_row_after(cluster, clients, old, moment, cluster.ttl + 30)
    case.measure("lost host, gap in writes", gap, "s")
    case.expect(gap <= cluster.ttl + after_ttl, f"no row was acknowledged for {gap:.1f} s: more than ttl + {after_ttl} s")
    mended = time.monotonic()
    old.power_on()
    cluster.wait_healthy(120)
    case.measure("lost host, whole again after its start", time.monotonic() - mended, "s")


def planned(cluster, clients, verb, *leader, within=PLANNED):
    """An operator has another member lead."""
    case, old = cluster.case, cluster.wait_healthy()
    candidate = cluster.synchronous()
    case.say(f"{verb} from {old.name} to {candidate}")
    moment = time.time()
    said = old.patronictl(verb, *(word for option in leader for word in (option, old.name)), "--candidate", candidate, "--force", check=False)
    gap = first_row_after(cluster, clients, old, moment, 40, said)
    case.measure(f"{verb}, gap in writes", gap, "s")
    case.expect(gap <= within, f"no row was acknowledged for {gap:.1f} s: more than {within} s")
    primary = cluster.wait_healthy()
    case.expect(primary.name == candidate, f"{primary.name} leads after a {verb} to {candidate}: {said}")


def first_row_after(cluster, clients, old, moment, seconds, said=""):
    """Waits for a row that another member acknowledges, and returns the longest time without one."""
    others = [member for member in cluster.members if member is not old]
    what = f"another member than {old.name} acknowledges rows {said}".strip()
    cluster.case.wait_until(what, lambda: clients.acknowledged(*others, since=moment), seconds, every=0.05)
    return clients.gap(moment)
