"""What a log of acknowledged rows and the tables of the members say about a round. Nothing here knows a host."""

import collections
import dataclasses
import statistics

# Who commits in these modes has been told that another member has the row.
SAFE = {"on", "remote_apply"}
# A frozen host that goes on may acknowledge what waits for no standby until its fence has noticed, not longer.
THAW = 1.0
HEALED_WITHIN = 60


@dataclasses.dataclass(frozen=True)
class Row:
    """An acknowledged row: who wrote it as which of his, in which mode, when by the server's clock, when the answer was there, on which member and timeline."""

    source: str
    number: int
    mode: str
    at: float
    acknowledged: float
    member: str
    timeline: int

    @property
    def key(self):
        """What finds the row in the table."""
        return self.source, self.number

    @classmethod
    def read(cls, line, hosts):
        """Reads a line of the log; `hosts` gives the member's name by its address."""
        source, number, mode, at, acknowledged, address, timeline = line.split("\t")
        return cls(source, int(number), mode, float(at), float(acknowledged), hosts.get(address, address), int(timeline, 16))


@dataclasses.dataclass(frozen=True)
class Overlap:
    """What an earlier primary acknowledged after the first row of a later one: its first such row came `after` so many seconds, its last `seconds` later.
    Between them a frozen primary is none."""

    earlier: str
    later: str
    after: float
    seconds: float
    rows: dict

    def __str__(self):
        rows = ", ".join(f"{count} {mode}" for mode, count in sorted(self.rows.items()))
        return f"{self.earlier} and {self.later} for {self.seconds:.3f} s ({rows}), {self.after:.3f} s after the later one's first row"


def by_mode(rows):
    """How many of them there are in each mode."""
    return dict(collections.Counter(row.mode for row in rows))


def lost(rows, present):
    """The acknowledged rows that a member lacks, by member; `present` holds each member's keys."""
    return {member: [row for row in rows if row.key not in keys] for member, keys in present.items()}


def overlaps(rows):
    """Each pair of primaries that acknowledged rows in each other's time. A primary is a member on a timeline: its time begins with its first row."""
    reigns = collections.defaultdict(list)
    for row in rows:
        reigns[row.member, row.timeline].append(row)
    order = sorted(reigns, key=lambda reign: (reign[1], min(row.at for row in reigns[reign])))
    found = []
    for number, earlier in enumerate(order):
        for later in order[number + 1:]:
            if earlier[0] == later[0]:
                continue
            begin = min(row.at for row in reigns[later])
            late = [row for row in reigns[earlier] if row.at >= begin]
            if late:
                names = [f"{member} (timeline {timeline})" for member, timeline in (earlier, later)]
                first, last = min(row.at for row in late), max(row.at for row in late)
                found.append(Overlap(*names, first - begin, last - first, by_mode(late)))
    return found


def differing(sums):
    """The tables that are not the same on all members; `sums` holds for each member what its tables come to."""
    tables = sorted({table for each in sums.values() for table in each})
    return [table for table in tables if len({each.get(table) for each in sums.values()}) > 1]


def changed(before, now):
    """The tables of earlier rounds that are not what they were. Nobody writes to them any more."""
    return sorted(table for table, value in before.items() if now.get(table) != value)


def gap(rows, begin, end):
    """The longest time without an answer to a client that came through a proxy and waited for a standby."""
    answers = sorted(row.acknowledged for row in rows if row.mode == "on" and row.source.startswith("proxy-") and begin < row.acknowledged < end)
    moments = [begin, *answers, end]
    return max(after - before for before, after in zip(moments, moments[1:]))


def hanging(rows, sources, since):
    """The clients that got no answer since then, while another one through the same proxy did."""
    answered = {row.source for row in rows if row.acknowledged > since}
    ways = {source.rpartition("-")[0] for source in answered}
    return sorted(source for source in sources if source not in answered and source.rpartition("-")[0] in ways)


def wrongly_restored(target, rows, final, restored):
    """The keys by which a restore to a moment is not exact. `final` is when each row that the cluster has was written, `restored` the keys of the restored
    directory. A row was committed between being written and being acknowledged; where the moment lies between these, either is right."""
    acknowledged = {row.key: row.acknowledged for row in rows}
    lacking = {key for key in final if acknowledged.get(key, float("inf")) <= target and key not in restored}
    too_many = {key for key in restored if key not in final or final[key] > target}
    return lacking, too_many


@dataclasses.dataclass
class Round:
    """A round as it was seen, without its rows: that is what its line and the table are made of."""

    seed: int
    faults: list
    gap: float = 0.0
    # None: not at all.
    healed: float | None = None
    rows: dict = dataclasses.field(default_factory=dict)
    # The most that any member lacks, by mode.
    lost: dict = dataclasses.field(default_factory=dict)
    overlaps: list = dataclasses.field(default_factory=list)
    hanging: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    # What is wrong, and whether the cluster can still be used for another round.
    failures: list = dataclasses.field(default_factory=list)
    is_over: bool = False


def judge(seen, rows, present, sums, before, is_host_frozen):
    """Notes what the log and the tables say, and what of it is a failure."""
    seen.rows = by_mode(rows)
    for member, missing in lost(rows, present).items():
        counted = by_mode(missing)
        for mode, count in counted.items():
            seen.lost[mode] = max(seen.lost.get(mode, 0), count)
        if SAFE & counted.keys():
            seen.failures.append(f"{member} lacks acknowledged rows: {counted}")
    for overlap in overlaps(rows):
        seen.overlaps.append({"after": overlap.after, "seconds": overlap.seconds, "rows": overlap.rows})
        if not (is_host_frozen and overlap.seconds < THAW and not SAFE & overlap.rows.keys()):
            seen.failures.append(f"two primaries: {overlap}")
    tables = differing(sums)
    if tables:
        seen.failures.append(f"members differ in {', '.join(tables)}")
        seen.is_over = True
    else:
        tables = changed(before, next(iter(sums.values())))
        if tables:
            seen.failures.append(f"these tables of earlier rounds have changed: {', '.join(tables)}")
    if seen.healed is None:
        seen.failures.append("not healthy again by itself")
        seen.is_over = True
    elif seen.healed > HEALED_WITHIN:
        seen.failures.append(f"healthy again only after {seen.healed:.0f} s")


def median_and_worst(values):
    """Both, in words."""
    return f"{statistics.median(values):.1f} / {max(values):.1f} s" if values else "—"
