"""The primary's host loses its power under a write load: writes resume by themselves, no acknowledged row is lost, the host comes back."""

import time


def run(lab):
    for _ in range(5 if lab.is_full else 1):
        leader = lab.leader()
        with lab.load("db3") as load:
            time.sleep(5)
            load.mark()
            lab.hosts[leader].cut_power()
            lab.wait_until("another primary", lambda: lab.leader() != leader, 60)
            time.sleep(8)
        account = load.account
        lab.expect(account.lost == 0, f"{account.lost} of {account.acknowledged} acknowledged rows are gone")
        lab.expect(account.gap < 60, f"writes paused for {account.gap:.1f} s")
        lab.measure("gap in writes", account.gap, "s")
        lab.measure("rows acknowledged", account.acknowledged, "")
        lab.measure("rows lost", account.lost, "")
        start = time.monotonic()
        lab.hosts[leader].boot()
        lab.hosts[leader].wait()
        lab.wait_healthy()
        lab.measure("power on to healthy cluster", time.monotonic() - start, "s")
        lab.wait_whole(leader)
