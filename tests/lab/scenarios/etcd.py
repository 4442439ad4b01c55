"""etcd members go one by one: writes go on without one, the primary serves on without two, and two lost hosts leave a read-only rest that heals."""

import time

_WHO = "select inet_server_addr(), pg_is_in_recovery()"


def _stop(lab, host):
    lab.hosts[host].run("systemctl", "stop", "etcd-main-pod.service")


def _start(lab, host):
    lab.hosts[host].run("systemctl", "start", "etcd-main-pod.service")


def run(lab):
    leader = lab.leader()
    primary = lab.sql(leader, _WHO)
    others = [name for name in lab.hosts if name != leader]

    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        _stop(lab, others[0])
        time.sleep(15)
    lab.measure("one member lost: gap in writes", load.account.gap, "s")
    lab.expect(load.account.lost == 0 and load.account.gap < 5, f"one member lost: {load.account}")

    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        _stop(lab, others[1])
        time.sleep(45)
    lab.measure("two members lost: gap in writes (failsafe)", load.account.gap, "s")
    lab.expect(load.account.lost == 0 and load.account.gap < 5, f"two members lost: {load.account}")
    lab.expect(lab.sql("db3", _WHO) == primary, "the primary changed without a quorum")
    for host in others:
        _start(lab, host)
    lab.wait_healthy()

    # Nobody is left who could say that the primary is the only one: it must not go on writing.
    for host in others:
        lab.hosts[host].cut_power()
    start = time.monotonic()
    lab.wait_until("what is left is read-only", lambda: lab.on_member(leader, "select pg_is_in_recovery()", check=False) == "t", 90)
    lab.measure("two hosts lost: read-only after", time.monotonic() - start, "s")
    for host in others:
        lab.hosts[host].boot()
    for host in others:
        lab.hosts[host].wait()
    start = time.monotonic()
    lab.wait_healthy()
    lab.measure("two hosts back: healthy after", time.monotonic() - start, "s")
