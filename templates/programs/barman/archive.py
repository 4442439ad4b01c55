"""What Barman holds of one cluster: its backups, the WAL after each, and how far that reaches. Reads, and never writes.

Barman lays out `HOME/CLUSTER` as `meta/ID-backup.info` (before 3.13.2: `base/ID/backup.info`), `wals/…/SEGMENT` and
`streaming/SEGMENT[.partial]`; a segment that is streamed and not archived yet counts as there. LSNs are numbers of bytes, times are in UTC.
"""

import bisect
import bz2
import configparser
import gzip
import importlib
import itertools
import lzma
import pathlib
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import datetime, timezone

HOME = pathlib.Path("/var/lib/barman")
CONFIG = pathlib.Path("/etc/barman/barman.d")
CANARY = "/etc/barman/canary.sql"
TOOLS = "/usr/lib/postgresql/{}/bin"

SEGMENT = re.compile(r"[0-9A-F]{24}")
HISTORY = re.compile(r"([0-9A-F]{8})\.history")
RECORD = re.compile(r"rmgr: \S+ .*, tx: +(\d+), lsn: ([0-9A-F]+/[0-9A-F]+), prev \S+ desc: (.*)")
COMMIT = re.compile(r"COMMIT(?:_PREPARED (\d+):)? (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?) UTC")
RESTORE_POINT = re.compile(r"RESTORE_POINT (.*)")
# How a compressed file begins, and what reads it.
COMPRESSIONS = [
    (b"\x1f\x8b", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ", lzma.open),
    (b"\x28\xb5\x2f\xfd", lambda path: importlib.import_module("zstandard").open(path)),
    (b"\x04\x22\x4d\x18", lambda path: importlib.import_module("lz4.frame").open(path)),
]


class Refused(Exception):
    """What was asked for can't be had; says why, and what can be."""


@dataclass
class Backup:
    """A finished full backup."""

    id: str
    timeline: int
    begin_wal: str
    end_wal: str
    begin_time: datetime
    end_time: datetime
    end_lsn: int
    size: int
    segment_size: int
    systemid: str
    major: int
    # Whether Barman waits for the last segment yet; and where it says so.
    is_waiting: bool
    info: pathlib.Path


@dataclass
class Event:
    """A commit or a restore point in the WAL."""

    lsn: int
    xid: int = 0
    time: datetime | None = None
    name: str = ""


def lsn_of(text):
    """Reads `0/3000120`."""
    high, low = text.split("/")
    return int(high, 16) << 32 | int(low, 16)


def lsn_text(lsn):
    """Writes `0/3000120`."""
    return f"{lsn >> 32:X}/{lsn & 0xFFFFFFFF:X}"


def instant(text):
    """Reads a time of backup.info, of pg_waldump, which we run in UTC, or of the canary."""
    time = datetime.fromisoformat(text)
    return time.replace(tzinfo=timezone.utc) if time.tzinfo is None else time.astimezone(timezone.utc)


def known_clusters():
    """The clusters that this Barman backs up."""
    return sorted(path.stem for path in CONFIG.glob("*.conf"))


def connection(cluster, user):
    """How a role that Barman has the password of logs in through the cluster's proxy, as libpq reads it."""
    config = configparser.RawConfigParser()
    config.read(CONFIG / f"{cluster}.conf")
    return re.sub(r"\buser=\S+", f"user={user}", config[cluster]["conninfo"])


class Archive:
    """What Barman holds of one cluster."""

    def __init__(self, cluster):
        if cluster not in known_clusters():
            raise Refused(f"Barman backs up no cluster {cluster} here; it backs up: {', '.join(known_clusters()) or 'none'}")
        self.cluster = cluster
        self.path = HOME / cluster
        self.scan()

    def scan(self):
        """Reads what is there; WAL goes on arriving, so a long job does it again."""
        self.backups = read_backups(self.cluster)
        self.segment_size = self.backups[-1].segment_size if self.backups else 16 << 20
        self.files, self.histories = {}, {}
        # Later ones win: what is whole, then what is archived.
        paths = [path for pattern in ["streaming/*", "wals/*", "wals/*/*"] for path in self.path.glob(pattern)]
        for path in sorted(paths, key=lambda path: path.suffix != ".partial"):
            name = path.name.removesuffix(".partial")
            if SEGMENT.fullmatch(name):
                self.files[name] = path
            elif found := HISTORY.fullmatch(name):
                self.histories[int(found[1], 16)] = path
        self.chain = self.read_chain()
        self.newest = max((self.number(name) for name in self.files if self.on_chain(name)), default=-1)

    def read_chain(self):
        """The timelines from the first to the newest, each as its number and the LSNs where it begins and ends."""
        timelines = {int(name[:8], 16) for name in self.files} | set(self.histories)
        if not timelines:
            return []
        newest, begin, chain = max(timelines), 0, []
        if newest in self.histories:
            with read(self.histories[newest]) as history:
                lines = [line.split() for line in history.read().decode().splitlines()]
            for parent, end in ((int(words[0]), lsn_of(words[1])) for words in lines if len(words) > 1 and words[0].isdigit()):
                chain.append((parent, begin, end))
                begin = end
        return [*chain, (newest, begin, 1 << 64)]

    def number(self, name):
        """The position of a segment in the WAL, whatever its timeline."""
        return int(name[8:16], 16) * ((1 << 32) // self.segment_size) + int(name[16:], 16)

    def names_at(self, number):
        """How the segment at a position may be called: on each timeline that has a part of it, the newest first."""
        per_file = (1 << 32) // self.segment_size
        for timeline, begin, end in reversed(self.chain):
            if begin // self.segment_size <= number <= end // self.segment_size:
                yield f"{timeline:08X}{number // per_file:08X}{number % per_file:08X}"

    def at(self, number):
        """The segment at a position that a recovery to the newest timeline reads; none where it is missing."""
        return next((name for name in self.names_at(number) if name in self.files), None)

    def on_chain(self, name):
        return name in self.names_at(self.number(name))

    def segments(self, backup):
        """The segments from a backup on, up to the first one that is missing."""
        numbers = range(self.number(backup.begin_wal), self.newest + 1)
        return list(itertools.takewhile(bool, map(self.at, numbers)))

    def runs(self, backups):
        """The WAL that can be replayed from some backups, the oldest first: each a backup and the segments from there up to one that is missing."""
        runs = []
        for backup in backups:
            if not runs or self.number(backup.begin_wal) > self.number(runs[-1][1][-1]):
                runs.append((backup, self.segments(backup)))
        return runs

    def missing(self, backup):
        """The segments that are missing from a backup on."""
        numbers = range(self.number(backup.begin_wal), self.newest + 1)
        return [next(self.names_at(number)) for number in numbers if not self.at(number)]

    def end_of(self, timeline):
        """The LSN where the cluster left a timeline: 2^64 for the one that it is on, -1 for one that it never was on for good."""
        return next((end for number, _, end in self.chain if number == timeline), -1)

    def own_numbers(self, backup):
        """The positions of the segments that a backup needs to be consistent."""
        return range(self.number(backup.begin_wal), self.number(backup.end_wal) + 1)

    def usable(self):
        """The backups that have all WAL that they need themselves, the oldest first."""
        return [backup for backup in self.backups if backup.end_lsn <= self.end_of(backup.timeline) and all(map(self.at, self.own_numbers(backup)))]

    def copy(self, name, target):
        """Writes a segment or a history, decompressed, to a file."""
        try:
            source = read(self.path_of(name))
        except FileNotFoundError:
            # It was archived since.
            self.scan()
            source = read(self.path_of(name))
        with source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, 1 << 20)

    def path_of(self, name):
        found = HISTORY.fullmatch(name)
        return self.histories[int(found[1], 16)] if found else self.files[name]

    def events(self, name):
        """The commits and restore points that begin in a segment, in their order."""
        return [event for event in map(read_event, self.dump(name, "--rmgr=Transaction", "--rmgr=XLOG")) if event]

    def last_lsn(self, name):
        """The LSN of the last record that begins in a segment; none in an empty one."""
        lsn = None
        for lsn, _, _ in self.dump(name):
            pass
        return lsn

    def dump(self, name, *options):
        """Yields the records that begin in a segment, each as its LSN, its transaction and its text."""
        if not self.backups:
            raise Refused(f"there is no backup of {self.cluster} yet")
        program = TOOLS.format(self.backups[-1].major) + "/pg_waldump"
        begin = self.number(name) * self.segment_size
        with tempfile.TemporaryDirectory(prefix="waldump-") as directory:
            self.copy(name, f"{directory}/{name}")
            # A record may go on in the next segment.
            after = f"{name[:8]}{self.name_after(name)}"
            if after in self.files:
                self.copy(after, f"{directory}/{after}")
            command = [program, *options, f"{directory}/{name}", *([f"{directory}/{after}"] if after in self.files else [])]
            try:
                # It complains where the WAL ends: that is how it finds out.
                dump = subprocess.Popen(
                    command, env={"TZ": "UTC", "LC_ALL": "C"}, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, errors="replace"
                )
            except FileNotFoundError:
                raise Refused(f"Barman's image has no {program}, which reads the WAL of {self.cluster}") from None
            with dump:
                for line in dump.stdout:
                    if found := RECORD.match(line):
                        lsn = lsn_of(found[2])
                        if begin <= lsn < begin + self.segment_size:
                            yield lsn, int(found[1]), found[3]

    def name_after(self, name):
        number, per_file = self.number(name) + 1, (1 << 32) // self.segment_size
        return f"{number // per_file:08X}{number % per_file:08X}"

    def last_commit_in(self, names):
        """The time of the newest commit in some segments; none without any."""
        for name in reversed(names):
            times = [event.time for event in self.events(name) if event.time]
            if times:
                return max(times)
        return None

    def last_commit(self):
        """The time of the newest commit in what was archived or streamed; none without any."""
        return self.last_commit_in(self.segments(self.backups[-1])) if self.backups else None

    def first_after(self, names, time):
        """The index of a segment, an early one, that holds a commit later than a time; the last one does."""


        def is_after(name):
            return any(event.time and event.time > time for event in self.events(name))

        # Commits follow each other in time but for milliseconds, and where a clock was set: any segment with a later one will do.
        return min(bisect.bisect_left(names, True, key=is_after), len(names) - 1)

    def find(self, names, wanted):
        """The newest event that `wanted` says yes to, looking from the end; none where there is none."""
        for name in reversed(names):
            for event in reversed(self.events(name)):
                if wanted(event):
                    return event
        return None

    def touch(self):
        """Lets the canary commit in the running cluster, and returns when that was; none where it could not."""
        command = [f"{TOOLS.format(self.backups[-1].major)}/psql", "-XAtqd", connection(self.cluster, "barman_canary"), "-f", CANARY]
        moment = ["-c", "select at at time zone 'utc' from barman_canary.canary"]
        done = subprocess.run([*command, *moment], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        return instant(f"{done.stdout.strip()}+00") if done.returncode == 0 else None


def read(path):
    """Opens a file of Barman's archive, compressed or not."""
    with open(path, "rb") as file:
        start = file.read(8)
    return next((opened for magic, opened in COMPRESSIONS if start.startswith(magic)), lambda it: open(it, "rb"))(path)


def read_backups(cluster):
    """The finished backups of a cluster, the oldest first."""
    infos = {path.parent.name: path for path in (HOME / cluster).glob("base/*/backup.info")}
    infos |= {path.name.removesuffix("-backup.info"): path for path in (HOME / cluster).glob("meta/*-backup.info")}
    return [backup for backup in itertools.starmap(read_backup, sorted(infos.items())) if backup]


def read_backup(identity, path):
    """Reads a backup.info; none of a backup that failed or is under way."""
    try:
        lines = [line.partition("=") for line in path.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError:
        return None
    info = {key.strip(): value.strip() for key, _, value in lines}
    if info.get("status") not in ("DONE", "WAITING_FOR_WALS"):
        return None
    return Backup(
        id=identity,
        timeline=int(info["timeline"]),
        begin_wal=info["begin_wal"],
        end_wal=info["end_wal"],
        begin_time=instant(info["begin_time"]),
        end_time=instant(info["end_time"]),
        end_lsn=lsn_of(info["end_xlog"]),
        size=int(info.get("size") or 0),
        segment_size=int(info.get("xlog_segment_size") or 16 << 20),
        systemid=info.get("systemid", ""),
        major=int(info["version"]) // 10000,
        is_waiting=info["status"] == "WAITING_FOR_WALS",
        info=path,
    )


def read_event(record):
    """Reads a commit or a restore point; none of anything else."""
    lsn, xid, text = record
    if found := COMMIT.match(text):
        return Event(lsn, int(found[1] or xid), instant(found[2]))
    if found := RESTORE_POINT.match(text):
        return Event(lsn, name=found[1])
    return None
