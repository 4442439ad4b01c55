#!/usr/bin/env python3
"""Puts a database as it was at some moment into a directory, from which PostgreSQL starts by itself, with Patroni or without.

Exit status: 0 done; 1 failed on the way; 2 refused, nothing was made.
"""

import argparse
import contextlib
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime, timezone

sys.dont_write_bytecode = True
from archive import Archive, Refused, known_clusters, lsn_of, lsn_text  # lies beside this file

RESTORED = pathlib.Path("/var/containerops/data/barman_restored")
BARMAN = ["barman", "-c", "/etc/barman/barman.conf"]
# What ties a data directory to its old place and its old cluster.
TIES = re.compile(
    r"\s*(archive_cleanup_command|archive_command|cluster_name|data_directory|external_pid_file|hba_file|ident_file|listen_addresses|port|"
    r"primary_conninfo|primary_slot_name|recovery_\w+|restore_command|synchronous_standby_names|unix_socket_directories)\b",
    re.IGNORECASE,
)
HBA = """# Written by barman-restore: whoever is on this machine, and nobody from elsewhere.
local all postgres peer
local all all scram-sha-256
host all all 127.0.0.1/32 scram-sha-256
host all all ::1/128 scram-sha-256
"""


@dataclass
class Target:
    """Where recovery stops: at a `time` (aware datetime), `lsn` or `xid` (numbers), `name` of a restore point, or `latest`."""

    kind: str
    value: object = None
    # Just before it, and not just after.
    is_exclusive: bool = False

    def __str__(self):
        if self.kind == "latest":
            return "the latest"
        value = {"time": time_text, "lsn": lsn_text}.get(self.kind, str)(self.value)
        return f"{'just before ' if self.is_exclusive else ''}{self.kind} {value}"


def time_text(moment):
    """Writes a time so that PostgreSQL and people read it."""
    return moment.astimezone(timezone.utc).isoformat(" ").replace("+00:00", "+00")


# ------------------------------------------------------------------------------------------------------------------ choosing


def choose(archive, target, backup_id=None):
    """Returns the backup to start from and the names of the WAL segments that recovery reads. Refuses what can't be reached."""
    backups = archive.usable()
    if not backups:
        raise Refused(f"there is no backup of {archive.cluster} yet that has all its WAL")
    if backup_id:
        backups = [backup for backup in backups if backup.id == backup_id]
        if not backups:
            known = ", ".join(backup.id for backup in archive.usable())
            raise Refused(f"there is no usable backup {backup_id} of {archive.cluster}; there are: {known}")
    find = {"latest": latest, "time": at_time, "lsn": at_lsn, "xid": at_event, "name": at_event}[target.kind]
    return find(archive, target, backups)


def latest(archive, _, backups):
    missing = archive.missing(backups[-1])
    segments = archive.segments(backups[-1])
    if missing:
        reach = archive.last_commit_in(segments)
        raise Refused(
            f"WAL segment {missing[0]} is missing, so what came after it can't be restored; "
            f"--target-time before {time_text(reach) if reach else 'it'} can"
        )
    return backups[-1], segments


def at_time(archive, target, backups):
    before = [backup for backup in backups if backup.end_time <= target.value]
    if not before:
        raise Refused(
            f"{time_text(target.value)} is too early: the first moment that can be restored is {time_text(backups[0].end_time)}, "
            f"the end of backup {backups[0].id}"
        )
    backup = before[-1]
    segments = archive.segments(backup)
    reach = archive.last_commit_in(segments)
    if reach is None or target.value >= reach:
        missing = archive.missing(backup)
        why = f"WAL segment {missing[0]} is missing" if missing else "no later commit has arrived; --latest restores all that has"
        raise Refused(f"{time_text(target.value)} is too late: the WAL reaches to {time_text(reach or backup.end_time)}, since {why}")
    return backup, segments[: archive.first_after(segments, target.value) + 1]


def at_lsn(archive, target, backups):
    return up_to(archive, target, backups, target.value)


def at_event(archive, target, backups):
    wanted = {"xid": lambda event: event.xid == target.value, "name": lambda event: event.name == target.value}[target.kind]
    event = next(filter(None, (archive.find(names, wanted) for _, names in reversed(archive.runs(backups)))), None)
    if not event:
        what = f"commit of transaction {target.value}" if target.kind == "xid" else f"restore point {target.value}"
        raise Refused(f"the WAL since backup {backups[0].id} of {time_text(backups[0].end_time)} holds no {what}")
    return up_to(archive, target, backups, event.lsn)


def up_to(archive, target, backups, lsn):
    """Chooses by an LSN; a record that begins there, or after it, must be there."""
    before = [backup for backup in backups if backup.end_lsn <= lsn]
    if not before:
        raise Refused(f"{target} is too early: the first LSN that can be restored is {lsn_text(backups[0].end_lsn)}, the end of backup {backups[0].id}")
    segments = archive.segments(before[-1])
    last = next((found for found in map(archive.last_lsn, reversed(segments)) if found is not None), 0)
    if last < lsn:
        missing = archive.missing(before[-1])
        why = f", since WAL segment {missing[0]} is missing" if missing else ""
        raise Refused(f"{target} is too late: the WAL reaches to LSN {lsn_text(last)}{why}")
    # The record may begin, or go on, in the segment after it.
    needed = lsn // archive.segment_size - archive.number(segments[0]) + 2
    return before[-1], segments[:needed]


def choose_when_arrived(archive, target, backup_id):
    """Chooses; what the archive doesn't reach may be on its way."""
    if target.kind == "time" and target.value > datetime.now(timezone.utc):
        raise Refused(f"{time_text(target.value)} has not come yet")
    try:
        return choose(archive, target, backup_id)
    except Refused:
        if not freshen(archive):
            raise
    return choose(archive, target, backup_id)


def freshen(archive):
    """Waits until all has arrived that the cluster has written until now; says whether it has. A quiet database commits nothing, and PostgreSQL
    hands a restore point on with the next commit: the canary commits, where the cluster is up."""
    touched = archive.touch() if archive.backups else None
    for _ in range(15 if touched else 0):
        archive.scan()
        if (last := archive.last_commit()) and last >= touched:
            return True
        time.sleep(1)
    return False


# ------------------------------------------------------------------------------------------------------------------- restoring


def export(archive, target, directory, backup_id=None):
    """Makes the directory, which gets its name last, and returns what it was made of."""
    directory = pathlib.Path(directory)
    start = time.monotonic()
    with claimed(directory) as (making, lock):
        backup, segments = choose_when_arrived(archive, target, backup_id)
        check_room(directory.parent, backup.size + (len(segments) + 1) * archive.segment_size)
        say(f"{archive.cluster} at {target}: from backup {backup.id} and {len(segments)} WAL segments")
        # Of the WAL we know better what is needed: Barman would copy all there is, but for what is still being streamed.
        command = [*BARMAN, "-q", "restore", "--get-wal", archive.cluster, backup.id, making]
        # It has the lock too, since it goes on copying when this is killed.
        copying = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, pass_fds=[lock.fileno()])
        if copying.returncode:
            raise RuntimeError(f"barman restore ended with status {copying.returncode}:\n{copying.stdout}")
        # It archives what was streamed before it copies, and more has arrived since.
        archive.scan()
        if target.kind == "latest":
            backup, segments = choose(archive, target, backup.id)
        copy_wal(archive, segments, making / "barman_wal")
        settle(making, backup, target)
        os.sync()
        making.rename(directory)
    return {"backup_id": backup.id, "target": str(target), "wal_segments": len(segments), "seconds": round(time.monotonic() - start, 1)}


@contextlib.contextmanager
def claimed(directory):
    """A directory beside the wanted one that is ours alone while it grows, and is gone when it didn't get its name; and the lock that keeps it so."""
    with hold(directory.parent / f".{directory.name}.lock") as lock:
        making = directory.parent / f".{directory.name}.restoring"
        try:
            if directory.exists():
                raise Refused(f"{directory} is there already: take another name, or remove it first")
            shutil.rmtree(making, ignore_errors=True)
            making.mkdir(mode=0o700)
            yield making, lock
        finally:
            shutil.rmtree(making, ignore_errors=True)
            os.unlink(lock.name)


def hold(path):
    """Opens a lock and takes it. Who has it may be what a killed run had begun, which soon ends."""
    for second in range(60):
        lock = open(path, "w", encoding="utf-8")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Whoever had it before removes it at the end.
            if os.path.samefile(lock.fileno(), path):
                return lock
        except (BlockingIOError, FileNotFoundError):
            if second == 0:
                say("another run is at work under that name; waiting a minute for its end")
            time.sleep(1)
        lock.close()
    raise Refused("another run is at work under that name")


def check_room(place, needed):
    free = shutil.disk_usage(place).free
    if free < needed:
        raise Refused(f"{place} has {free >> 20} MiB free, and this takes {needed >> 20} MiB")


def copy_wal(archive, segments, directory):
    """Copies histories and segments, those too that Barman hasn't archived yet, under the names that recovery asks for."""
    directory.mkdir(mode=0o700)
    for timeline in archive.histories:
        archive.copy(f"{timeline:08X}.history", directory / f"{timeline:08X}.history")
    for index, name in enumerate(segments, 1):
        archive.copy(name, directory / name)
        if sys.stderr.isatty():
            print(f"\rWAL segment {index} of {len(segments)}", end="\n" if index == len(segments) else "", file=sys.stderr, flush=True)


def settle(directory, backup, target):
    """Unties the directory from its old cluster, and says how far it recovers."""
    for name in ["standby.signal", "postmaster.pid", "patroni.dynamic.json", ".barman-recover.info", "postgresql.conf.origin", "postgresql.auto.conf.origin"]:
        (directory / name).unlink(missing_ok=True)
    manifest = directory / f"backup_manifest.{backup.id}"
    if manifest.exists():
        manifest.rename(directory / "backup_manifest")
    for name in ["postgresql.conf", "postgresql.auto.conf"]:
        path = directory / name
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        kept = [line for line in lines if not TIES.match(line)]
        path.write_text("\n".join(kept + (recovery(target) if name == "postgresql.auto.conf" else [])) + "\n", encoding="utf-8")
    (directory / "pg_hba.conf").write_text(HBA, encoding="utf-8")
    (directory / "pg_ident.conf").touch()
    (directory / "recovery.signal").touch(mode=0o600)


def recovery(target):
    """The settings of the recovery. Paths are relative to the data directory, where PostgreSQL runs: it may be moved."""
    settings = {
        "restore_command": "cp barman_wal/%f %p",
        # Recovery would stop for good where the old cluster once allowed more connections than now, so that nobody is let in before its end.
        "hot_standby": "off",
        "recovery_end_command": "sed -i /^hot_standby/d postgresql.auto.conf && rm -rf barman_wal",
        # Without the first, recovery ends where the backup's own timeline does; without the second, it stays read-only.
        "recovery_target_timeline": "latest",
        "recovery_target_action": "promote",
    }
    if target.kind != "latest":
        writer = {"time": time_text, "lsn": lsn_text}.get(target.kind, str)
        settings[f"recovery_target_{target.kind}"] = writer(target.value)
        settings["recovery_target_inclusive"] = "off" if target.is_exclusive else "on"
    return ["# Written by barman-restore.", *(f"{name} = '{value.replace(chr(39), chr(39) * 2)}'" for name, value in settings.items())]


# ---------------------------------------------------------------------------------------------------------------- command line


def say(text):
    print(f"barman-restore: {text}", file=sys.stderr, flush=True)


def moment(text):
    """Reads a time that says its zone."""
    try:
        found = datetime.fromisoformat(re.sub(r"\s*UTC$", "Z", text.strip()))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: write '2026-11-24 10:00:00+00'") from None
    if found.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text!r} has no zone: write '{text}+00' for UTC")
    return found.astimezone(timezone.utc)


def position(text):
    if not re.fullmatch(r"[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no LSN: write '0/3000120'")
    return lsn_of(text)


def directory_name(text):
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no name of a directory: take letters, digits, '-', '_' and '.'")
    return text


def parser():
    options = argparse.ArgumentParser(
        prog="barman-restore",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        description=f"Puts a database as it was at some moment into {RESTORED}/NAME,\n"
        "from which Patroni makes a new cluster (restore_from_backup) and PostgreSQL starts alone.",
        epilog="""examples:
  barman-restore app today                                             all that has arrived
  barman-restore app before-drop --target-time '2026-11-24 10:00:00+00'
  barman-restore app before-drop --target-xid 1234 --exclusive         without that transaction
  barman-restore app                                                   what can be restored

It refuses a name that is taken and a moment that the archive doesn't reach, and says which it does.""",
    )
    options.add_argument("cluster", metavar="CLUSTER", help=f"one of: {', '.join(known_clusters())}")
    options.add_argument("name", metavar="NAME", nargs="?", type=directory_name, help="the directory to make; without it, says what can be restored")
    kinds = options.add_mutually_exclusive_group()
    kinds.add_argument("--target-time", metavar="TIME", type=moment, help="with its zone: '2026-11-24 10:00:00+00'")
    kinds.add_argument("--target-lsn", metavar="LSN", type=position, help="a place in the WAL: 0/3000120")
    kinds.add_argument("--target-xid", metavar="XID", type=int, help="a transaction")
    kinds.add_argument("--target-name", metavar="NAME", help="a restore point, made by pg_create_restore_point()")
    kinds.add_argument("--latest", action="store_true", help="all that has arrived (the default)")
    options.add_argument("--exclusive", action="store_true", help="stop just before the target, and not just after it")
    options.add_argument("--backup-id", metavar="ID", help="start from this backup (default: the last one before the target)")
    return options


def show(archive):
    """Prints the backups and what can be reached from them."""
    backups = archive.usable()
    for backup in backups:
        print(f"backup {backup.id}  ended {time_text(backup.end_time)}  LSN {lsn_text(backup.end_lsn)}  timeline {backup.timeline}  {backup.size >> 20} MiB")
    if not backups:
        raise Refused(f"there is no backup of {archive.cluster} yet that has all its WAL")
    for name in archive.missing(backups[0]):
        print(f"missing: WAL segment {name}")
    for backup, names in archive.runs(backups):
        reach = archive.last_commit_in(names) or backup.end_time
        print(f"any moment from {time_text(backup.end_time)} to {time_text(reach)} can be restored")


def main():
    options = parser()
    asked = options.parse_args()
    given = {kind: getattr(asked, f"target_{kind}") for kind in ("time", "lsn", "xid", "name")}
    target = next((Target(kind, value, asked.exclusive) for kind, value in given.items() if value is not None), Target("latest"))
    if asked.exclusive and target.kind in ("latest", "name"):
        options.error("--exclusive goes with --target-time, --target-lsn or --target-xid")
    try:
        archive = Archive(asked.cluster)
        if not asked.name:
            show(archive)
            return
        made = export(archive, target, RESTORED / asked.name, asked.backup_id)
    except Refused as problem:
        say(problem)
        sys.exit(2)
    except (RuntimeError, OSError) as problem:
        say(f"failed: {problem}; nothing was left under that name")
        sys.exit(1)
    say(f"{RESTORED}/{asked.name} is ready after {made['seconds']} s")


if __name__ == "__main__":
    main()
