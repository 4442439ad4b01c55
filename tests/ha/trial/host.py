"""A switch and the hosts on it, as network namespaces; and containers on a host, as process and mount namespaces."""

import contextlib
import os
import pathlib
import pwd
import signal
import subprocess
import threading
import time

NETNS = pathlib.Path("/run/netns")


def run(*argv, check=True):
    """Runs a program to its end, and returns what it printed."""
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if check and done.returncode:
        raise subprocess.CalledProcessError(done.returncode, argv, done.stdout)
    return done.stdout


def own_switch():
    """Puts this process into a network namespace of its own, with a bridge and no way out."""
    os.unshare(os.CLONE_NEWNET)
    run("ip", "link", "set", "lo", "up")
    run("ip", "link", "add", "switch", "type", "bridge", "forward_delay", "0")
    run("ip", "link", "set", "switch", "up")


def address_on_switch(address):
    """Gives this process an address in the hosts' network: clients connect from here."""
    run("ip", "address", "add", f"{address}/24", "dev", "switch")


class Host:
    """A network namespace on the switch of this process."""

    def __init__(self, case, name, *addresses):
        self.case, self.name, self.addresses = case, name, addresses
        self.directory = case.directory / name
        self.directory.mkdir()
        self._space = NETNS / f"{case.directory.name}-{name}"
        run("ip", "netns", "add", self._space.name)
        run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self._space.name)
        run("ip", "link", "set", name, "master", "switch", "up")
        self.run("ip", "link", "set", "lo", "up")
        for address in addresses:
            self.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")

    def enter(self, *argv):
        return ["nsenter", f"--net={self._space}", "--", *map(str, argv)]

    def run(self, *argv, check=True):
        return run(*self.enter(*argv), check=check)

    def set_cable(self, is_in):
        run("ip", "link", "set", self.name, "up" if is_in else "down")

    def remove(self):
        run("ip", "netns", "delete", self._space.name, check=False)


class Container:
    """A program as process 1 of a process namespace of its own, started again when it ends, as its unit would.

    `mounts` says which directory stands where; `user` is who it runs as.
    """

    def __init__(self, host, name, argv, user, mounts, environment, restart_seconds):
        self.host, self.name, self.argv, self.environment = host, name, argv, environment
        self._user, self._mounts, self._pause = pwd.getpwnam(user), mounts, restart_seconds
        self.log = host.directory / f"{name}.log"
        self._is_wanted, self._outer, self._keeper = False, None, None
        for directory in mounts.values():
            directory.mkdir(parents=True, exist_ok=True)
            os.chown(directory, self._user.pw_uid, self._user.pw_gid)
            directory.chmod(0o700)

    def start(self):
        self._is_wanted = True
        self._launch()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    def stop(self):
        """Ends all of its processes at once, whatever state they are in."""
        self._is_wanted = False
        # Again and again: it may just be starting.
        while self._keeper and self._keeper.is_alive():
            first = self.first()
            if first:
                _signal(first, signal.SIGKILL)
            self._keeper.join(0.1)

    def first(self):
        """Process 1, as seen from here; None when there is none."""
        try:
            outer = self._outer.pid
            return int(pathlib.Path(f"/proc/{outer}/task/{outer}/children").read_text().split()[0])
        except (AttributeError, FileNotFoundError, IndexError):
            return None

    def processes(self, with_word=""):
        """Its processes whose command line holds the word, process 1 first."""
        first = self.first()
        inode = first and _process_space(first)
        return sorted(pid for pid in _all_processes() if inode and _process_space(pid) == inode and with_word in _command_line(pid))

    def freeze(self, with_word=""):
        """Stops such processes, and returns them."""
        pids = self.processes(with_word)
        for pid in pids:
            _signal(pid, signal.SIGSTOP)
        return pids

    @contextlib.contextmanager
    def frozen(self, inner):
        """Meanwhile one of its processes, by the number that it has inside, is stopped."""
        pid = next(pid for pid in self.processes() if _inner(pid) == inner)
        _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _signal(pid, signal.SIGCONT)

    def thaw(self):
        for pid in self.processes():
            _signal(pid, signal.SIGCONT)

    def exec(self, *argv, check=True):
        """Runs a program beside process 1, as its user."""
        # The tree is not the root of the mount namespace: --root goes back to it.
        enter = ["nsenter", f"--target={self.first()}", "--mount", "--root", "--net", "--pid", "--wd", "--"]
        return run(*enter, *self._as_user(), *argv, check=check)

    def logged(self, since=0):
        """What it printed after so many bytes."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(since)
            return log.read()

    def _as_user(self):
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        return ["setpriv", f"--reuid={self._user.pw_uid}", f"--regid={self._user.pw_gid}", "--clear-groups", "env", "-i", *settings]

    def _launch(self):
        binds = " && ".join(f"mount --bind {source} {target}" for target, source in self._mounts.items())
        spaces = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--", "sh", "-c", f'{binds} && exec "$@"', "sh"]
        with open(self.log, "ab") as log:
            self._outer = subprocess.Popen(self.host.enter(*spaces, *self._as_user(), *self.argv), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           cwd="/", start_new_session=True)

    def _keep(self):
        while True:
            self._outer.wait()
            end = time.monotonic() + self._pause
            while self._is_wanted and time.monotonic() < end:
                time.sleep(0.1)
            if not self._is_wanted:
                return
            self._launch()


def _all_processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _process_space(pid):
    try:
        return os.stat(f"/proc/{pid}/ns/pid").st_ino
    except (FileNotFoundError, ProcessLookupError):
        return None


def _command_line(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_text(errors="replace").replace("\0", " ")
    except (FileNotFoundError, ProcessLookupError):
        return ""


def _inner(pid):
    try:
        lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return next(int(line.split()[-1]) for line in lines if line.startswith("NSpid:"))


def _signal(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
