"""A host loses its power under a write load, the primary's and then the synchronous standby's: writes resume by themselves, no acknowledged row is lost, the host comes back."""

import time


def run(lab):
    for _ in range(5 if lab.is_full else 1):
        primary(lab)
    standby(lab)


def primary(lab):
    leader = lab.leader()
    with lab.load("db3") as load:
        time.sleep(5)
        load.mark()
        lab.hosts[leader].cut_power()
        lab.wait_until("another primary", lambda: lab.leader() != leader, 60)
        time.sleep(8)
    judge(lab, load.account, "gap in writes", 60)
    lab.measure("rows acknowledged", load.account.acknowledged, "")
    lab.measure("rows lost", load.account.lost, "")
    start = time.monotonic()
    power_on(lab, leader)
    lab.measure("power on to healthy cluster", time.monotonic() - start, "s")
    lab.wait_whole(leader)


def standby(lab):
    """Commits wait for it until the primary gives it up; when it is back they don't wait again."""
    lost = next(host for host, member in lab.members().items() if member["role"] == "sync_standby")
    with lab.load("db3") as load:
        time.sleep(3)
        load.mark()
        lab.hosts[lost].cut_power()
        time.sleep(20)
        power_on(lab, lost)
    judge(lab, load.account, "synchronous standby lost: gap in writes", 20)
    lab.wait_whole(lost)


def power_on(lab, name):
    lab.hosts[name].boot()
    lab.hosts[name].wait()
    lab.wait_healthy()


def judge(lab, account, what, longest):
    lab.measure(what, account.gap, "s")
    lab.expect(account.lost == 0, f"{account.lost} of {account.acknowledged} acknowledged rows are gone")
    lab.expect(account.gap < longest, f"writes paused for {account.gap:.1f} s")
