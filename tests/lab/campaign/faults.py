"""Each kind of fault: which host it may meet, for how long, how it begins and how it ends. What a fault ends by is a hand's work that a person would do
for that fault alone (power on, plug in, free the disk); all else must heal by itself."""

import dataclasses
import random
import re
import signal
import subprocess
import threading
import time

from lab import process, switch
from lab.host import Failed

PRIMARY, STANDBY, REPLICA = "primary", "standby", "replica"
ANY = [PRIMARY, PRIMARY, STANDBY, REPLICA]
_PATRONI, _ETCD, _PROXY, _BARMAN = "patroni-app-main.service", "etcd-main-main.service", "proxy-app-main.service", "barman-main.service"
# What starts a whole host anew; another fault of the same host waits for no answer of it.
_PATIENCE = 60


class Fault:
    """One fault at one host. `rng` decides what is left to chance, before anything begins."""

    kind = ""
    roles = ANY
    # The shortest and the longest time from begin to end.
    seconds = (3, 40)

    def __init__(self, lab, host, rng):
        self.lab, self.name, self.host, self.rng = lab, host, lab.hosts[host], random.Random(rng.random())
        # What is worth knowing afterwards.
        self.notes = []

    @property
    def others(self):
        """The other hosts."""
        return [name for name in self.lab.hosts if name != self.name]

    def prepare(self):
        """What takes time and is no fault yet."""

    def begin(self):
        """Breaks something."""

    def end(self):
        """Takes away what was done to it, and nothing else."""

    def settle(self):
        """What an operator does when all is well again."""


class Power(Fault):
    kind, seconds = "power of a host", (1, 40)

    def begin(self):
        self.host.cut_power()

    def end(self):
        self.host.boot()


class Rejoin(Power):
    """Off and at once on again: the other fault of the round meets a member that comes back."""

    kind, seconds = "power of a host, on again at once", (0.5, 2)


class Site(Fault):
    kind, seconds = "power of all hosts", (1, 20)

    def begin(self):
        self.lab.everywhere(lambda host: host.cut_power())

    def end(self):
        self.lab.everywhere(lambda host: host.boot())


class Cable(Fault):
    kind, seconds = "cable", (2, 60)

    def begin(self):
        switch.set_link(self.name, False)

    def end(self):
        switch.set_link(self.name, True)


class OthersCut(Fault):
    kind, roles, seconds = "cables of two hosts", [PRIMARY, STANDBY, REPLICA], (2, 60)

    def begin(self):
        for other in self.others:
            switch.set_link(other, False)

    def end(self):
        for other in self.others:
            switch.set_link(other, True)


class Flapping(Fault):
    kind, seconds = "cable, flapping", (10, 60)

    def __init__(self, lab, host, rng):
        super().__init__(lab, host, rng)
        self._done = threading.Event()

    def begin(self):
        self._thread = threading.Thread(target=self._flap, daemon=True)
        self._thread.start()

    def _flap(self):
        is_up = True
        while not self._done.wait(self.rng.uniform(0.2, 6)):
            is_up = not is_up
            switch.set_link(self.name, is_up)

    def end(self):
        self._done.set()
        self._thread.join()
        switch.set_link(self.name, True)


class Deaf(Fault):
    kind, seconds = "cable, nothing comes in", (2, 60)
    drops = (True, False)

    def begin(self):
        switch.set_deaf(self.name, *self.drops)

    def end(self):
        switch.set_deaf(self.name, False, False)


class Mute(Deaf):
    kind, drops = "cable, nothing goes out", (False, True)


# ---------------------------------------------------------------------------------------------------------- processes

@dataclasses.dataclass(frozen=True)
class Target:
    """How processes are found: by their unit, their name, their command line, and whether they are process 1 of their container. All of them are meant, or
    one of them that chance chooses."""

    unit: str
    name: str = ""
    command: str = ""
    is_first: bool | None = None
    is_one: bool = False
    roles: tuple = tuple(ANY)

    def fits(self, each):
        """Whether a process is one of those."""
        return (re.fullmatch(self.unit, each.unit) and self.name in ("", each.name) and re.search(self.command, each.command)
                and self.is_first in (None, each.inner == 1))


_TARGETS = {
    # Process 1 starts it, and outlives it.
    "Patroni": Target(_PATRONI, command=r"patroni\.yml", is_first=False),
    "process 1 of Patroni's container": Target(_PATRONI, is_first=True),
    "PostgreSQL, all": Target(_PATRONI, "postgres"),
    "PostgreSQL, a backend": Target(_PATRONI, "postgres", r"^postgres: \S+ (app|postgres) app ", is_one=True, roles=(PRIMARY,)),
    "PostgreSQL, a WAL sender": Target(_PATRONI, "postgres", r"^postgres: \S+ walsender ", is_one=True, roles=(PRIMARY,)),
    "etcd": Target(_ETCD, "etcd"),
    "HAProxy": Target(_PROXY, "haproxy"),
    "Nebula of a pod": Target(r"(patroni-app|etcd-main|proxy-app)-nebula.service", "nebula", is_one=True),
    "Nebula of all pods": Target(r"\S+-nebula.service|host-internal.service", "nebula"),
    "Barman's receiver": Target(_BARMAN, command=r"pg_receivewal|receive-wal", roles=(REPLICA,)),
    "conmon": Target(r"(patroni-app|etcd-main|proxy-app)-main.service", "conmon", is_one=True),
    "journald": Target("systemd-journald.service"),
}


class OfProcesses(Fault):
    """Sends signals to processes of a host, from outside."""

    target = ""

    def find(self):
        """The processes that are meant, each with when it started."""
        target = _TARGETS[self.target]
        found = sorted(filter(target.fits, self.host.processes()), key=lambda each: each.pid)
        if target.is_one and found:
            found = [self.rng.choice(found)]
        if not found:
            raise Failed(f"there is no such process on {self.name}")
        self.notes.append(f"{self.kind} on {self.name}: {len(found)} of {found[0].unit}, the first is: {found[0].command[:60]}")
        return [(each.pid, process.started(each.pid)) for each in found]


class Kill(OfProcesses):
    seconds = (0, 0)

    def begin(self):
        for pid, _ in self.find():
            process.kill(pid)


class Freeze(OfProcesses):
    _frozen = ()

    def begin(self):
        self._frozen = self.find()
        for pid, _ in self._frozen:
            process.kill(pid, signal.SIGSTOP)

    def end(self):
        for pid, start in self._frozen:
            if start is not None and process.started(pid) == start:
                process.kill(pid, signal.SIGCONT)


class FreezeContainer(Fault):
    kind = "freeze of the Patroni container"
    unit = _PATRONI
    _groups = ()

    def begin(self):
        self._groups = sorted({each.group for each in self.host.processes() if each.unit == self.unit and each.inner == 1})
        self._set("1")

    def _set(self, value):
        for group in self._groups:
            try:
                (group / "cgroup.freeze").write_text(value)
            except FileNotFoundError:
                pass

    def end(self):
        self._set("0")


class FreezeEtcd(FreezeContainer):
    kind, unit = "freeze of the etcd container", _ETCD


class FreezeHost(Fault):
    kind = "freeze of a host"

    def begin(self):
        self.host.freeze(True)

    def end(self):
        self.host.freeze(False)


# -------------------------------------------------------------------------------------------------- disks, shares, rules


class FullDisk(Fault):
    kind, disk, seconds = "PostgreSQL's disk full", "patroni", (5, 60)

    def begin(self):
        self.host.fill_disk(self.disk)

    def end(self):
        self.host.free_disk(self.disk)


class FullDiskOfEtcd(FullDisk):
    kind, disk = "etcd's disk full", "etcd"


class ReadOnlyDisk(Fault):
    """Ends as it would anywhere: with a boot, which repairs the file system."""

    kind, disk = "PostgreSQL's disk read-only", "patroni"

    def begin(self):
        self.host.fail_disk(self.disk)

    def end(self):
        self.host.cut_power()
        self.host.boot()


class ReadOnlyDiskOfEtcd(ReadOnlyDisk):
    kind, disk = "etcd's disk read-only", "etcd"


class FewProcessors(Fault):
    kind, seconds = "a tenth of the CPU", (10, 60)
    _hits = 0

    def begin(self):
        self._hits = self.host.limits_hit()[0]
        self.host.limit_cpu(0.1)

    def end(self):
        self.host.limit_cpu()
        self.notes.append(f"{self.kind} on {self.name}: wanted more {self.host.limits_hit()[0] - self._hits} times")


class LittleMemory(Fault):
    kind, seconds = "memory pressure", (10, 60)
    _hits = 0

    def begin(self):
        self._hits = self.host.limits_hit()[1]
        for spare in [16, 32, 64, 128, 256]:
            try:
                self.host.limit_memory(spare << 20)
                return
            except OSError:
                # More than that is in use and can't be given back at once.
                continue
        raise Failed(f"{self.name} takes no limit of memory")

    def end(self):
        self.host.limit_memory()
        self.notes.append(f"{self.kind} on {self.name}: wanted more {self.host.limits_hit()[1] - self._hits} times")


class NoRules(Fault):
    """What the host's own rules were is brought back by what made them."""

    kind, seconds = "nft flush ruleset", (5, 40)

    def begin(self):
        self.host.run("nft", "flush", "ruleset", timeout=_PATIENCE)

    def end(self):
        self.host.run("systemctl", "reload", "containerops-underlay.service", timeout=_PATIENCE)
        self.host.run("podman", "network", "reload", "--all", check=False, timeout=_PATIENCE)


class DaemonReload(Fault):
    kind, seconds = "systemctl daemon-reload", (0, 0)

    def begin(self):
        self.host.run("systemctl", "daemon-reload", check=False, timeout=_PATIENCE)


# ----------------------------------------------------------------------------------------------------- work of operators


class Work(Fault):
    """Something that is at work while the other fault of the round comes; its own end is part of the round."""

    seconds = (0, 0)
    _process = None

    def command(self):
        """What is run on the host."""
        raise NotImplementedError

    def begin(self):
        self._process = self.host.start(*self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def end(self):
        if self._process is None:
            return
        try:
            said, _ = self._process.communicate(timeout=240)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
            self.notes.append(f"{self.kind} on {self.name} hung for 240 s")
        self.notes.append(f"{self.kind} on {self.name}: exit {self._process.returncode}: {' '.join(said.split())[-160:]}")


class Activate(Work):
    """With a parameter that reloads."""

    kind = "activate"
    # 3: what another fault of the round has changed waits for `--roll`, and that fault's own end rolls it.
    done = (0, 3)

    def prepare(self):
        parameters = self.lab.description["patroni_clusters"]["app"]["postgres_config"]["parameters"]
        parameters["work_mem"] = f"{self.rng.randint(4000, 9000)}kB"
        self._deliver()

    def _deliver(self):
        self.lab.render()
        self.lab.certify()
        self.lab.deliver()

    def command(self):
        return ["/root/bundle/activate"]

    def settle(self):
        # As its page says of one that was interrupted: run it again.
        for host in self.lab.hosts:
            if self.lab.activate(host, *self.command()[1:], check=False).returncode not in self.done:
                time.sleep(20)
                again = self.lab.activate(host, *self.command()[1:], check=False)
                self.lab.expect(again.returncode in self.done, f"{host}: exit {again.returncode}: {again.stdout[-2000:]}{again.stderr[-2000:]}")


class Roll(Activate):
    """With units of members that have changed."""

    kind = "activate --roll"
    done = (0,)

    def prepare(self):
        seconds = str(self.rng.randint(901, 1800))
        overrides = self.lab.description.setdefault("overrides", {})
        overrides.update({f"{unit}-main.container": {"Service": {"TimeoutStartSec": seconds}} for unit in ["patroni-app", "etcd-main"]})
        self._deliver()

    def command(self):
        return ["/root/bundle/activate", "--roll"]


class Backup(Work):
    kind, roles = "base backup", [REPLICA]

    def command(self):
        return ["barman", "backup", "app"]


class CopyAnew(Work):
    kind, roles = "patronictl reinit", [STANDBY, REPLICA]

    def command(self):
        return ["patronictl", "reinit", "app", self.lab.members()[self.name]["name"], "--force", "--wait"]


def _of_processes():
    for name, target in _TARGETS.items():
        for verb, base in [("kill -9", Kill), ("freeze", Freeze)]:
            yield type(f"{base.__name__} {name}", (base,), {"kind": f"{verb}: {name}", "target": name, "roles": list(target.roles)})


KINDS = {each.kind: each for each in [
    Power, Rejoin, Site, Cable, OthersCut, Flapping, Deaf, Mute, *_of_processes(), FreezeContainer, FreezeEtcd, FreezeHost, FullDisk, FullDiskOfEtcd,
    ReadOnlyDisk, ReadOnlyDiskOfEtcd, FewProcessors, LittleMemory, NoRules, DaemonReload, Activate, Roll, Backup, CopyAnew,
]}


@dataclasses.dataclass
class Planned:
    """A fault of a round: what, whose host, when it begins and how long it lasts, in seconds from the round's begin."""

    kind: str
    role: str
    at: float
    seconds: float
    # What the fault itself leaves to chance.
    chance: int


def plan(seed, kinds=None):
    """The faults of a round: the same for the same seed, whoever is the primary."""
    rng = random.Random(seed)
    planned = []
    for _ in range(rng.choice([1, 2])):
        kind = rng.choice(list(kinds or KINDS))
        role = rng.choice(KINDS[kind].roles)
        # The second comes before the first has ended, or while it heals.
        at = rng.uniform(3, 10) if not planned else planned[0].at + rng.uniform(0, planned[0].seconds + 15)
        planned.append(Planned(kind, role, at, rng.uniform(*KINDS[kind].seconds), rng.getrandbits(32)))
    return planned
