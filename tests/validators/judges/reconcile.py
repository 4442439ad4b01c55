"""reconcile.sh, run as Patroni runs it, makes the roles and databases of the description, whatever their passwords hold."""

import base64
import os
import re
import shutil
from pathlib import Path

from bundle import output, run
from mounts import config_mounts, mount_config
from scratch import AS_POSTGRES, PASSWORDS, Server

PROVES = "reconcile.sh makes roles, ugly passwords and databases on a real PostgreSQL 17; a second run changes nothing"
WEIGHT = 20
DELIVERED = Path("/run/secrets/passwords")
TRUST = "local all postgres trust\nhost all all all scram-sha-256\n"


def judge(tree, verdict):
    done = set()
    for host in tree.hosts:
        for unit in sorted(host.quadlet.glob("patroni-*-main.container")):
            cluster = unit.name.removeprefix("patroni-").removesuffix("-main.container")
            scripts = [source / "reconcile.sh" for source, _ in config_mounts(host, unit.name) if (source / "reconcile.sh").exists()]
            for sql in host.files("reconcile.sql"):
                if f"/patroni-{cluster}/" in str(sql):
                    verdict.judged(sql)
            # Members differ in nothing here: one of each cluster tells.
            if scripts and cluster not in done:
                done.add(cluster)
                judge_cluster(host, unit, (tree.description["patroni_clusters"][cluster], verdict))


def judge_cluster(host, unit, entry_and_verdict):
    entry, verdict = entry_and_verdict
    script = next(target / "reconcile.sh" for source, target in config_mounts(host, unit.name) if (source / "reconcile.sh").exists())
    run(["mount", "--make-private", "/"])
    mount_config(host, unit.name)
    hba = Path("/tmp/pg_hba.conf")
    hba.write_text(TRUST)
    hba.chmod(0o644)
    socket = Path("/run/postgresql")
    socket.mkdir(exist_ok=True)
    shutil.chown(socket, "postgres", "postgres")
    roles = wanted_roles(entry)
    with Server(hba_file=hba, unix_socket_directories=f"{socket},/tmp/postgres-socket", listen_addresses="127.0.0.1") as server:
        for name in ("replicator", "rewind"):
            server.make_role(name, "Patroni makes it")
        for turn in range(0, len(PASSWORDS), 2) if verdict.tree.name in ("example", "out") else range(1):
            passwords = {secret: PASSWORDS[(turn + number) % len(PASSWORDS)] for number, secret in enumerate(sorted(set(roles.values())))}
            deliver({role: passwords[secret] for role, secret in roles.items()})
            for _ in range(2 if turn == 0 else 1):
                reconcile(unit, script, verdict)
            for role, secret in roles.items():
                judge_login(unit, role, (passwords[secret], verdict))
            judge_wrong_password(unit, list(roles)[turn % len(roles)], (passwords, verdict))
        owners = {name: entry["databases"][name]["owner"] for name in entry.get("databases", {})}
        seen = dict(server.query("select datname, pg_get_userbyid(datdba) from pg_database where not datistemplate and datname <> 'postgres'"))
        verdict.differs(unit, "databases and their owners", owners, seen)
        seen = {name for name, in server.query("select rolname from pg_roles where rolname !~ '^pg_'")}
        verdict.differs(unit, "roles", sorted(roles), sorted(seen))
        mighty = {name for name, in server.query("select rolname from pg_roles where rolsuper or rolcreaterole or rolcreatedb or rolbypassrls")}
        verdict.differs(unit, "roles with more than a login", {"postgres"}, mighty)
    for _, target in config_mounts(host, unit.name):
        run(["umount", target])
    shutil.rmtree("/tmp/postgres")
    shutil.rmtree("/tmp/postgres-socket")


def wanted_roles(entry):
    """Each role and the secret of its password."""
    roles = {"postgres": entry["superuser_secret"], "replicator": entry["replication_secret"], "rewind": entry["rewind_secret"]}
    if "barman_secret" in entry:
        roles |= dict.fromkeys(["barman", "streaming_barman", "barman_canary"], entry["barman_secret"])
    roles |= {name: role["secret"] for name, role in entry.get("roles", {}).items()}
    return roles


def deliver(passwords):
    DELIVERED.parent.mkdir(exist_ok=True)
    DELIVERED.write_text("".join(f"{role} {base64.b64encode(password.encode()).decode()}\n" for role, password in passwords.items()))
    DELIVERED.chmod(0o400)
    shutil.chown(DELIVERED, "postgres", "postgres")


def reconcile(unit, script, verdict):
    done = run([*AS_POSTGRES, "bash", script, "host=/run/postgresql user=postgres dbname=postgres"], cwd="/tmp", env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"})
    if done.returncode or output(done).strip():
        verdict.problem(unit, f"{script.name} ended with {done.returncode}: {output(done)}")
    if any(re.search(re.escape(word), Path("/tmp/postgres.log").read_text()) for word in PASSWORDS if len(word) > 3):
        verdict.problem(unit, f"{script.name} left a password in the server's log")


def log_in(role, password):
    env = {"PATH": os.environ["PATH"], "PGPASSWORD": password, "LC_ALL": "C.UTF-8"}
    return run(["psql", "-XAtqw", "-h", "127.0.0.1", "-U", role, "-d", "postgres", "-c", "select 'in'"], env=env)


def judge_login(unit, role, password_and_verdict):
    password, verdict = password_and_verdict
    done = log_in(role, password)
    if done.stdout != "in\n":
        verdict.problem(unit, f"{role} can't log in with password {password!r}: {output(done)}")


def judge_wrong_password(unit, role, passwords_and_verdict):
    passwords, verdict = passwords_and_verdict
    if log_in(role, "not " + "".join(passwords.values())).stdout == "in\n":
        verdict.problem(unit, f"{role} logs in with any password: this judge proves nothing")
