"""How long writes pause, by `timing`, with three candidates: primaries and standbys whose hosts lose their power, and primaries whose parts freeze."""

import random
import statistics
import time

from campaign import faults, verdict
from campaign.load import Load
from campaign.rounds import roles
from lab import places, platform

FULL_COUNT = 20
# Worst and mean, in seconds, of 20 cuts of the primary's power.
GOALS = {"fast": (12.5, 11), "steady": (22.5, 17.5)}
STANDBY_GOAL = 1.0
_FROZEN = {"Patroni": "freeze: Patroni", "PostgreSQL": "freeze: PostgreSQL, all", "the container": "freeze of the Patroni container", "the host": "freeze of a host"}
# Seconds for which an old primary stays frozen: its successor writes before the thaw.
_FREEZE = 20


class Platform(platform.ThreeCandidates):
    """Hosts that count their trials."""

    number = 0


def run(lab):
    count = FULL_COUNT if lab.is_full else 1
    rows = []
    for timing in GOALS:
        set_timing(lab, timing)
        rows.append((f"{timing}: the primary's host loses its power", *zip(*[lost(lab, "primary") for _ in range(count)])))
        table(lab, rows)
        if timing == "steady":
            rows.append((f"{timing}: a standby's host loses its power", *zip(*[lost(lab, "standby") for _ in range(count)])))
            table(lab, rows)
        # The fence's margin is the same for each timing.
        for what, kind in _FROZEN.items() if timing == "fast" else ():
            rows.append((f"{timing}: {what} of the primary freezes", *zip(*[frozen(lab, kind) for _ in range(max(1, count // len(_FROZEN)))])))
            table(lab, rows)
    for what, gaps, *_ in rows:
        goal = GOALS.get(what.partition(":")[0]) if "the primary's host" in what else (STANDBY_GOAL, STANDBY_GOAL) if "standby" in what else None
        if goal and lab.is_full:
            lab.expect(max(gaps) <= goal[0] and statistics.mean(gaps) <= goal[1], f"{what}: worst {max(gaps):.1f} s, mean {statistics.mean(gaps):.1f} s")


def set_timing(lab, timing):
    lab.cluster["timing"] = timing
    lab.apply()
    lab.wait_healthy()


def table(lab, rows):
    """Markdown: each kind of fault with its figures."""
    lines = ["| what | times | gap in writes: mean / worst | single gaps | back and streaming: median / worst | overlap of two primaries: worst, rows | rows lost |", "|---|---|---|---|---|---|---|"]
    for what, gaps, healed, overlaps, lost_rows in rows:
        worst = max(overlaps, key=lambda each: each[0])
        lines.append(f"| {what} | {len(gaps)} | {statistics.mean(gaps):.1f} / {max(gaps):.1f} s | {' '.join(f'{gap:.1f}' for gap in gaps)} "
                     f"| {verdict.median_and_worst(healed)} | {worst[0]:.3f} s, {sum(each[1] for each in overlaps)} | {sum(lost_rows)} |")
    lab.table = "\n".join(lines) + "\n"
    print(lab.table, flush=True)


class Trial:
    """A load around one fault, and what came of it."""

    def __init__(self, lab):
        lab.wait_healthy()
        # The keeper has moved etcd's leader by then, and the fault comes at any moment of Patroni's loop.
        time.sleep(12 + random.uniform(0, 10))
        lab.number += 1
        self.lab, self.table = lab, f"figures_{lab.number}"
        self.directory = places.RUN / f"figures-{lab.number}"
        self.directory.mkdir()
        lab.sql("db3", f"drop table if exists {self.table}; create table {self.table} (source text, n bigint, mode text, at timestamptz default clock_timestamp(), primary key (source, n))")
        self.load = Load(lab, self.table, self.directory)

    def __enter__(self):
        self.load.__enter__()
        self.lab.wait_until("every proxy takes writes", lambda: {f"proxy-{host}-on" for host in self.lab.hosts} <= {row.source for row in self.load.rows()}, 60)
        time.sleep(3)
        self.moment = time.time()
        return self

    def __exit__(self, *_):
        self.load.__exit__()

    def figures(self, healed, but=None):
        """Gap, time of healing, worst overlap and its rows, lost rows of the modes that wait. Whoever writes through the lost host's own proxy waits for that host."""
        rows = self.load.rows()
        others = [row for row in rows if not row.source.startswith(f"proxy-{but}-")]
        gap = verdict.gap(others, self.moment, max(row.acknowledged for row in others))
        overlaps = verdict.overlaps(rows)
        answer = self.lab.on_member(self.lab.leader(), f"select source, n from {self.table}", database="app")
        present = {(source, int(number)) for source, number in (line.split("|") for line in answer.splitlines())}
        lost_rows = [row for row in rows if row.mode in verdict.SAFE and row.key not in present]
        worst = max((each.seconds for each in overlaps), default=0.0)
        count = sum(sum(each.rows.values()) for each in overlaps)
        self.lab.expect(not lost_rows, f"{len(lost_rows)} acknowledged rows are gone")
        self.lab.sql("db3", f"drop table {self.table}")
        print(f"     gap {gap:.1f} s, healed {healed:.1f} s, overlap {worst:.3f} s, {count} rows", flush=True)
        return gap, healed, (worst, count), len(lost_rows)


def lost(lab, role):
    """A host loses its power, and gets it back when writes go on."""
    with Trial(lab) as trial:
        name = roles(lab)[role]
        trial.moment = time.time()
        lab.hosts[name].cut_power()
        time.sleep(26 if role == "primary" else 20)
        lab.hosts[name].boot()
        start = time.monotonic()
        lab.hosts[name].wait()
        lab.wait_until("Patroni runs again", lambda: lab.hosts[name].run("systemctl", "is-active", "patroni-app-main.service", check=False).returncode == 0, 120)
        start = time.monotonic()
        lab.wait_healthy()
        healed = time.monotonic() - start
    return trial.figures(healed, name)


def frozen(lab, kind):
    """Something of the primary stands still, for longer than its lock lives."""
    with Trial(lab) as trial:
        name = roles(lab)["primary"]
        fault = faults.KINDS[kind](lab, name, random.Random(lab.number))
        trial.moment = time.time()
        fault.begin()
        time.sleep(_FREEZE)
        fault.end()
        start = time.monotonic()
        lab.wait_healthy()
        healed = time.monotonic() - start
        time.sleep(3)
    return trial.figures(healed, name)
