"""Three hosts with an etcd and a Patroni member each, as the rendered example says: two candidates and a replica for reading."""

import json
import shutil
import urllib.error
import urllib.request

import psycopg2

from . import rendered
from .case import Failed
from .etcd import Etcd
from .host import Container, Host, address_on_switch, own_switch

# What process 1 of a member's container is: Patroni as it is; the start program (cure and fence); a shell above it, and so no fence.
STOCK, FIXED, UNFENCED = "stock", "fixed", "unfenced"
_PATH = "/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CONFIG = "/etc/patroni/patroni.yml"
# The words that tell Patroni, and the fence above it, from PostgreSQL.
PATRONI = "patroni.yml"


class Member:
    """One host of the cluster."""

    def __init__(self, case, name, kind, environment, parameters):
        self.name, self.address = name, rendered.member_address(name)
        # Patroni's address comes first: it is the one that its requests come from, and its REST interface knows no other.
        self.host = Host(case, name, self.address, rendered.etcd_address(name))
        directory = self.host.directory
        self.etcd = Container(self.host, "etcd", ["etcd", "--log-level=warn"], "etcd", {"/var/lib/etcd": directory / "etcd-data"},
                              {"PATH": _PATH, **rendered.etcd_environment(name)}, rendered.restart_seconds("etcd-main-main"))
        start = ["python3", case.programs["start"]]
        program = {STOCK: ["/usr/bin/patroni"], FIXED: start, UNFENCED: ["sh", "-c", '"$@"; exit $?', "sh", *start]}[kind]
        places = {"settings": "/etc/patroni", "data": "/var/lib/postgresql", "run": "/run/postgresql", "tmp": "/tmp"}
        mounts = {target: directory / source for source, target in places.items()}
        environment = {"PATH": _PATH, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", **environment}
        self.patroni = Container(self.host, "patroni", [*program, _CONFIG], "postgres", mounts, environment, rendered.restart_seconds("patroni-app-main"))
        # JSON is YAML.
        (directory / "settings/patroni.yml").write_text(json.dumps(rendered.member_settings(name, parameters), indent=1))
        shutil.copy(rendered.rewind(name), directory / "settings")
        self.keeper = Container(self.host, "keeper", ["python3", case.programs["finder"]], "postgres",
                                {"/etc/keeper": directory / "keeper-settings", "/tmp": directory / "keeper-tmp"}, environment, 2)
        shutil.copy(rendered.keeper_config(name), directory / "keeper-settings")

    def connect(self):
        connection = psycopg2.connect(host=self.address, dbname="postgres", user="postgres", connect_timeout=2, keepalives_idle=2, keepalives_interval=1,
                                      keepalives_count=3, tcp_user_timeout=4000)
        connection.autocommit = True
        return connection

    def query(self, statement):
        """The rows of a query on this very member."""
        connection = self.connect()
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def status(self):
        """What Patroni says about its member; empty while it doesn't answer."""
        try:
            with urllib.request.urlopen(f"http://{self.address}:8008/patroni", timeout=1) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)
        except (OSError, ValueError):
            return {}

    def is_primary(self):
        status = self.status()
        return status.get("role") in ("primary", "master") and status.get("state") == "running"

    def is_streaming(self):
        return self.status().get("replication_state") == "streaming"

    def patronictl(self, *argv, check=True):
        return self.patroni.exec("patronictl", "-c", _CONFIG, *argv, check=check)

    def cut_power(self):
        """Ends every process of the host at once."""
        for container in (self.keeper, self.patroni, self.etcd):
            container.stop()

    def power_on(self):
        self.etcd.start()
        self.patroni.start()


class Cluster:
    """The members in the order of their hosts. `environments` adds to what Patroni and PostgreSQL of a host see,
    `parameters` to the settings of PostgreSQL."""

    def __init__(self, case, kind, environments=None, parameters=None):
        self.case = case
        own_switch()
        address_on_switch(rendered.member_address("db1").rpartition(".")[0] + ".254")
        self.members = [Member(case, name, kind, (environments or {}).get(name, {}), parameters or {}) for name in rendered.NAMES]
        self.etcd = Etcd(case, {name: rendered.etcd_address(name) for name in rendered.NAMES})
        self.ttl, self.loop_wait = rendered.dynamic()["ttl"], rendered.dynamic()["loop_wait"]

    def __getitem__(self, name):
        return next(member for member in self.members if member.name == name)

    def start(self):
        """Brings up a healthy cluster: db1 is the primary, db2 its synchronous standby, and etcd's leader is on db3."""
        first, *others = self.members
        with self.case.gate:
            self.case.say("a cluster starts")
            for member in self.members:
                member.etcd.start()
            self.case.wait_until("etcd has a leader", self.etcd.leader, 60)
            first.patroni.start()
            self.case.wait_until(f"{first.name} is the primary", first.is_primary, 120)
            for member in others:
                member.patroni.start()
            self.wait_healthy(180)
        self.etcd.move_leader(self.members[-1].name)
        self.case.say(f"{first.name} is the primary, {self.synchronous()} its synchronous standby, etcd's leader is on {self.etcd.leader()}")

    def primary(self):
        """The member that holds the lock and says that it is the primary."""
        name = self.etcd.key("leader")
        member = self[name] if name else None
        return member if member and member.is_primary() else None

    def synchronous(self):
        """The name of the synchronous standby, None without one."""
        return json.loads(self.etcd.key("sync") or "{}").get("sync_standby")

    def is_healthy(self):
        """The primary, if the others stream from it on its timeline and one of them is its synchronous standby."""
        primary = self.primary()
        if not primary or not self.synchronous():
            return None
        timeline = primary.status().get("timeline")
        others = [member.status() for member in self.members if member is not primary]
        return primary if all(status.get("replication_state") == "streaming" and status.get("timeline") == timeline for status in others) else None

    def wait_healthy(self, seconds=60):
        """Waits until all is well, and returns the primary."""
        try:
            return self.case.wait_until("the cluster is whole", self.is_healthy, seconds, every=0.3)
        except Failed as failed:
            raise Failed(f"{failed}; {self.describe()}") from None

    def describe(self):
        """One line about every member."""
        words = []
        for member in self.members:
            status = member.status()
            state = f"{status.get('role')}/{status.get('state')} timeline {status.get('timeline')}"
            words.append(f"{member.name} {state} {status.get('replication_state', '')}".strip())
        return "; ".join(words) + f"; lock {self.etcd.key('leader')}, sync {self.etcd.key('sync')}"

    def close(self):
        for member in self.members:
            member.cut_power()
        for member in self.members:
            member.host.remove()
