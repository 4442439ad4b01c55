"""A dropped table comes back: into a new cluster whose own proxies take writes, to which the old cluster's proxies are then turned."""

import copy
import time

from lab import description
from lab.restored import Restored, restore, wait_for_backup

AGAIN = "app-again"
_ROWS = 1000


def run(lab):
    wait_for_backup(lab)
    kept = copy.deepcopy(lab.description)
    targets = drop(lab)
    for kind, options in targets.items():
        if lab.is_full or kind == "xid":
            restore(lab, f"before-{kind}", *options)
            with Restored(lab, f"before-{kind}") as restored:
                lab.expect(restored.sql("select count(*) from precious") == str(_ROWS), f"the table is not there before the {kind}")
    # One writer: the old cluster is in use, and the machine has room for a restore beside it.
    with lab.load("db3", writers=1) as load:
        start = time.monotonic()
        restore(lab, AGAIN, *targets["xid"])
        new_cluster(lab)
        lab.measure("dropped table: restored into a new cluster, first write through its proxy", time.monotonic() - start, "s")
        lab.wait_healthy(cluster=AGAIN)
        lab.measure("dropped table: new cluster healthy", time.monotonic() - start, "s")
    lab.expect(load.account.lost == 0 and load.account.gap < 5, f"the old cluster was disturbed: {load.account}")
    untouched(lab)
    turn(lab)
    # The next scenario has no second cluster.
    lab.description = kept
    lab.apply()
    lab.wait_healthy()


def drop(lab):
    """Drops the table, and returns how each kind of target says the moment before."""
    lab.sql("db3", f"create table precious as select generate_series(1, {_ROWS}) as n")
    lab.hosts[lab.leader()].run("podman", "exec", "patroni-app-main", "psql", "-XAtqd", "app", "-c", "select pg_create_restore_point('before the drop')")
    lsn = lab.sql("db3", "select pg_current_wal_lsn()")
    moment = lab.sql("db3", "select clock_timestamp() at time zone 'utc'")
    time.sleep(1)
    xid = lab.sql("db3", "begin; select txid_current(); drop table precious; commit").splitlines()
    return {
        "xid": ["--target-xid", next(line for line in xid if line.isdigit()), "--exclusive"],
        "lsn": ["--target-lsn", lsn],
        "name": ["--target-name", "before the drop"],
        "time": ["--target-time", f"{moment}+00"],
    }


def new_cluster(lab):
    """Beside the old one: two members, a proxy and a client of its own, and backed up by the same Barman."""
    clusters = lab.description["patroni_clusters"]
    clusters[AGAIN] = {
        **clusters[description.CLUSTER],
        "members": ["db3", "db2"],
        "proxies": ["db1", "db3"],
        "client_groups": ["again-client", "app-client"],
        "restore_from_backup": {"host": "db3", "path": f"/var/containerops/data/barman_restored/{AGAIN}"},
    }
    for name in ["read_replicas", "backup_replicas"]:
        del clusters[AGAIN][name]
    lab.description["barman_servers"]["barman"]["sources"].append({"cluster": AGAIN, "frequency": "0 4 * * *", "minimum_redundancy": 1, "recovery_window": 7})
    lab.description["pods"]["again"] = {**description.client("db1"), "groups": ["again-client"], "uses": [AGAIN]}
    lab.apply()
    lab.wait_until("the new cluster takes writes", lambda: ask(lab, "insert into precious values (0) returning n") == "0", 180)
    lab.expect(ask(lab, "select count(*) from precious") == str(_ROWS + 1), "the table is not what it was")


def ask(lab, statement):
    return lab.hosts["db1"].output("podman", "exec", "again-main", "psql", "-XAtqc", statement, check=False)


def untouched(lab):
    """The old cluster has no such table; its backups are what they were; the settings of the new one are the description's."""
    lab.expect(lab.sql("db3", "select to_regclass('precious') is null") == "t", "the old cluster has the table again")
    lab.hosts["db3"].run("barman-restore", "app")
    shown = lab.hosts["db3"].output("podman", "exec", f"patroni-{AGAIN}-main", "psql", "-XAtqd", "postgres", "-c",
                                    "select name || '=' || setting from pg_settings where name in ('max_connections', 'cluster_name', 'restore_command') order by 1")
    # `change`, which may have been before, raises it.
    connections = lab.description["patroni_clusters"][AGAIN]["postgres_config"]["parameters"]["max_connections"]
    lab.expect(shown == f"cluster_name={AGAIN}\nmax_connections={connections}\nrestore_command=", f"settings of the new cluster: {shown}")
    wait_for_backup(lab, cluster=AGAIN)


def turn(lab):
    """The old proxies, with their names, addresses and ports, lead to the new cluster: clients only connect anew."""
    before = {name: endpoint for name, endpoint in lab.endpoints().items() if ".app-proxy." in name}
    pods = {host: client_started(lab, host) for host in lab.hosts}
    clusters = lab.description["patroni_clusters"]
    clusters[AGAIN]["proxies"] = [{"host": host, "hostname": f"{host}.app-proxy.example.internal"} for host in lab.hosts]
    # The old cluster keeps one, for Barman.
    clusters["app"]["proxies"] = [{"host": "db3", "hostname": "db3.old-proxy.example.internal"}]
    for host in lab.hosts:
        lab.description["pods"][f"client-{host}"]["uses"] = [AGAIN]
    start = time.monotonic()
    lab.apply()
    for host in lab.hosts:
        lab.wait_until(f"the client on {host} reaches the new cluster", lambda host=host: lab.sql(host, "select count(*) from precious") == str(_ROWS + 1), 60)
    lab.measure("old proxies turned to the new cluster", time.monotonic() - start, "s")
    after = {name: endpoint for name, endpoint in lab.endpoints().items() if ".app-proxy." in name}
    lab.expect(after == before, f"the proxies' endpoints moved: {before} {after}")
    lab.expect({host: client_started(lab, host) for host in lab.hosts} == pods, "a client was restarted")


def client_started(lab, host):
    return lab.hosts[host].output("podman", "inspect", "--format", "{{.State.StartedAt}}", f"client-{host}-main")
