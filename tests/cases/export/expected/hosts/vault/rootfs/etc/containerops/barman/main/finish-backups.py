#!/usr/bin/env python3
"""Tells Barman that a backup is finished whose last WAL segment came on another timeline. Run by crond.py.

Barman looks for that segment on the timeline that the backup began on, and looks at no later backup before it is there. A failover or switchover
soon after a backup lets the segment come on the next timeline only: this backup and all later ones would wait for ever, `barman check` would count
none of them, and no retention would drop anything.
"""

import fcntl
import os
import sys

sys.dont_write_bytecode = True
from archive import HOME, Archive, read_backups  # lies beside this file


def finish(archive, backup):
    """Looks at a backup that waits, of a timeline that ended; says whether it is finished now."""
    end = archive.end_of(backup.timeline)
    names = [archive.at(number) for number in archive.own_numbers(backup)]
    if backup.end_lsn > end:
        fail(backup, f"timeline {backup.timeline} went on without it")
    elif None not in names:
        # What is only streamed yet is archived within a minute.
        if all(archive.files[name].is_relative_to(archive.path / "wals") for name in names):
            write(backup, "DONE")
            print(f"finish-backups: {archive.cluster}: backup {backup.id} has all its WAL, the last of it on timeline {int(names[-1][:8], 16)}")
    elif archive.newest > archive.number(backup.end_wal):
        missing = next(archive.names_at(archive.own_numbers(backup)[names.index(None)]))
        fail(backup, f"WAL segment {missing} is missing")


def fail(backup, why):
    write(backup, "FAILED", why)
    print(f"finish-backups: backup {backup.id} failed: {why}", file=sys.stderr)


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
        if backup.is_waiting and archive.chain and backup.timeline != archive.chain[-1][0]:
            # Barman's own lock of the backup; where Barman looks at it just now, the next minute will do.
            with open(HOME / f".{cluster}-{backup.id}.lock", "ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    continue
                finish(archive, backup)


if __name__ == "__main__":
    main(sys.argv[1])
