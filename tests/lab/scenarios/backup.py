"""From nothing to a first good backup without a hand; a scheduled one fires in its minute; Barman stopped in the middle of it is back without a hole, and makes it again."""

import time
from datetime import datetime, timedelta, timezone

from lab.restored import Restored, restore, wait_for_backup, wait_green


def run(lab):
    first_backup(lab)
    begun = scheduled(lab)
    away(lab, begun)


def first_backup(lab):
    """Nobody does anything; `barman check` turns green."""
    wait_for_backup(lab)
    barman = lab.hosts["db3"]
    wait_green(lab)
    lab.measure("`activate` to a good first backup and a green check", time.monotonic() - lab.activated, "s")
    roles = barman.output("podman", "exec", "patroni-app-main", "psql", "-XAtqd", "postgres", "-c", "select rolname from pg_roles where rolsuper")
    lab.expect(roles == "postgres", f"these are superusers: {roles}")


def scheduled(lab):
    """The description's cron time is when the backup begins; returns which that is."""
    at = datetime.now(timezone.utc).replace(second=0, microsecond=0) + timedelta(minutes=2)
    source = lab.description["barman_servers"]["barman"]["sources"][0]
    source["frequency"] = f"{at.minute} {at.hour} * * *"
    lab.apply()
    begun, _ = lab.wait_until("the scheduled backup", lambda: next((backup for backup in states(lab) if backup.startswith(f"{at:%Y%m%dT%H%M}")), None), 240)
    lab.measure("a scheduled backup begins after its minute", int(begun[13:15]), "s")
    return begun


def states(lab):
    """Barman's backups, each with its status."""
    said = lab.hosts["db3"].output("grep", "--recursive", "--with-filename", "^status=", "/var/containerops/data/barman/app/meta", check=False)
    lines = (line.rpartition("/")[2].partition("-backup.info:status=") for line in said.splitlines())
    return {backup: status for backup, _, status in lines}


def away(lab, begun):
    """Barman is stopped in the middle of a backup, while WAL of many segments is written; it catches up, and every row is in its archive."""
    barman = lab.hosts["db3"]
    barman.run("systemctl", "stop", "barman-main.service")
    lab.expect(states(lab)[begun] in ("STARTED", "FAILED"), "the scheduled backup was done before Barman was stopped: nothing is tested")
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
    lab.wait_until("the backup that was broken off is made again", lambda: any(backup > begun and status == "DONE" for backup, status in states(lab).items()), 300, every=1)
    wait_green(lab)
    lab.expect(begun not in states(lab), "what was broken off is left")
    lab.sql("db3", "drop table away")
