#!/usr/bin/env python3
"""Tells Barman that a backup is finished whose last WAL segment came on another timeline. Run by crond.py.

Barman looks for that segment on the timeline that the backup began on, and looks at no later backup before it is there. A failover or switchover
soon after a backup lets the segment come on the next timeline only: this backup and all later ones would wait for ever, `barman check` would count
none of them, and no retention would drop anything.
"""

import fcntl
import os
import sys
import time

sys.dont_write_bytecode = True
from archive import HOME, Archive, read_backups  # lies beside this file


def finish(archive, backup):
    """Finishes a backup that waits, where it can be told what became of it."""
    if not has_left(archive, backup.timeline):
        return
    names = [archive.at(number) for number in archive.own_numbers(backup)]
    if why := reason_to_fail(archive, backup):
        # A file may have been on its way from one directory to another.
        time.sleep(2)
        archive.scan()
        if reason_to_fail(archive, backup) == why:
            write(backup, "FAILED", why)
            (HOME / f".{archive.cluster}-backup-owed").touch()
            print(f"finish-backups: {archive.cluster}: backup {backup.id} failed: {why}", file=sys.stderr)
    elif None not in names and all(archive.files[name].is_relative_to(archive.path / "wals") for name in names):
        write(backup, "DONE")
        print(f"finish-backups: {archive.cluster}: backup {backup.id} has all its WAL, the last of it on timeline {int(names[-1][:8], 16)}")


def has_left(archive, timeline):
    """Whether the cluster is on another timeline, and its history is there, which tells when it left that one."""
    newest = archive.chain[-1][0] if archive.chain else timeline
    return newest != timeline and newest in archive.histories


def reason_to_fail(archive, backup):
    """Why a backup can never be finished; none while it can."""
    if backup.end_lsn > archive.end_of(backup.timeline):
        return f"timeline {backup.timeline} ended before it"
    missing = next((number for number in archive.own_numbers(backup) if not archive.at(number)), None)
    if missing is not None and archive.newest > archive.number(backup.end_wal):
        return f"WAL segment {next(archive.names_at(missing))} is missing"
    return None


def write(backup, status, error=None):
    """Writes the status as Barman does."""
    lines = backup.info.read_text(encoding="utf-8").splitlines()
    new = {"status": status, "error": error}
    lines = [f"{key}={new.get(key, value)}" for key, _, value in (line.partition("=") for line in lines)]
    temporary = backup.info.with_name(backup.info.name + ".tmp")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(backup.info)


def main(cluster):
    # The archive of months has many files; they are looked at only when it matters.
    if not any(backup.is_waiting for backup in read_backups(cluster)):
        return
    archive = Archive(cluster)
    for backup in archive.backups:
        if backup.is_waiting:
            # Barman's own lock of the backup; where Barman looks at it just now, the next minute will do.
            with open(HOME / f".{cluster}-{backup.id}.lock", "ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                finish(archive, backup)


if __name__ == "__main__":
    main(sys.argv[1])
