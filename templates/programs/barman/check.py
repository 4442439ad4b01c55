#!/usr/bin/env python3
"""check.py CLUSTER [PROBLEMS]: says what is wrong with the backups of a cluster, a line each, and leaves what it measured for node_exporter.

PROBLEMS are lines of what only the host can see: they are said and counted too.

Exit status: 0 nothing is wrong, or a new cluster waits for its first backup; 1 something is wrong.
"""

import configparser
import fcntl
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import datetime, timezone

sys.dont_write_bytecode = True
import report  # lies beside this file, as the next one does
from archive import CONFIG, HOME, Archive, Refused, connection

BARMAN = ["barman", "-c", "/etc/barman/barman.conf"]
FIRST_BACKUP = 15 * 60
# What Barman's cron starts after Barman itself, and lets the canary write, is there by then.
STARTED = 3 * 60
CANARY = 3 * 60
# The last segment of a backup is archived within two minutes.
WAITING = 15 * 60
SLOT = """select slot.wal_status, slot.active
from (select) as one left join pg_catalog.pg_replication_slots as slot on slot.slot_name = 'barman'"""
CANARY_AGE = "select extract(epoch from clock_timestamp() - at) from barman_canary.canary"
# What is asked here too, and said with more words; and what a cluster that hasn't run for long enough can't have.
OWN = {"PostgreSQL", "PostgreSQL streaming", "replication slot", "receive-wal running", "backup maximum age", "minimum redundancy requirements"}


class Check:
    """One look at one cluster."""

    def __init__(self, cluster, problems):
        self.cluster = cluster
        self.of_host = problems
        self.archive = Archive(cluster)
        self.now = time.time()
        self.age = age_of_container()
        self.is_young = self.age < STARTED
        self.problems = [*problems]
        self.measured = {}

    def problem(self, text):
        self.problems.append(text)

    def run(self):
        """Asks everything, and returns what is worth saying beside the problems."""
        self.look_at_archive()
        if self.ask_database() and not self.is_young:
            self.ask_barman()
        if not self.archive.backups:
            if self.age < FIRST_BACKUP or is_backing_up(self.cluster):
                self.problems = [*self.of_host]
                return "waiting for the first backup"
            self.problem(f"there is no backup: see what `barman backup {self.cluster}` says")
        return f"Barman started {self.age:.0f} s ago: its stream is not judged yet" if self.is_young else None

    def look_at_archive(self):
        """Backups and WAL, as they lie on the disk."""
        free = shutil.disk_usage(HOME).free
        self.measured |= {"disk_free_bytes": free, "count": len(self.archive.backups)}
        if not self.archive.backups:
            return
        newest = self.archive.backups[-1]
        missing = self.archive.missing(newest)
        age = self.now - newest.end_time.timestamp()
        self.measured |= {"newest_timestamp_seconds": newest.end_time.timestamp(), "newest_bytes": newest.size, "missing_wal_segments": len(missing)}
        if missing:
            self.problem(
                f"{len(missing)} WAL segments are missing since backup {newest.id}, the first of them {missing[0]}: nothing after it can be "
                f"restored before the next full backup; take it now: barman backup {self.cluster}"
            )
        if age > (most := maximum_age(self.cluster)):
            self.problem(f"the newest backup, {newest.id}, ended {span(age)} ago, and {span(most)} is the most: see what `barman backup {self.cluster}` says")
        waiting = next((backup for backup in self.archive.backups if backup.is_waiting and self.now - backup.end_time.timestamp() > WAITING), None)
        if waiting:
            self.problem(
                f"backup {waiting.id} still waits for WAL segment {waiting.end_wal}, and Barman counts neither it nor a later one, so that nothing "
                f"old is dropped: see what `barman check-backup {self.cluster} {waiting.id}` says"
            )
        if free < newest.size:
            self.problem(f"{HOME} has {size(free)} free, and the newest backup took {size(newest.size)}: the next one won't fit")

    def ask_database(self):
        """Slot, stream and canary, as the primary sees them; says whether it answered."""
        try:
            status, active = ask(self.cluster, "barman", SLOT)
        except RuntimeError as error:
            if not self.is_young:
                self.problem(f"the database can't be reached through its proxy, so no WAL comes in: {error}")
            return False
        is_streaming = active == "t"
        self.measured |= {"slot_ok": status in ("reserved", "extended"), "stream_running": is_streaming}
        if not status and not self.is_young:
            self.problem("the replication slot barman is gone, so the primary keeps no WAL for Barman: Patroni makes it again; see its log")
        elif status == "lost":
            self.problem(
                "the replication slot barman was overrun: the primary threw away WAL that Barman hasn't got; Barman starts its stream anew, "
                f"then take a full backup: barman backup {self.cluster}"
            )
        elif status == "unreserved":
            self.problem("the replication slot barman is about to be overrun: the primary keeps no more WAL for it than max_slot_wal_keep_size")
        if self.is_young:
            return True
        if not is_streaming:
            self.problem("the WAL stream does not run: its log says why, journalctl -u barman-main")
        try:
            (canary,) = ask(self.cluster, "barman_canary", CANARY_AGE)
            self.measured["canary_age_seconds"] = float(canary) if canary else None
            if not canary or float(canary) > CANARY:
                self.problem(f"the canary, a row that Barman writes each minute, is {span(float(canary)) + ' old' if canary else 'not there'}")
            note_canary(self.cluster)
        except RuntimeError as error:
            self.problem(f"the canary, a row that Barman writes each minute, can't be read: {error}")
        return True

    def ask_barman(self):
        """What `barman check` finds beyond that."""
        done = subprocess.run([*BARMAN, "check", self.cluster], capture_output=True, text=True, timeout=150, check=False)
        failed = re.findall(r"^\t(.*?): FAILED(?: \((.*)\))?$", done.stdout, flags=re.MULTILINE)
        self.measured["barman_check_ok"] = not failed
        for name, why in failed:
            if name not in OWN:
                self.problem(f"barman check: {name}: {why or 'failed'}")
        if done.returncode and not failed:
            self.problem(f"barman check ended with status {done.returncode}: {last_line(done.stderr)}")

    def write(self):
        """Leaves the metrics."""
        about = {
            "check_timestamp_seconds": "When the backups were looked at.",
            "ok": "Whether nothing was wrong.",
            "problems": "How many things were wrong.",
            "count": "Good backups.",
            "newest_timestamp_seconds": "When the newest good backup ended.",
            "newest_bytes": "Size of the newest good backup.",
            "missing_wal_segments": "WAL segments that are missing since the newest backup.",
            "slot_ok": "Whether the primary keeps the WAL that Barman hasn't got.",
            "stream_running": "Whether WAL is streamed.",
            "canary_age_seconds": "Seconds since the row was written that Barman writes each minute.",
            "barman_check_ok": "Whether barman check finds nothing.",
            "disk_free_bytes": "Free on Barman's disk.",
        }
        self.measured |= {"check_timestamp_seconds": self.now, "ok": not self.problems, "problems": len(self.problems)}
        values = {f"containerops_backup_{name}": (text, self.measured.get(name)) for name, text in about.items()}
        report.write(f"backup-{self.cluster}.prom", report.metrics(self.cluster, values))


def ask(cluster, role, statement):
    """The one row that a statement answers, as texts."""
    program = setting(cluster, "path_prefix") + "/psql"
    command = [program, "-XAtq", "-F", "|", "-d", connection(cluster, role), "-c", statement]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode:
        raise RuntimeError(last_line(done.stderr))
    return done.stdout.rstrip("\n").split("|")


def note_canary(cluster):
    """Remembers since when there is a canary: older backups can't have it."""
    name = f"canary-{cluster}.json"
    if not report.read(name):
        report.write(name, f'{{"since": "{datetime.now(timezone.utc).isoformat()}"}}\n')


def setting(cluster, name):
    """An option of Barman's own."""
    config = configparser.RawConfigParser()
    config.read(CONFIG / f"{cluster}.conf")
    return config[cluster][name]


def maximum_age(cluster):
    """The most seconds that may have passed since a backup: `8 DAYS`."""
    return int(setting(cluster, "last_backup_maximum_age").split()[0]) * 86400


def is_backing_up(cluster):
    """Whether a backup is under way: Barman holds a lock meanwhile."""
    try:
        with open(HOME / f".{cluster}-backup.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def age_of_container():
    """Seconds since this container's first process was started."""
    with open("/proc/1/stat", encoding="utf-8") as stat, open("/proc/uptime", encoding="utf-8") as uptime:
        started = int(stat.read().rpartition(")")[2].split()[19]) / os.sysconf("SC_CLK_TCK")
        return float(uptime.read().split()[0]) - started


def span(seconds):
    """A length of time for people."""
    for unit, name in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit:.0f} {name}"
    return f"{seconds:.0f} seconds"


def size(count):
    return f"{count / (1 << 30):.1f} GiB" if count >= 1 << 30 else f"{count >> 20} MiB"


def last_line(text):
    return (text.strip().splitlines() or ["it says nothing"])[-1]


def main(cluster, problems=""):
    try:
        check = Check(cluster, problems.splitlines())
        said = check.run()
    except (Refused, OSError, subprocess.TimeoutExpired) as error:
        sys.exit(f"{cluster}: the backups can't be looked at: {error}")
    check.write()
    for problem in check.problems:
        print(f"{cluster}: {problem}", file=sys.stderr)
    if not check.problems:
        print(f"{cluster}: {said or 'nothing is wrong with the backups'}")
    sys.exit(1 if check.problems else 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
