"""A lost primary comes back with rows that its successor never had, while a gigabyte of WAL is kept: it is rewound by what differs, and streams soon.
Then a rewind that fails: the keeper has the member copied anew, and the directory that was replaced is there."""

import re
import time

from trial.account import settle
from trial.clients import Clients
from trial.cluster import FIXED, Cluster

KEPT_MIB = 1024
# Of that gigabyte nothing is copied. What comes are segments from the fork on, of both timelines, and what changed.
COPIED_MIB = 200
STREAMS = 30
HEALED = 90


def run(case):
    cluster = Cluster(case, FIXED, parameters={"archive_timeout": 0})
    try:
        cluster.start()
        clients = Clients(cluster)
        fill(cluster)
        clients.through(*cluster.members)
        time.sleep(1)
        old = leave_behind(cluster, clients)
        began = time.monotonic()
        old.patroni.start()
        case.wait_until(f"{old.name} streams", old.is_streaming, 120, every=0.1)
        streams = time.monotonic() - began
        case.measure("from Patroni's start until it streams", streams, "s")
        copied = int(re.search(r"rewind.py: (\d+) MiB came from the primary", old.patroni.logged())[1])
        case.measure("copied by the rewind", copied, "MiB")
        case.expect(copied <= COPIED_MIB and streams <= STREAMS, f"{copied} MiB were copied, and it streamed after {streams:.1f} s")
        cluster.wait_healthy()
        fail(cluster, clients)
        settle(cluster, clients)
    finally:
        cluster.close()


def fill(cluster):
    """A gigabyte of WAL on every member."""
    case, primary = cluster.case, cluster.primary()
    case.say(f"{KEPT_MIB} MiB of WAL are written")
    primary.query("create table filler (line text)")
    while int(primary.query("select sum(size) / 1048576 from pg_ls_waldir()")[0][0]) < KEPT_MIB:
        primary.query("insert into filler select repeat('x', 1900) from generate_series(1, 50000)")
        primary.query("truncate filler")
    case.say(f"wal_keep_size {primary.query('show wal_keep_size')[0][0]}")


def leave_behind(cluster, clients):
    """The primary loses its cable, writes what nobody else gets, and is killed before it has noticed. Returns it, off, with a successor in its place."""
    case, old = cluster.case, cluster.wait_healthy()
    old.host.set_cable(False)
    for number in range(20):
        old.patroni.exec("psql", "-XAtq", "-h", "/run/postgresql", "-U", "postgres", "-c", f"set synchronous_commit = local; insert into filler values ('{old.name} {number}')")
    moment = time.time()
    old.patroni.stop()
    old.host.set_cable(True)
    others = [member for member in cluster.members if member is not old]
    case.wait_until("a successor acknowledges rows", lambda: clients.acknowledged(*others, since=moment), cluster.ttl + 30)
    return old


def fail(cluster, clients):
    """The new primary does not let the old one read its files."""
    case = cluster.case
    for member in cluster.members:
        member.keeper.start()
    old = leave_behind(cluster, clients)
    cluster.primary().query("revoke execute on function pg_read_binary_file(text, bigint, bigint, boolean) from rewind")
    began = time.monotonic()
    old.patroni.start()
    case.wait_until(f"the keeper has {old.name} copied anew", lambda: "copied anew now" in old.keeper.logged(), HEALED)
    case.wait_until(f"{old.name} streams", old.is_streaming, HEALED)
    case.measure("after a rewind that fails, from Patroni's start until it streams", time.monotonic() - began, "s")
    kept = old.host.directory / "data/kept"
    case.expect((kept / "global/pg_control.rewind-failed").exists(), "the old directory is gone, or could be started")
    case.expect("could not be rewound" in old.keeper.logged(), old.keeper.logged())
