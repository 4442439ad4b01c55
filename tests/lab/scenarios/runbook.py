"""The rendered runbook of the cluster, each block of commands as it is printed, typed where it says; a dropped table is back, and clients are turned to a restored cluster."""

import re
import time

from lab.host import Failed
from lab.page import blocks
from lab.restored import wait_for_backup

_NEW = "app-runbook"
# Nothing here has a mirror to install PostgreSQL from; and Barman's own sections come while it still backs the old cluster up.
_ELSEWHERE = "Into plain PostgreSQL elsewhere"
_LATE = ["Into a new Patroni cluster", "Turn the old cluster's proxies to the new one"]


def run(lab):
    lab.render()
    printed = list(blocks((lab.directory / "out/operator/runbook/app.md").read_text()))
    lab.expect(len(printed) > 30, f"only {len(printed)} blocks of commands were found")
    headings = [block.heading for block in printed]
    lab.expect({_ELSEWHERE, *_LATE} <= set(headings), f"the runbook has other headings now: {sorted(set(headings))}")
    early = [block for block in printed if block.heading not in [_ELSEWHERE, *_LATE]]
    late = [block for block in printed if block.heading in _LATE]
    Reader(lab).follow([*early, *late])


class Reader:
    """Somebody who types what the runbook says, and fills in what is his to fill in."""

    def __init__(self, lab):
        self.lab = lab
        self.values = {"NEW": _NEW}
        self.heading = ""
        # What has to be so before a section is followed, and what is so afterwards.
        self.before = {"Switchover": self.choose, "A table was dropped: get it back": self.drop, "Barman's host is lost": self.lose_barman}
        self.after = {"A table was dropped: get it back": self.look, "Barman's host is lost": self.look_at_barman, _LATE[-1]: self.look_at_new}

    def follow(self, printed):
        self.settle()
        try:
            for heading in dict.fromkeys(block.heading for block in printed):
                start = time.monotonic()
                self.before.get(heading, lambda: None)()
                for block in printed:
                    if block.heading == heading:
                        self.type(block)
                self.after.get(heading, lambda: None)()
                self.lab.measure(f"the runbook, {heading}", time.monotonic() - start, "s")
                if heading not in _LATE:
                    self.lab.wait_healthy()
        finally:
            self.tidy()

    # ------------------------------------------------------------------------------------------------ typing

    def settle(self):
        """Makes the operator's tools, and rows to lose; waits for a first backup."""
        self.lab.give_tools()
        wait_for_backup(self.lab)
        self.lab.sql("db1", "drop table if exists orders")
        self.lab.sql("db1", "create table orders as select n as id, md5(n::text) as what from generate_series(1, 1000) n; alter table orders add primary key (id)")
        # A moment, a place and a transaction that lie behind the backup, with something after them.
        self.values["T"] = self.lab.sql("db1", "select to_char(clock_timestamp() at time zone 'utc', 'YYYY-MM-DD HH24:MI:SS.US') || '+00'")
        self.values["XID"] = self.at_xid = self.lab.sql("db1", "insert into orders values (1001, 'last') returning pg_current_xact_id()").splitlines()[0]
        self.values["LSN"] = self.lab.sql("db1", "select pg_current_wal_lsn()")
        self.lab.sql("db1", "update orders set what = 'the last' where id = 1001")

    def type(self, block):
        """Types a block where it says."""
        text = block.filled(self.values)
        shell = ["bash", "-e", "-o", "pipefail", "-c", text]
        place = block.place.removeprefix("On ")
        if place == "Where `cluster.json` lies":
            done = self.lab.operate(*shell, check=False)
        elif place == "each host of the table above":
            all_done = self.lab.everywhere(lambda host: host.run(*shell, check=False, timeout=1800)).values()
            done = max(all_done, key=lambda one: one.returncode)
        else:
            done = self.lab.hosts[self.host_of(place)].run(*shell, check=False, timeout=1800)
        if done.returncode:
            raise Failed(f"{block.heading}, {block.place}: exit {done.returncode}\n{text}\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
        if found := re.findall(r"xid (\d+) .* database ", done.stdout):
            # barman-drops: what a reader would pick, the newest.
            self.values["XID"] = found[-1]

    def host_of(self, place):
        if place == "the primary's host":
            return self.lab.leader()
        if place.startswith("the host that lost it"):
            return "db3"
        self.lab.expect(place in self.lab.hosts, f"nobody knows where to type what is `{place}`")
        return place

    # ----------------------------------------------------------------------------------------- around sections

    def choose(self):
        self.values["CANDIDATE"] = next(host for host in ["db1", "db2"] if host != self.lab.leader())

    def drop(self):
        self.lab.sql("db1", "drop table orders")

    def look(self):
        rows = self.lab.sql("db2", "select count(*), max(what) filter (where id = 1001), max(tableowner) from orders, pg_tables where tablename = 'orders'")
        self.lab.expect(rows == "1001|the last|app", f"the table is not back as it was: {rows}")
        # From here on the text's own transaction again.
        self.values["XID"] = self.at_xid

    def lose_barman(self):
        """The data is all that is left: it lies elsewhere."""
        self.lab.hosts["db3"].run("sh", "-c", "systemctl stop barman-pod.service && mv /var/containerops/data/barman /var/containerops/copy")
        self.values["COPY"] = "/var/containerops/copy"

    def look_at_barman(self):
        self.lab.wait_until("Barman is well again", lambda: self.lab.hosts["db3"].run("barman", "check", "app"), 180, every=5)
        self.lab.hosts["db3"].run("rm", "-rf", "/var/containerops/copy")

    def look_at_new(self):
        for host in self.lab.hosts:
            answer = self.lab.wait_until(f"the proxy on {host} leads to the new cluster",
                                         lambda host=host: self.lab.sql(host, "show cluster_name") == _NEW and self.lab.sql(host, "select count(*) from orders"), 60)[0]
            self.lab.expect(answer == "1001", f"{host} sees {answer} rows")
        self.lab.sql("db1", "insert into orders values (2000, 'new')")

    def tidy(self):
        """Back to the cluster that was, with nothing of the other left."""
        self.lab.apply()
        self.lab.wait_healthy()
        self.lab.sql("db1", "drop table if exists orders")
        for host in self.lab.hosts.values():
            host.run("sh", "-c", f"rm -rf /var/containerops/data/patroni/{_NEW} /var/containerops/data/barman_restored/*; podman rm --force --time 5 look-before-drop", check=False)
        self.lab.hosts["db1"].run("podman", "exec", "etcd-main-main", "etcdctl", "del", "--prefix", f"/patroni/{_NEW}/")
