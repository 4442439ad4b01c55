"""The platform under test: one description rendered, certified, delivered and activated on the lab's hosts, as an operator would."""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import time

from . import description, images, places, switch
from .host import Failed, Host
from .load import Load, Session

_BUNDLE = "/root/bundle"
# Patroni's REST API; patronictl takes a second to start.
_CLUSTER = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:8008/cluster', timeout=20).read().decode())"
# As ssh does: the words of a command become one line for the host's shell. rsync puts the account before the host.
_SSH = """#!/bin/bash
[ "$1" != -l ] || shift 2
host=${{1#root@}}
shift
exec {exec} "$host" bash -c "$*"
"""


class Platform:
    """Three hosts and what runs on them. Scenarios get one, fresh or as the scenario before left it: healthy."""

    # The directories of data that are disks of their own, with their sizes.
    disks = {}

    def __init__(self):
        self.directory = places.RUN / "operator"
        self.description = description.base()
        self.passwords = {name: description.password_of(name) for name in self.description["secrets"]}
        self.hosts = {name: Host(name, images.store(), self.disks) for name in self.description["hosts"]}
        self.measured = []
        # A table of a scenario's own, in Markdown.
        self.table = ""
        # What `run` was told.
        self.options = None
        self.is_full = False
        # When `activate` began on the fresh hosts.
        self.activated = 0.0

    # ------------------------------------------------------------------------------------ what a scenario says

    def measure(self, what, value, unit):
        """Notes a figure for the table."""
        self.measured.append((what, value, unit))
        print(f"     {what}: {value:.3g} {unit}" if isinstance(value, float) else f"     {what}: {value} {unit}", flush=True)

    @staticmethod
    def expect(is_so, otherwise):
        """Fails the scenario when something isn't so."""
        if not is_so:
            raise Failed(otherwise() if callable(otherwise) else otherwise)

    def wait_until(self, what, condition, seconds=60, every=0.2):
        """Waits until `condition` returns something true, and returns that and how long it took."""
        start = time.monotonic()
        last = None
        while time.monotonic() - start < seconds:
            try:
                answer = condition()
                if answer:
                    return answer, time.monotonic() - start
            except (Failed, subprocess.SubprocessError, ValueError) as problem:
                last = problem
            time.sleep(every)
        raise Failed(f"not within {seconds} s: {what}" + (f" ({last})" if last else ""))

    # -------------------------------------------------------------------------------------------- operator

    def everywhere(self, action, hosts=None):
        """Does something for several hosts at once; returns what came of it by host."""
        names = list(hosts or self.hosts)
        with concurrent.futures.ThreadPoolExecutor(len(names)) as pool:
            done = {name: pool.submit(action, self.hosts[name]) for name in names}
            return {name: future.result() for name, future in done.items()}

    def render(self):
        """Writes the description and renders it."""
        return self.render_with(cops_gen())

    def render_with(self, program):
        """Writes the description and renders it with that cops-gen."""
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "cluster.json").write_text(json.dumps(self.description, indent=2) + "\n")
        return self.operate(program, "render", "--out", "out")

    def certify(self, *arguments):
        """Issues what certificates are due."""
        return self.operate("out/operator/issue-certs", "--ca", "ca", "--keys", "keys", *(arguments or ["--new-ca"]))

    def operate(self, *argv, check=True):
        """Runs a program where the operator works: with nebula-cert, and apart from the hosts."""
        tools = self.directory / "bin"
        if not tools.exists():
            tools.mkdir(parents=True)
            (tools / "nebula-cert").symlink_to(places.tree() / "host/usr/bin/nebula-cert")
        done = subprocess.run([*map(str, argv)], cwd=self.directory, env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=1800)
        if check and done.returncode:
            raise Failed(f"{argv[0]}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def give_tools(self):
        """Gives the operator what pages and runbooks take for granted: ssh to the hosts, and the program under test."""
        tools = self.directory / "bin"
        (tools / "ssh").write_text(_SSH.format(exec=places.LAB / "exec"))
        (tools / "ssh").chmod(0o755)
        if not (tools / "cops-gen").exists():
            (tools / "cops-gen").symlink_to(cops_gen())

    def deliver(self, hosts=None):
        """Copies bundles and certificates to the hosts with rsync, as an operator would over ssh."""
        self.everywhere(lambda host: self._copy(f"out/hosts/{host.name}/", host, _BUNDLE + "/", "--recursive", "--times", "--links", "--executability", "--delete"), hosts)
        self.deliver_certificates(hosts)

    def deliver_certificates(self, hosts=None):
        """Copies certificates and keys alone."""
        self.everywhere(lambda host: self._copy(f"keys/hosts/{host.name}/", host, "/", "--recursive", "--times", "--omit-dir-times"), hosts)

    # Without --perms, so that no directory of the host gets the operator's modes.
    def _copy(self, source, host, target, *options):
        self.operate("rsync", *options, "-e", places.LAB / "exec", source, f"{host.name}:{target}")

    def deliver_secrets(self, host):
        """Writes every secret's source on a host."""
        for name, value in self.passwords.items():
            host.write(f"/etc/lab-secrets/{name}", value + "\n", mode="0400")

    def activate(self, host, *arguments, check=True, timeout=900):
        """Runs a host's `activate`."""
        return self.hosts[host].run(f"{_BUNDLE}/activate", *arguments, check=check, timeout=timeout)

    def apply(self, *arguments, status=0):
        """Renders the description as it is now, delivers it, and activates host after host; each must end with that status."""
        self.render()
        self.certify()
        self.deliver()
        return self.activate_each(*arguments, status=status)

    def activate_each(self, *arguments, status=0):
        """Activates host after host; each must end with that status. Returns what each said."""
        said = {}
        for host in self.hosts:
            done = self.activate(host, *arguments, check=False)
            self.expect(done.returncode == status, f"activate {arguments} on {host} ended with {done.returncode}\n{done.stdout}{done.stderr}")
            said[host] = done.stdout
        return said

    # --------------------------------------------------------------------------------------------- bring-up

    def add_host(self, name):
        """Adds a host to the lab, not to the description."""
        self.hosts[name] = Host(name, images.store(), self.disks)
        self.hosts[name].boot()
        self.hosts[name].wait()
        self.deliver_secrets(self.hosts[name])

    def bring_up(self):
        """From nothing to a healthy cluster; measured."""
        take_down()
        start = time.monotonic()
        self.everywhere(Host.boot)
        states = self.everywhere(Host.wait)
        self.expect(set(states.values()) == {"running"}, lambda: f"hosts did not boot whole: {states}")
        self.measure("three hosts booted", time.monotonic() - start, "s")
        self.everywhere(self.deliver_secrets)
        start = time.monotonic()
        self.render()
        self.certify()
        self.deliver()
        self.measure("rendered, certified, delivered", time.monotonic() - start, "s")
        self.activated = start = time.monotonic()
        self.everywhere(lambda host: self.activate(host.name))
        self.measure("`activate` on three hosts at once", time.monotonic() - start, "s")
        self.wait_until("the first write", lambda: self.sql("db3", "select 1") == "1", 120)
        self.measure("`activate` to first write", time.monotonic() - start, "s")
        self.wait_healthy()
        self.measure("`activate` to two streaming replicas", time.monotonic() - start, "s")

    # ------------------------------------------------------------------------------------------- the cluster

    def members(self, cluster=description.CLUSTER):
        """The members of a Patroni cluster, by host, as Patroni on any host that is up has them."""
        for host in self.hosts.values():
            if host.is_up:
                answer = host.run("podman", "exec", f"patroni-{cluster}-main", "python3", "-c", _CLUSTER, check=False, timeout=30)
                if answer.returncode == 0:
                    by_address = self._host_by_address()
                    return {by_address.get(member["host"], member["name"]): member for member in json.loads(answer.stdout)["members"]}
        raise Failed("no Patroni answers")

    def _host_by_address(self):
        return {endpoint["address"]: endpoint["host"] for endpoint in self.endpoints().values()}

    def endpoints(self, network=description.NETWORK):
        """The lock's endpoints: hostname -> host, address, port."""
        return json.loads((self.directory / "cluster.lock.json").read_text())["networks"][network]

    def leader(self, cluster=description.CLUSTER):
        """The host of the primary."""
        leaders = [host for host, member in self.members(cluster).items() if member["role"] == "leader" and member["state"] == "running"]
        self.expect(len(leaders) == 1, f"there are {len(leaders)} leaders")
        return leaders[0]

    def is_healthy(self, cluster=description.CLUSTER):
        """Whether one leads, all others stream, and, where asked for, one is synchronous."""
        wanted = self.description["patroni_clusters"][cluster]
        members = self.members(cluster)
        roles = sorted(member["role"] for member in members.values())
        states = [member["state"] for member in members.values() if member["role"] != "leader"]
        synchronous = wanted.get("synchronous_mode", "on") == "on" and len(wanted["members"]) > 1
        return (
            len(members) == len(wanted["members"]) + len(wanted.get("read_replicas", []))
            and roles.count("leader") == 1
            and all(state == "streaming" for state in states)
            and (not synchronous or roles.count("sync_standby") == 1)
        )

    def wait_healthy(self, seconds=180, cluster=description.CLUSTER):
        """Waits for `is_healthy`; returns how long it took."""
        return self.wait_until(f"a healthy cluster {cluster}", lambda: self.is_healthy(cluster), seconds, every=0.5)[1]

    def wait_whole(self, host):
        """Waits until a host has booted and no unit of it is failed. A health check that came before its database counts as failed until the
        next one, 30 s later; a check of backups that came while something was away is made again."""
        self.hosts[host].wait()
        again = "failed=$(systemctl list-units --failed --plain --no-legend 'backup-check-*' | cut -d ' ' -f 1); [ -z \"$failed\" ] || systemctl start $failed"
        self.hosts[host].run("sh", "-c", again, check=False)
        self.wait_until(f"no failed unit on {host}", lambda: self.hosts[host].wait() == "running", 60, every=1)

    def sql(self, host, statement, port=5432, check=True, timeout=30):
        """What a statement answers through a host's proxy, from the client pod on that host."""
        answer = self.hosts[host].run("podman", "exec", f"client-{host}-main", "psql", "--no-psqlrc", "-At", "-v", "ON_ERROR_STOP=1",
                                      "-p", port, "-c", statement, check=check, timeout=timeout)
        return answer.stdout.strip()

    def on_member(self, host, statement, check=True, database="postgres"):
        """What a statement answers on a host's own member of the cluster, as the superuser."""
        return self.hosts[host].output("podman", "exec", f"patroni-{description.CLUSTER}-main", "psql", "-XAt", "-h", "/run/postgresql", "-U", "postgres",
                                       "-d", database, "-c", statement, check=check, timeout=120)

    def close_segments(self, primary, count):
        """Writes so many segments of WAL."""
        self.on_member(primary, f"select pg_logical_emit_message(false, 'lab', 'a segment'), pg_switch_wal() from generate_series(1, {count})")

    def load(self, host, writers=4, port=5432):
        """A steady write load through a host's proxy: a context manager."""
        return Load(self.hosts[host], f"client-{host}-main", writers, port)

    def session(self, host, port=5432):
        """One open session through a host's proxy."""
        return Session(self.hosts[host], f"client-{host}-main", port)

    def in_pod(self, host, pod, *argv, **options):
        """Runs a program of the host in a pod's network namespace."""
        return self.hosts[host].run(*self._enter(host, pod), *argv, **options)

    def start_in_pod(self, host, pod, *argv, **options):
        """Starts a program of the host in a pod's network namespace."""
        return self.hosts[host].start(*self._enter(host, pod), *argv, **options)

    def _enter(self, host, pod):
        pid = self.hosts[host].output("podman", "inspect", "--format", "{{.State.Pid}}", f"{pod}-infra")
        return ["nsenter", "--target", pid, "--net", "--"]

    # ------------------------------------------------------------------------------------------- diagnosis

    def explain(self, directory):
        """Writes down what a person would look at first."""
        directory.mkdir(parents=True, exist_ok=True)
        looks = {"units": "systemctl list-units --no-pager --all '*-pod.service' '*-main.service' '*-nebula.service' 'host-*'",
                 "failed": "systemctl --failed --no-pager", "containers": "podman ps --all", "journal": "journalctl --no-pager -o short-precise -n 30000",
                 "patroni": "podman exec patroni-app-main patronictl list"}
        for host in self.hosts.values():
            if host.is_up:
                for name, command in looks.items():
                    answer = host.run("sh", "-c", command, check=False, timeout=60)
                    (directory / f"{host.name}-{name}").write_text(answer.stdout + answer.stderr)


class ThreeCandidates(Platform):
    """Quorum commits and a `timing`, as the newest edition has them."""

    def __init__(self):
        super().__init__()
        self.cluster = self.description["patroni_clusters"][description.CLUSTER]
        self.cluster.update(members=list(description.HOSTS), synchronous_mode="quorum", timing="fast")
        for name in ("read_replicas", "backup_replicas", "ttl", "loop_wait", "retry_timeout"):
            self.cluster.pop(name)

    def is_healthy(self, cluster=description.CLUSTER):
        states = sorted((member["role"], member["state"]) for member in self.members(cluster).values())
        return states == [("leader", "running"), *[("quorum_standby", "streaming")] * 2]


def cops_gen():
    """The program under test, built."""
    subprocess.run(["cargo", "build", "--quiet", "--locked"], cwd=places.ROOT, check=True)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", places.ROOT / "target"))
    return target / "debug/cops-gen"


def take_down():
    """Takes every host of this lab down, and what they wrote."""
    hosts = places.RUN / "hosts"
    for directory in sorted(hosts.iterdir()) if hosts.exists() else []:
        Host(directory.name).remove()
    switch.down()
    shutil.rmtree(places.RUN, ignore_errors=True)
