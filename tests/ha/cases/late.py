"""A standby decides that it may lead, and stands still before it takes the lock. Meanwhile the old primary leads again and acknowledges rows that the
standby does not get. Its decision must not count any more when it goes on and finds no lock: Patroni takes a lock that is absent, whatever happened since.
"""

import time

from trial.account import Account, missing, settle
from trial.clients import Clients
from trial.cluster import FIXED, STOCK, Cluster

# The race asks each member, and waits two seconds for one that is cut off.
INTO_THE_RACE = 1.0
STALL = 15
WHOLE = 150


def with_(case):
    cluster = Cluster(case, FIXED)
    try:
        clients = decide_late(cluster)
        first, second, _ = cluster.members
        case.expect("who may lead has changed" in second.patroni.logged(), f"{second.name} did not take the lock late: nothing was tested; {cluster.describe()}")
        first.host.set_cable(True)
        primary = cluster.wait_healthy(WHOLE)
        lost = missing(clients, primary)
        case.expect(not lost, f"{lost} acknowledged rows are lost; {cluster.describe()}")
        clients.through(*cluster.members)
        time.sleep(2)
        settle(cluster, clients)
    finally:
        cluster.close()


def without(case):
    """Returns the rows that were lost."""
    cluster = Cluster(case, STOCK)
    try:
        clients = decide_late(cluster)
        cluster.members[0].host.set_cable(True)
        primary = case.wait_until("a primary", cluster.primary, 60)
        clients.end()
        account = Account(cluster, clients, primary)
        case.say(str(account))
        case.measure("acknowledged rows", account.acknowledged)
        case.measure("of them lost", account.lost_on_primary)
        return account.lost_on_primary
    finally:
        cluster.close()


def decide_late(cluster):
    """The faults, up to where the standby has gone on. Returns the clients, who write no more."""
    case = cluster.case
    cluster.start()
    first, second, third = cluster.members
    clients = Clients(cluster)
    clients.through(first)
    time.sleep(2)
    case.say(f"1. the cable of {first.name} is out ({clients.acknowledged()} rows acknowledged)")
    first.host.set_cable(False)
    clients.through()
    without_lock(cluster)
    time.sleep(INTO_THE_RACE)
    second.patroni.freeze()
    case.expect(cluster.etcd.key("leader", through=third.name) is None, f"{second.name} was faster")
    case.say(f"2. everything of {second.name} stands still in the race; the cable of {first.name} is back")
    first.host.set_cable(True)
    case.wait_until(f"{first.name} leads again", first.is_primary, cluster.ttl + 20)
    before = clients.acknowledged()
    clients.through(first)
    case.wait_until(f"{first.name} acknowledges rows", lambda: clients.acknowledged() >= before + 100, 40)
    clients.through()
    time.sleep(0.3)
    case.say(f"3. {clients.acknowledged() - before} rows acknowledged; the cable of {first.name} is out again")
    first.host.set_cable(False)
    without_lock(cluster)
    second.patroni.thaw()
    case.say(f"4. {second.name} goes on")
    began = time.monotonic()
    while time.monotonic() - began < STALL:
        if second.is_primary():
            case.say(f"   {second.name} leads, {time.monotonic() - began:.1f} s later")
            break
        time.sleep(0.3)
    return clients


def without_lock(cluster):
    third = cluster.members[-1]
    cluster.case.wait_until("the lock has run out", lambda: cluster.etcd.key("leader", through=third.name) is None, cluster.ttl + 15, every=0.05)
