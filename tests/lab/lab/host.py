"""One systemd host: booted from the shared tree in namespaces of its own, shut down, cut from its power, frozen, starved, or with a disk that fails."""

import dataclasses
import errno
import json
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import time
import uuid

from . import limits, mirror, places, process, switch

# The container engine's limits on this machine: it lacks CAP_SYS_RESOURCE and has no controllers to give.
_CONTAINERS_CONF = """\
[containers]
pids_limit = 0
log_driver = "journald"
default_ulimits = ["nofile=20000:20000", "nproc=30000:30000"]
[engine]
cgroup_manager = "systemd"
events_logger = "file"
runtime = "crun"
[network]
firewall_driver = "nftables"
"""

_STORAGE_CONF = """\
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
"""

_SHARED_IMAGES = """\
[storage.options]
additionalimagestores = ["/var/lib/lab-images"]
"""

# Where a store of images says which it has.
_LIST = "overlay-images/images.json"

_JOURNAL_CONF = """\
[Journal]
Storage=persistent
SystemMaxUse=200M
RateLimitIntervalSec=0
"""


class Failed(Exception):
    """Something isn't as it must be."""


@dataclasses.dataclass(frozen=True)
class Process:
    """A process of a host: its pid on this machine, its pid in the innermost namespace, its unit, name, command line and control group."""

    pid: int
    inner: int
    unit: str
    name: str
    command: str
    group: pathlib.Path


class Host:
    """A host of the lab. `images` is a directory of images that it shares, read-only. `disks` are the directories of its data that are file systems of
    their own, each with its size: those can fill up and fail."""

    def __init__(self, name, images=None, disks=None):
        self.name = name
        self.images = images
        self.disks = disks or {}
        self.address = switch.address_of(name)
        self.directory = places.RUN / "hosts" / name
        self._group = places.cgroups() / f"cops-{places.NAME}" / name

    # ------------------------------------------------------------------------------------------------ power

    @property
    def is_up(self):
        return process.recall(self.directory / "init") is not None

    def boot(self):
        """Starts the host and returns once its systemd runs. `wait` waits for the rest."""
        if self.is_up:
            return
        self._prepare()
        self._plug()
        self._group.mkdir(parents=True, exist_ok=True)
        for group in self._limits().values():
            group.mkdir(exist_ok=True)
        script = self.directory / "boot"
        script.write_text(self._boot_script())
        with open(self.directory / "console.log", "ab") as console:
            nspawn = subprocess.Popen(
                ["unshare", "--mount", "bash", script], stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True
            )
        process.remember(self.directory / "nspawn", nspawn.pid)
        end = time.monotonic() + 120
        while time.monotonic() < end:
            if nspawn.poll() is not None:
                break
            for pid in process.children(nspawn.pid):
                if process.name_of(pid) == "systemd":
                    process.remember(self.directory / "init", pid)
                    return
            time.sleep(0.05)
        raise Failed(f"{self.name} did not boot:\n" + (self.directory / "console.log").read_text()[-2000:])

    def wait(self, seconds=120):
        """Waits until systemd has done what booting asks for; returns its word on that: running or degraded."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.run("test", "-S", "/run/dbus/system_bus_socket", check=False).returncode == 0:
                break
            time.sleep(0.1)
        answer = self.run("timeout", str(seconds), "systemctl", "is-system-running", "--wait", check=False)
        return answer.stdout.strip()

    def cut_power(self):
        """Ends the host at once. This machine's page cache outlives it: what was written is there, synced or not."""
        # A host whose boot took too long has no known init.
        pid = process.recall(self.directory / "init") or process.recall(self.directory / "nspawn")
        if pid:
            process.kill(pid)
            # What holds a frozen host up is frozen itself, and must see its end.
            self.freeze(False)
        self._await_end(60)

    def shut_down(self, seconds=240):
        """Shuts the host down as its power button would."""
        pid = process.recall(self.directory / "init")
        if pid:
            process.kill(pid, signal.SIGRTMIN + 4)
        self._await_end(seconds)

    def reinstall(self):
        """Takes away all but the disk of /var/containerops, as when a new machine gets the old one's data."""
        self.cut_power()
        for part in ["upper", "work", "root", "containers", "journal", "tun", "fuse"]:
            path = self.directory / part
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def remove(self):
        """Takes the host and its data away."""
        self.cut_power()
        switch.unplug(self.name)
        shutil.rmtree(self.directory, ignore_errors=True)

    def _await_end(self, seconds):
        for file in ["init", "nspawn"]:
            pid = process.recall(self.directory / file)
            if pid and not process.wait_for_end(pid, seconds):
                process.kill(pid)
                raise Failed(f"{self.name} did not end within {seconds} s")
            (self.directory / file).unlink(missing_ok=True)
        if self._group.exists():
            subprocess.run(["find", self._group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], stderr=subprocess.DEVNULL)
        for group in (self.directory / "limits").read_text().splitlines() if (self.directory / "limits").exists() else []:
            subprocess.run(["rmdir", group], stderr=subprocess.DEVNULL)

    # ---------------------------------------------------------------------------------- what happens to it from outside

    def processes(self):
        """Every process of the host."""
        found = []
        for directory, _, files in os.walk(self._group / "payload"):
            group = pathlib.Path(directory)
            unit = next((part for part in reversed(group.parts) if part.endswith((".service", ".scope"))), "")
            for pid in map(int, (group / "cgroup.procs").read_text().split() if "cgroup.procs" in files else []):
                try:
                    status = pathlib.Path(f"/proc/{pid}/status").read_text()
                    command = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                inner = int(status.partition("NSpid:")[2].splitlines()[0].split()[-1])
                found.append(Process(pid, inner, unit, process.name_of(pid), command, group))
        return found

    def group_of(self, unit):
        """Where the control groups of a service's containers are."""
        return self._group / "payload/system.slice" / f"{unit}.service"

    def freeze(self, is_frozen):
        """Stops the whole host, as a paused virtual machine, or lets it go on. Its clock goes on meanwhile."""
        (self._group / "cgroup.freeze").write_text("1" if is_frozen else "0")

    def limit_cpu(self, share=None):
        """Leaves the host this share of this machine's processors; all, without one."""
        quota = -1 if share is None else int(share * os.cpu_count() * limits.PERIOD)
        self._limit("cpu", "cpu.cfs_quota_us", quota)

    def limit_memory(self, spare=None):
        """Leaves the host so many bytes beside what its processes have now and can't give back; any number, without it."""
        if spare is None:
            self._limit("memory", "memory.limit_in_bytes", -1)
            return
        stat = dict(line.split() for line in (self._limit_group("memory") / "memory.stat").read_text().splitlines())
        self._limit("memory", "memory.limit_in_bytes", int(stat["total_rss"]) + int(stat.get("total_shmem", 0)) + spare)

    def limits_hit(self):
        """How often the host wanted more than its limits since it booted: of the processors and of memory."""
        cpu = dict(line.split() for line in (self._limit_group("cpu") / "cpu.stat").read_text().splitlines())
        return int(cpu["nr_throttled"]), int((self._limit_group("memory") / "memory.failcnt").read_text())

    def _limit(self, controller, file, value):
        (self._limit_group(controller) / file).write_text(str(value))

    def _limit_group(self, controller):
        group = limits.group_of(controller, self._init())
        # Never another's group: a host that was booted where this machine had no such controller is in none of its own.
        if group is None or group.name != f"cops-{places.NAME}-{self.name}":
            raise Failed(f"this machine has no {controller} controller of cgroup v1")
        return group

    def _limits(self):
        """The groups of cgroup v1 for the host's limits, by controller."""
        found = {controller: limits.group_of(controller) for controller in ["cpu", "memory"]}
        groups = {controller: group / f"cops-{places.NAME}-{self.name}" for controller, group in found.items() if group}
        (self.directory / "limits").write_text("".join(f"{group}\n" for group in groups.values()))
        return groups

    def fill_disk(self, disk):
        """Leaves no free block on a disk."""
        path = self._disk(disk) / ".filler"
        with open(path, "wb") as filler:
            # Each extent takes blocks of its own to be written down: nearly all at first, then what is left.
            for part in [64 << 20, 1 << 20, 64 << 10, 4 << 10]:
                try:
                    while True:
                        os.posix_fallocate(filler.fileno(), os.fstat(filler.fileno()).st_size, part)
                except OSError as problem:
                    if problem.errno != errno.ENOSPC:
                        raise

    def free_disk(self, disk):
        """Gives back what `fill_disk` took."""
        (self._disk(disk) / ".filler").unlink(missing_ok=True)

    def fail_disk(self, disk):
        """Turns a disk read-only under the programs that write on it, as the kernel does after an error. The next boot repairs it."""
        loop = subprocess.run(["losetup", "--noheadings", "--output", "NAME", "--associated", self._image(disk)], check=True, capture_output=True, text=True)
        pathlib.Path(f"/sys/fs/ext4/{pathlib.Path(loop.stdout.strip()).name}/trigger_fs_error").write_text("the lab's\n")

    def _init(self):
        pid = process.recall(self.directory / "init")
        if pid is None:
            raise Failed(f"{self.name} is not up")
        return pid

    def _disk(self, disk):
        return pathlib.Path(f"/proc/{self._init()}/root/var/containerops/data/{disk}")

    def _image(self, disk):
        return self.directory / f"{disk}.ext4"

    def _plug(self):
        switch.plug(self.name)

    def _prepare(self):
        """What an installer would have written, in the host's own layer. Data lies on this machine's disk, not on an overlay."""
        for part in ["upper/etc/containers", "upper/etc/systemd/journald.conf.d", "upper/etc/systemd/system.conf.d", "work", "root", "containers", "data", "journal"]:
            (self.directory / part).mkdir(parents=True, exist_ok=True)
        for disk, size in self.disks.items():
            (self.directory / "data/data" / disk).mkdir(parents=True, exist_ok=True)
            if not self._image(disk).exists():
                subprocess.run(["mkfs.ext4", "-q", "-m", "0", self._image(disk), size], check=True, stdout=subprocess.DEVNULL)
        etc = self.directory / "upper/etc"
        if (etc / "hostname").exists():
            return
        (etc / "hostname").write_text(f"{self.name}\n")
        (etc / "machine-id").write_text(uuid.uuid4().hex + "\n")
        (etc / "containers/containers.conf").write_text(_CONTAINERS_CONF)
        (etc / "containers/storage.conf").write_text(_STORAGE_CONF + (_SHARED_IMAGES if self.images else ""))
        (etc / "systemd/journald.conf.d/lab.conf").write_text(_JOURNAL_CONF)
        # No user namespaces to build in here; a real host needs none of this.
        (etc / "systemd/system.conf.d/lab.conf").write_text("[Manager]\nDefaultEnvironment=BUILDAH_ISOLATION=chroot\n")
        # As udev makes them: this machine's own may be for root only.
        for device, minor in [("tun", 200), ("fuse", 229)]:
            os.mknod(self.directory / device, 0o20666, os.makedev(10, minor))
            os.chmod(self.directory / device, 0o666)

    def _network(self):
        return [f"--network-namespace-path=/run/netns/{switch.namespace_of(self.name)}"]

    def _binds(self):
        here = self.directory
        binds = [f"--bind={here}/tun:/dev/net/tun", f"--bind={here}/fuse:/dev/fuse", f"--bind={here}/containers:/var/lib/containers",
                 f"--bind={here}/data:/var/containerops", f"--bind={here}/journal:/var/log/journal"]
        if self.images:
            binds.append(f"--bind-ro={self.images}:/var/lib/lab-images")
        return binds

    def _tree(self):
        return places.tree() / "host"

    def _boot_script(self):
        here, tree = self.directory, self._tree()
        nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit", f"--machine={self.name}", f"--hostname={self.name}",
                  f"--directory={here}/root", "--capability=all", "--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe",
                  "--tmpfs=/var/tmp", *self._binds(), *self._network()]
        # In the host's own mount namespace, so that a disk is free again when its host has ended.
        disks = "".join(f"attach {self._image(disk)} {here}/data/data/{disk}\n" for disk in self.disks)
        limited = "".join(f"echo $$ >{group}/cgroup.procs\n" for group in self._limits().values())
        return f"""\
set -e
attach() {{
    for _ in $(seq 300); do
        [ -n "$(losetup --associated "$1")" ] || break
        sleep 0.1
    done
    e2fsck -p "$1" || [ $? = 1 ]
    mount -o loop,errors=remount-ro "$1" "$2"
}}
echo $$ >{self._group}/cgroup.procs
{limited}mount --make-rprivate /
{disks}umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t overlay overlay -o lowerdir={tree},upperdir={here}/upper,workdir={here}/work {here}/root
export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 SYSTEMD_SECCOMP=0 SYSTEMD_NSPAWN_API_VFS_WRITABLE=network
exec {shlex.join(nspawn)}
"""

    # --------------------------------------------------------------------------------------------- commands

    def command(self, *argv):
        """The words that run a program inside the host, in all of its namespaces and its control group."""
        pid = self._init()
        payload = self._group / "payload"
        group = (payload if payload.exists() else self._group) / "lab-exec"
        enter = ('mkdir -p "$1" && echo $$ >"$1/cgroup.procs" && pid=$2 && shift 2 && exec nsenter -t "$pid" -m -u -i -n -p -C -- '
                 "/usr/bin/env -i HOME=/root TERM=dumb PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \"$@\"")
        return ["bash", "-c", enter, "lab", str(group), str(pid), *map(str, argv)]

    def run(self, *argv, check=True, timeout=300, **options):
        """Runs a program inside the host to its end; its output is text, unless `text=False` asks for bytes."""
        options = {"text": True, **({} if "input" in options else {"stdin": subprocess.DEVNULL}), **options}
        done = subprocess.run(self.command(*argv), capture_output=True, timeout=timeout, **options)
        if check and done.returncode != 0:
            raise Failed(f"{self.name}: {shlex.join(map(str, argv))[:300]}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
        return done

    def output(self, *argv, **options):
        """What a program inside the host prints, without the newline at its end."""
        return self.run(*argv, **options).stdout.rstrip("\n")

    def start(self, *argv, **options):
        """Starts a program inside the host."""
        return subprocess.Popen(self.command(*argv), text=True, **options)

    def write(self, path, content, mode="0644"):
        """Writes a file inside the host."""
        script = 'mkdir -p "$(dirname "$1")" && cat >"$1.new" && chmod "$2" "$1.new" && mv "$1.new" "$1"'
        self.run("sh", "-c", script, "sh", path, mode, input=content)

    def read(self, path):
        """Reads a file inside the host."""
        return self.run("cat", path).stdout


class Builder(Host):
    """The host that builds images: on this machine's network, since it needs the Debian mirror, and its store is the shared one."""

    def __init__(self, store):
        super().__init__("builder0")
        self.store = store

    def _plug(self):
        pass

    def _network(self):
        return []

    def _prepare(self):
        super()._prepare()
        shutil.copy("/etc/resolv.conf", self.directory / "upper/etc/resolv.conf")

    def _binds(self):
        return [*super()._binds(), f"--bind={self.store}:/var/lib/containers/storage", f"--bind-ro={places.tree()}:/opt/tree",
                f"--bind-ro={places.LAB}/images:/opt/images"]


class BareHost(Host):
    """A fresh Debian server: sshd, apt, the way to a mirror, and the operator's key. Nothing that a cluster needs.

    The shared images are those that `is_shared` says of their name: no image of a registry can be pulled here.
    """

    def __init__(self, name, images, is_shared, operator_key):
        super().__init__(name, images)
        self._is_shared = is_shared
        self._operator_key = operator_key

    @property
    def public_key(self):
        """The key that the host's sshd shows."""
        return (self.directory / "upper/etc/ssh/ssh_host_ed25519_key.pub").read_text().strip()

    def _tree(self):
        return places.bare_tree() / "host"

    def _prepare(self):
        is_first = not self.directory.exists()
        super()._prepare()
        if not is_first:
            return
        upper = self.directory / "upper"
        for part in ["etc/ssh", "etc/apt/apt.conf.d", "root/.ssh"]:
            (upper / part).mkdir(parents=True)
        (upper / "root").chmod(0o700)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.name, "-f", upper / "etc/ssh/ssh_host_ed25519_key"], check=True)
        (upper / "root/.ssh/authorized_keys").write_text(self._operator_key + "\n")
        (upper / "etc/apt/apt.conf.d/90proxy").write_text(f'Acquire::http::Proxy "{mirror.PROXY}";\nAcquire::https::Proxy "{mirror.PROXY}";\n')
        (upper / "etc/systemd/system.conf.d/proxy.conf").write_text(f"[Manager]\nDefaultEnvironment=http_proxy={mirror.PROXY} https_proxy={mirror.PROXY}\n")
        shared = [image for image in json.loads((self.images / _LIST).read_text()) if any(map(self._is_shared, image.get("names") or []))]
        (self.directory / "images.json").write_text(json.dumps(shared))

    def _binds(self):
        return [*super()._binds(), f"--bind-ro={self.directory}/images.json:/var/lib/lab-images/{_LIST}"]
