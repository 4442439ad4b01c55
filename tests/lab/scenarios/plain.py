"""A declared export and plain PostgreSQL on it: a client reads the rows of before with the password it had; what Barman refuses holds nothing up."""

import time

from lab.restored import wait_for_backup

_EXPORTS = ["before", "never"]
_UNITS = "systemctl list-unit-files --no-legend --no-pager 'export-*' 'postgres-*'; podman ps --format '{{.Names}}' | grep ^postgres-"


def run(lab):
    host = lab.hosts["db3"]
    wait_for_backup(lab)
    lab.sql("db1", "create table prices as select n as id, n * 10 as price from generate_series(1, 100) n")
    xid = lab.sql("db1", "update prices set price = 0 returning pg_current_xact_id()").splitlines()[0]
    declare(lab, xid)
    start = time.monotonic()
    said = lab.apply()
    lab.expect("export-never.service FAILED" in said["db3"], f"activate keeps quiet of what was refused:\n{said['db3']}")
    lab.expect(said["db3"].rstrip().endswith("Done."), f"a refused export held something up:\n{said['db3']}")
    address = lab.endpoints()["before.barman-export.example.internal"]["address"]
    old, _ = lab.wait_until("a client reads the old rows", lambda: ask(lab, address, "select sum(price) from prices where pg_is_in_recovery() is false"), 180, every=1)
    lab.measure("a declared export: rendered to first read", time.monotonic() - start, "s")
    lab.expect(old == "50500", f"the export has other rows: {old}")
    lab.expect(lab.sql("db1", "select sum(price) from prices") == "0", "the export changed the running cluster")
    closed(lab, address)
    lab.expect(host.output("export-psql", "-XAtd", "app", "-c", "select current_user, sum(price) from prices") == "postgres|50500", "export-psql sees something else")
    stays(lab, address)
    goes(lab)


def declare(lab, xid):
    lab.description["barman_servers"]["barman"]["exports"] = {
        "before": {"cluster": "app", "target_xid": int(xid), "exclusive": True, "postgres": {"client_groups": ["app-client"]}},
        "never": {"cluster": "app", "target_time": "2099-01-01 00:00:00Z"},
    }
    outbound = [{"port": "5432", "host": "before.barman-export.example.internal"}]
    lab.description["pods"]["client-db1"]["firewall"] = {"outbound": outbound}
    # It may dial, and has none of the groups.
    lab.description["pods"]["stranger"]["firewall"]["outbound"] = outbound


def ask(lab, address, statement, *options, check=True):
    """What the export answers to the client on db1."""
    answer = lab.hosts["db1"].run("podman", "exec", "client-db1-main", "psql", "--no-psqlrc", "-At", "-h", address, *options, "-c", statement, check=check, timeout=30)
    return answer.stdout.strip() if check else answer


def closed(lab, address):
    """Neither a wrong password, nor a superuser, nor somebody without the group."""
    for options, why in [(["-U", "postgres"], "rejects connection"), (["-U", "replicator"], "rejects connection"), (["-d", "user=app password=wrong dbname=app"], "authentication failed")]:
        answer = ask(lab, address, "select 1", *options, check=False)
        lab.expect(answer.returncode and why in answer.stderr, f"{options}: {answer}")
    reach = "import socket, sys; socket.create_connection((sys.argv[1], 5432), 3)"
    for pod, is_in in [("client-db1", True), ("stranger", False)]:
        answer = lab.in_pod("db1", pod, "python3", "-c", reach, address, check=False)
        lab.expect((answer.returncode == 0) == is_in, f"{pod} {'does not reach' if is_in else 'reaches'} the export")


def stays(lab, address):
    """What was written to it outlives another activation, and a restart of the host."""
    ask(lab, address, "insert into prices values (101, 1)")
    said = lab.activate("db3").stdout
    lab.expect("export-before" not in said, f"activate began the export anew:\n{said}")
    lab.hosts["db3"].shut_down()
    lab.hosts["db3"].boot()
    lab.hosts["db3"].wait()
    lab.wait_until("the export is there after a boot", lambda: ask(lab, address, "select count(*) from prices") == "101", 120, every=1)
    lab.wait_healthy()


def goes(lab):
    """Out of the description: pod and units go, and the directory stays."""
    del lab.description["barman_servers"]["barman"]["exports"]
    for pod in ["client-db1", "stranger"]:
        del lab.description["pods"][pod]["firewall"]["outbound"]
    lab.apply()
    left = lab.hosts["db3"].output("sh", "-c", _UNITS, check=False)
    lab.expect(not left, f"these stayed: {left}")
    lab.hosts["db3"].run("test", "-s", "/var/containerops/data/barman_restored/before/PG_VERSION")
    for name in _EXPORTS:
        lab.hosts["db3"].run("rm", "-rf", f"/var/containerops/data/barman_restored/{name}")
    lab.sql("db1", "drop table prices")
    lab.wait_whole("db3")
