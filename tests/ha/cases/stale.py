"""An old primary comes back while its successor's lock has just run out: the first fault by a cable, or by a frozen Patroni.

Patroni renews its lock by "put my lease on the key that holds my name", and makes the key where it is absent. An old primary that still believes
in its lock takes it so without a race, and rows of its successor are lost.
"""

import time

from trial import rendered
from trial.account import Account, missing, settle
from trial.clients import Clients
from trial.cluster import FIXED, PATRONI, STOCK, UNFENCED, Cluster

# How long the successor stands still after the old primary is back.
STALL = 12
SETTLE = 15
# Generous: this case is about rows.
WHOLE = 150


def cable_with(case):
    """The cable of the primary's host is out for a while; with the fix."""
    _with_fix(case, FIXED, _cable_out, _cable_in, "")


def freeze_with(case):
    """Patroni of the primary, and process 1 above it, freeze for a while; with the fix. The fence ends the old primary when it thaws."""
    _with_fix(case, FIXED, _frozen, _thawed, "start.py: fence: the leader's lock was not renewed in time")


def unfenced_with(case):
    """The same freeze with the cure of renewing alone."""
    _with_fix(case, UNFENCED, _frozen, _thawed, "there is no fence")


def cable_without(case):
    """The same cable without the fix. Returns the rows that were lost."""
    return _without_fix(case, _cable_out, _cable_in)


def freeze_without(case):
    """The same freeze without the fix. Returns the rows that were lost."""
    return _without_fix(case, _frozen, _thawed)


def _with_fix(case, kind, break_it, mend_it, words):
    """Nothing is lost, and the successor leads. The old primary's start program has said the words, so what is tried was at work."""
    cluster = Cluster(case, kind)
    try:
        clients, successor = _two_faults(cluster, break_it, mend_it)
        said = cluster.members[0].patroni.logged()
        case.expect(words in said and "without the cure" not in said, f"the start program did not say: {words}")
        lost = missing(clients, case.wait_until("a primary", cluster.primary, WHOLE))
        case.expect(not lost, f"{lost} acknowledged rows are lost; {cluster.describe()}")
        primary = cluster.wait_healthy(WHOLE)
        case.expect(primary is successor, f"{primary.name} leads, not {successor.name}")
        clients.through(*cluster.members)
        time.sleep(2)
        settle(cluster, clients)
    finally:
        cluster.close()


def _without_fix(case, break_it, mend_it):
    cluster = Cluster(case, STOCK)
    try:
        clients, _ = _two_faults(cluster, break_it, mend_it)
        primary = case.wait_until("a primary", cluster.primary, 60)
        clients.end()
        account = Account(cluster, clients, primary)
        case.say(str(account))
        case.measure("acknowledged rows", account.acknowledged)
        case.measure("of them lost", account.lost_on_primary)
        silent = [name for name in account.other if cluster[name].is_streaming()]
        case.measure("standbys that stream, but hold other rows", len(silent))
        return account.lost_on_primary
    finally:
        cluster.close()


def _two_faults(cluster, break_it, mend_it):
    """Both faults, one within the other. Returns the clients, who write no more, and the successor."""
    case = cluster.case
    cluster.start()
    old, second, third = cluster.members
    clients = Clients(cluster)
    clients.through(old)
    time.sleep(2)
    case.say(f"1. {break_it(old)} ({clients.acknowledged()} rows acknowledged)")
    broken = time.monotonic()
    clients.through()
    case.wait_until("a successor", second.is_primary, cluster.ttl + 20)
    case.measure("successor after", time.monotonic() - broken, "s")
    clients.through(second)
    case.wait_until("the successor acknowledges rows", lambda: clients.acknowledged(second) >= 100, 20)
    clients.through()
    time.sleep(0.3)
    case.say(f"2. Patroni of {second.name} stands still, {clients.acknowledged(second)} rows acknowledged through it")
    case.expect(second.patroni.freeze(PATRONI), f"no Patroni on {second.name}")
    case.wait_until("its lock has run out", lambda: cluster.etcd.key("leader", through=third.name) is None, cluster.ttl + 15)
    case.say(f"3. its lock has run out; {mend_it(old)}")
    mended = time.monotonic()
    seen = False
    while time.monotonic() - mended < STALL:
        if not seen and cluster.etcd.key("leader") == old.name and old.is_primary():
            seen = True
            case.say(f"   {old.name} leads again, {time.monotonic() - mended:.1f} s later")
        time.sleep(0.3)
    second.patroni.thaw()
    case.say(f"4. Patroni of {second.name} goes on")
    time.sleep(SETTLE)
    return clients, second


def _cable_out(member):
    member.host.set_cable(False)
    return f"the cable of {member.name} is out"


def _cable_in(member):
    member.host.set_cable(True)
    return f"the cable of {member.name} is back"


def _frozen(member):
    """Patroni stops in the middle of its round: it has read who leads, and before it renews its lock it waits for an answer of PostgreSQL.
    At another moment it is chance whether it goes on with what it read or reads anew.
    """
    backend = member.query("select pid from pg_stat_activity where application_name = 'Patroni heartbeat'")[0][0]
    with member.patroni.frozen(backend):
        time.sleep(rendered.dynamic()["loop_wait"] + 1)
        member.patroni.freeze(PATRONI)
    return f"Patroni of {member.name} freezes, PostgreSQL goes on"


def _thawed(member):
    member.patroni.thaw()
    return f"Patroni of {member.name} goes on"
