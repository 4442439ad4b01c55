"""Each host in turn is shut down and started again under a write load: it comes back whole with no hand on it."""

import time


def run(lab):
    for name, host in lab.hosts.items():
        client = next(other for other in ["db3", "db1"] if other != name)
        role = "the primary's" if lab.leader() == name else "a replica's"
        with lab.load(client) as load:
            time.sleep(3)
            load.mark()
            start = time.monotonic()
            host.shut_down()
            lab.measure(f"shutdown of {role} host", time.monotonic() - start, "s")
            time.sleep(3)
            start = time.monotonic()
            host.boot()
            host.wait()
            lab.wait_healthy()
            lab.measure(f"{role} host: start to healthy cluster", time.monotonic() - start, "s")
        lab.wait_whole(name)
        lab.expect(load.account.lost == 0, f"{load.account.lost} acknowledged rows are gone")
        lab.measure(f"{role} host: gap in writes", load.account.gap, "s")
        lab.expect(load.account.gap < 30, f"writes paused for {load.account.gap:.1f} s when {name} was shut down")
