#!/usr/bin/env python3
"""Lists the transactions that dropped, truncated or rewrote something, as the WAL has them: what a restore is to stop before."""

import argparse
import itertools
import re
import sys

sys.dont_write_bytecode = True
from archive import Archive, Refused, instant, known_clusters, lsn_text  # lies beside this file
from restore import moment, time_text  # lies beside this file

COMMIT = re.compile(r"COMMIT(?:_PREPARED (\d+):)? (\S+ \S+) UTC")
# The files that a commit removed: `rels: base/16384/16401 base/16384/16405;`.
FILES = re.compile(r"\brels:((?: [^ ;]+)+)")
DATABASE = re.compile(r"DROP(?:_\w+)? dir(?: [^ ]+)* ?\S*")


def drops(archive, since, until):
    """Yields a moment, a transaction, its LSN and what it took away, the oldest first. A dropped database comes without a moment."""
    backups = archive.usable()
    if not backups:
        raise Refused(f"there is no backup of {archive.cluster} yet that has all its WAL")
    runs = [names for _, names in archive.runs(backups)]
    # Commits follow each other in time but for milliseconds: one segment more on either side.
    for name in itertools.chain.from_iterable(names[max(archive.first_after(names, since) - 1, 0) :] for names in runs):
        is_over = False
        for lsn, xid, text in archive.dump(name, "--rmgr=Transaction", "--rmgr=Database"):
            commit = COMMIT.match(text)
            if commit:
                time = instant(commit[2])
                is_over = is_over or time > until
                files = FILES.search(text)
                if files and since <= time <= until:
                    yield time, int(commit[1] or xid), lsn, files[1].split()
            elif DATABASE.match(text) and not is_over:
                yield None, xid, lsn, [text]
        if is_over:
            return


def told(files):
    """Groups files by the oid of their database: `database 16384: 16401 16405`."""
    by_database = {}
    for file in files:
        place, _, number = file.rpartition("/")
        by_database.setdefault(place.rpartition("/")[2], []).append(number)
    return "; ".join(f"database {oid}: {' '.join(numbers)}" for oid, numbers in by_database.items())


def main():
    options = argparse.ArgumentParser(prog="barman-drops", description=__doc__)
    options.add_argument("cluster", metavar="CLUSTER", help=f"one of: {', '.join(known_clusters())}")
    options.add_argument("--since", metavar="TIME", type=moment, required=True, help="with its zone: '2026-11-24 09:00:00+00'")
    options.add_argument("--until", metavar="TIME", type=moment, default=moment("9999-01-01 00:00:00+00"), help="the same; default: now")
    asked = options.parse_args()
    count = 0
    try:
        for time, xid, lsn, files in drops(Archive(asked.cluster), asked.since, asked.until):
            count += 1
            if time:
                print(f"{time_text(time)}  xid {xid}  LSN {lsn_text(lsn)}  {told(files)}", flush=True)
            else:
                print(f"a whole database{' ' * 15}  xid {xid}  LSN {lsn_text(lsn)}  {files[0]}", flush=True)
    except Refused as problem:
        print(f"barman-drops: {problem}", file=sys.stderr)
        sys.exit(2)
    print(f"{count} in that time; `select oid, datname from pg_database` names the databases", file=sys.stderr)


if __name__ == "__main__":
    main()
