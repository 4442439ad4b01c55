"""Barman's host is lost but for its data directory: on a fresh system everything is back, and a moment from before can be restored."""

import time

from lab.restored import Restored, restore, wait_for_backup, wait_green


def run(lab):
    wait_for_backup(lab)
    host = lab.hosts["db3"]
    lab.sql("db1", "create table kept as select 1 as n")
    backups = host.output("barman", "list-backups", "--minimal", "app")
    start = time.monotonic()
    host.reinstall()
    host.boot()
    host.wait()
    lab.deliver_secrets(host)
    lab.deliver(["db3"])
    lab.activate("db3")
    lab.wait_healthy()
    lab.measure("Barman's host set up anew on its old data", time.monotonic() - start, "s")
    lab.expect(host.output("barman", "list-backups", "--minimal", "app") == backups, "the backups are not what they were")
    wait_green(lab)
    restore(lab, "kept")
    with Restored(lab, "kept") as restored:
        lab.expect(restored.sql("select n from kept") == "1", "what was written before is not there")
    lab.sql("db1", "drop table kept")
