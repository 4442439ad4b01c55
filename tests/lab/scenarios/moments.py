"""A row a second while the primary's host is cut from its power twice: any second comes back exactly, and the latest lacks only what was in flight."""

import random
import time
from datetime import datetime, timedelta, timezone

from lab.restored import Restored, restore, wait_for_backup

_TICK = """\
import sys, time, psycopg2
while True:
    try:
        connection = psycopg2.connect("", connect_timeout=2, keepalives_idle=5, keepalives_interval=2, keepalives_count=2, tcp_user_timeout=4000)
        connection.autocommit = True
        while True:
            cursor = connection.cursor()
            cursor.execute("insert into ticks values (clock_timestamp()) returning at at time zone 'utc'")
            print(cursor.fetchone()[0].isoformat(), flush=True)
            time.sleep(1 - time.time() % 1)
    except psycopg2.Error:
        time.sleep(0.3)
"""


def run(lab):
    wait_for_backup(lab)
    lab.sql("db3", "create table ticks (at timestamptz primary key)")
    ticker = lab.hosts["db3"].start("podman", "exec", "--interactive", "client-db3-main", "python3", "-u", "-c", _TICK, stdout=-1)
    try:
        time.sleep(10)
        for _ in range(2):
            cut(lab)
            time.sleep(15)
        latest(lab)
    finally:
        lab.hosts["db3"].run("pkill", "-f", "insert into ticks", check=False)
        ticker.kill()
    said = [datetime.fromisoformat(line.strip()).replace(tzinfo=timezone.utc) for line in ticker.stdout]
    rows = [instant(line) for line in lab.sql("db3", "select at at time zone 'utc' from ticks order by at").splitlines()]
    lab.expect(set(said) <= set(rows), "an acknowledged row is gone")
    errors = []
    for number in range(10 if lab.is_full else 3):
        errors.append(moment(lab, f"moment{number}", rows))
    lab.measure(f"{len(errors)} random moments: error, at most", max(errors), "s")
    lab.sql("db3", "drop table ticks")


def cut(lab):
    leader = lab.leader()
    lab.hosts[leader].cut_power()
    lab.wait_until("another primary", lambda: lab.leader() != leader, 60)
    lab.hosts[leader].boot()
    lab.hosts[leader].wait()
    lab.wait_healthy()


def latest(lab):
    """The newest of all, while rows are written on."""
    before = datetime.now(timezone.utc)
    start = time.monotonic()
    restore(lab, "latest")
    lab.measure("`--latest` restored", time.monotonic() - start, "s")
    with Restored(lab, "latest") as restored:
        newest = instant(restored.sql("select max(at) at time zone 'utc' from ticks"))
        lost = int(lab.sql("db3", f"select count(*) from ticks where at > '{newest.isoformat()}' and at < '{before.isoformat()}'"))
    lab.measure("`--latest`: rows lost that were committed before the restore began", lost, "")
    lab.expect(lost <= 1, f"{lost} rows are lost: the newest is of {newest}, the restore began at {before}")


def moment(lab, name, rows):
    """Exactly the rows up to a random moment; returns by how much it was missed."""
    first = instant(lab.hosts["db3"].output("barman-restore", "app").splitlines()[0].split(" ended ")[1].split("  LSN ")[0].removesuffix("+00"))
    span = (rows[-2] - max(rows[0], first)).total_seconds()
    target = max(rows[0], first) + timedelta(seconds=random.uniform(0, span))
    start = time.monotonic()
    restore(lab, name, "--target-time", target.isoformat())
    lab.measure(f"restored to {target:%H:%M:%S.%f}", time.monotonic() - start, "s")
    with Restored(lab, name) as restored:
        seen = [instant(line) for line in restored.sql("select at at time zone 'utc' from ticks order by at").splitlines()]
    wanted = [row for row in rows if row <= target]
    missed = sorted(set(seen) ^ set(wanted))
    # A row's own time is a moment before its commit.
    return max((abs((row - target).total_seconds()) for row in missed), default=0.0)


def instant(text):
    return datetime.fromisoformat(text.strip()).replace(tzinfo=timezone.utc)
