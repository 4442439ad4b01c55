"""Awkward passwords connect, are found nowhere, are changed under load, interrupted and finished; a late source is waited for."""

import base64
import json
import random
import time
import urllib.parse

from lab import description

# How each cluster role of ours logs in, from a member's container: the role and its secret.
_ROLES = {"postgres": "pg-superuser", "replicator": "pg-replication", "rewind": "pg-rewind"}


def run(lab):
    search(lab)
    rotate(lab)
    wait_for_source(lab)
    search(lab)


def search(lab):
    """No password stands, in any encoding, where it isn't needed; the same search finds it where it is."""
    looks = {
        "inspect": "podman inspect $(podman ps -aq) $(podman pod ps -q)",
        "units": "cat /etc/containers/systemd/* /run/systemd/generator/*.service /etc/systemd/system/containerops* 2>/dev/null",
        "config": "grep -rh . /etc/containerops /var/lib/containerops /root/bundle --exclude=*.key",
        "processes": "ps -eo args",
        "journal": "journalctl --no-pager -o cat",
    }
    for host in lab.hosts.values():
        control = host.output("cat", "/etc/lab-secrets/pg-app")
        lab.expect(found(lab, control), "the search would find nothing")
        for what, command in looks.items():
            text = host.run("sh", "-c", command, check=False, timeout=120).stdout
            lab.expect(len(text) > 200, f"{host.name}: there was nothing to search in {what}")
            lab.expect(not found(lab, text), f"{host.name}: {what} holds {found(lab, text)}")


def found(lab, text):
    """The secrets whose value is in the text, in any encoding."""
    return [name for name, value in lab.passwords.items() if any(form in text for form in forms(value))]


def forms(value):
    """A value as formats write it. What every password has in common is no sign of one."""
    raw = value.encode()
    yield from [value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], urllib.parse.quote(value), urllib.parse.quote_plus(value), raw.hex()]
    # Whatever stands before it, one of three ways to write its middle.
    for shift in range(3):
        yield base64.b64encode(b"x" * shift + raw)[4:-4].decode()


def rotate(lab):
    """All passwords are changed at once, `activate` is killed on the way; then the members are rolled. Nothing loses its way to the database."""
    leader = lab.leader()
    lab.passwords = {name: f"second {description.password_of(name)}" for name in lab.passwords}
    old = lab.hosts["db3"].read("/etc/lab-secrets/pg-app").rstrip("\n")
    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        start = time.monotonic()
        for name in [name for name in lab.passwords if name != "pg-app"]:
            for host in lab.hosts.values():
                host.write(f"/etc/lab-secrets/{name}", lab.passwords[name] + "\n", mode="0400")
        for _ in range(6 if lab.is_full else 2):
            for host in lab.hosts.values():
                host.run("timeout", "--signal=KILL", f"{random.uniform(2, 8):.2f}", "/root/bundle/activate", check=False)
        lab.activate_each(status=3)
        lab.expect(lab.leader() == leader, "a changed password made the cluster fail over")
        check_logins(lab)
        lab.activate_each("--roll")
        lab.measure("four passwords changed, three hosts rolled", time.monotonic() - start, "s")
        time.sleep(2)
    lab.measure("passwords changed: gap in writes", load.account.gap, "s")
    lab.expect(load.account.lost == 0 and load.account.gap < 15, f"passwords changed: {load.account}")
    lab.wait_healthy()
    check_logins(lab)

    for host in lab.hosts.values():
        host.write("/etc/lab-secrets/pg-app", lab.passwords["pg-app"] + "\n", mode="0400")
    # A role's password is the members' own business: none of them restarts.
    lab.activate_each()
    for host in lab.hosts:
        lab.wait_until(f"the client on {host} logs in", lambda host=host: lab.sql(host, "select 1") == "1", 30)
        refused = lab.hosts[host].run("podman", "exec", "--interactive", f"client-{host}-main", "bash", "-c", 'PGPASSWORD=$(cat) exec psql -XAtc "select 1"',
                                      input=old, check=False)
        lab.expect(refused.returncode != 0, "the old password still works")
    for host, text in lab.activate_each().items():
        lab.expect("Nothing to do" in text, f"{host} was left with something to do:\n{text}")
    keep_lock(lab.hosts["db1"], lab)


def keep_lock(host, lab):
    """Nothing that may outlive a killed `activate` has its lock: no container and what watches over it."""
    watch = """
        /root/bundle/activate >/dev/null & activate=$!
        while kill -0 $activate 2>/dev/null; do
            for fd in /proc/[0-9]*/fd/9; do
                [ "$(readlink "$fd")" != /var/lib/containerops/lock ] || cat "${fd%/fd/9}/comm"
            done
        done 2>/dev/null | sort -u"""
    holders = host.output("bash", "-c", watch).split()
    lab.expect("activate" in holders, f"`activate` was not seen with its lock, only {holders}: nothing is tested")
    lab.expect(not {"conmon", "crun"} & set(holders), f"the lock of `activate` is handed on to {holders}")


def check_logins(lab):
    """Every role logs in with the password of now; Barman too, through its passfile."""
    primary = next(entry["address"] for name, entry in lab.endpoints().items() if name == f"{lab.leader()}.app.example.internal")
    for role, secret in _ROLES.items():
        replication, statement = ("replication=true", "IDENTIFY_SYSTEM") if role == "replicator" else ("", "select 1")
        ask = f'PGPASSWORD=$(cat) exec psql -XAt -c "{statement}" "host={primary} user={role} dbname=postgres {replication}"'
        # On standard input: a value is nobody's argument, not even here.
        answer = lab.hosts["db1"].run("podman", "exec", "--interactive", "patroni-app-main", "bash", "-c", ask, input=lab.passwords[secret], check=False)
        lab.expect(answer.returncode == 0, f"{role} can't log in: {answer.stderr}")
    said = lab.hosts["db3"].run("barman", "check", "app", check=False).stdout
    for line in ["PostgreSQL: OK", "PostgreSQL streaming: OK"]:
        lab.expect(line in said, f"Barman lost its way to the database:\n{said}")


def wait_for_source(lab):
    """A secret that no boot finds yet holds up who uses it, and nobody else, until its source is there."""
    host = lab.hosts["db3"]
    host.run("sh", "-c", "mv /etc/lab-secrets/pg-app /root/late && podman secret rm containerops.secret.pg-app")
    host.shut_down()
    host.boot()
    lab.wait_until("etcd runs on db3", lambda: host.output("systemctl", "is-active", "etcd-main-main.service", check=False) == "active", 90)
    time.sleep(60 if lab.is_full else 10)
    lab.expect(host.output("systemctl", "is-active", "client-db3-main.service", check=False) != "active", "a container runs without its secret")
    host.run("mv", "/root/late", "/etc/lab-secrets/pg-app")
    _, seconds = lab.wait_until("the client on db3 logs in", lambda: lab.sql("db3", "select 1", check=False) == "1", 90)
    lab.measure("a late source: its container works after", seconds, "s")
