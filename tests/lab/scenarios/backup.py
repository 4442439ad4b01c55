"""From nothing to a first good backup without a hand; a scheduled backup fires in its minute; Barman away and back leaves no hole."""

import time
from datetime import datetime, timedelta, timezone

from lab.restored import Restored, restore, wait_for_backup


def run(lab):
    first_backup(lab)
    scheduled(lab)
    away(lab)


def first_backup(lab):
    """Nobody does anything; `barman check` turns green."""
    wait_for_backup(lab)
    barman = lab.hosts["db3"]
    lab.wait_until("barman check is green", lambda: barman.run("barman", "check", "app", check=False).returncode == 0, 180, every=2)
    lab.measure("`activate` to a good first backup and a green check", time.monotonic() - lab.activated, "s")
    roles = barman.output("podman", "exec", "patroni-app-main", "psql", "-XAtqd", "postgres", "-c", "select rolname from pg_roles where rolsuper")
    lab.expect(roles == "postgres", f"these are superusers: {roles}")


def scheduled(lab):
    """The description's cron time is when the backup begins."""
    at = datetime.now(timezone.utc).replace(second=0, microsecond=0) + timedelta(minutes=2)
    source = lab.description["barman_servers"]["barman"]["sources"][0]
    source["frequency"] = f"{at.minute} {at.hour} * * *"
    lab.apply()
    wanted = at.strftime("%Y%m%dT%H%M")
    barman = lab.hosts["db3"]
    lab.wait_until("the scheduled backup", lambda: wanted in barman.output("barman", "list-backups", "--minimal", "app"), 240, every=2)
    began = next(line for line in barman.output("barman", "list-backups", "--minimal", "app").splitlines() if line.startswith(wanted))
    lab.measure("a scheduled backup begins after its minute", int(began[13:15]), "s")


def away(lab):
    """Barman is stopped while WAL of many segments is written; it catches up, and every row is in its archive."""
    barman = lab.hosts["db3"]
    barman.run("systemctl", "stop", "barman-main.service")
    # An hour's worth where each minute closes one.
    segments = 60 if lab.is_full else 20
    # Stored as it is, uncompressed, each row fills a segment.
    lab.sql("db3", "create table if not exists away (n int, filler text storage external)")
    for number in range(segments):
        lab.sql("db3", f"insert into away select {number}, repeat('x', 16 << 20)", timeout=60)
    rows = lab.sql("db3", "select count(*) from away")
    start = time.monotonic()
    barman.run("systemctl", "start", "barman-main.service")
    end = lab.sql("db3", "select pg_current_wal_lsn()")
    lab.wait_until("Barman has caught up", lambda: lab.sql("db3", f"select bool_and(restart_lsn >= '{end}') from pg_replication_slots where slot_name = 'barman'") == "t", 300, every=1)
    lab.measure(f"Barman away for {segments} segments: caught up after", time.monotonic() - start, "s")
    restore(lab, "away")
    with Restored(lab, "away") as restored:
        lab.expect(restored.sql("select count(*) from away") == rows, "rows that were written while Barman was away are not in its archive")
    lab.sql("db3", "drop table away")
