#!/usr/bin/env python3
"""Starts Patroni with a cure, a fence and a keeper's request, as process 1 of its container.

usage: start.py PATRONI_YML    starts Patroni
       start.py --check        says whether cure and fence fit the Patroni of this image; exit status 0, or 1 with the reasons

The cure: a member that renews the leader's lock never creates it. Patroni's etcd 3 client puts its lease on a lock that holds its
name, and creates the lock where it is absent. So a primary that was cut off or frozen while another led could lead again without a
leader race, and the rows that the other had acknowledged were rewound away. Without the second step the member is told that it has
lost the lock, and the leader race decides. And a member takes the lock only while what it decided by in the race still stands (/sync).

The fence: a primary that stops renewing its lock is ended from outside before another member can have the lock. Patroni knows when a
watchdog has to run: from before it lets PostgreSQL write until PostgreSQL has stopped, and not in pause. Its device is a pipe to
process 1 here. When no message comes in time, process 1 exits, and the kernel ends every process of the container at once, stopped ones
too. systemd starts the container again. https://patroni.readthedocs.io/en/latest/watchdog.html

The moments of the fence are exact. Patroni counts from the end of a renewal, which may take retry_timeout; here the time counts from
before the request that made the lock live on. CLOCK_BOOTTIME goes on while the machine sleeps.

The member streams only from a primary whose history it shares (history.py): PostgreSQL would write the WAL of the other over its own, which may be
the last place of somebody's rows. It runs without streaming then, until the keeper heals it.

The request: `POST /keep` on Patroni's REST interface copies the member anew, as `patronictl reinit` does, and keeps its data directory beside the
new one, as `kept`. It may be the last place of somebody's rows. Refused where one is kept already, or the disk has no room for both.

Patroni lifts a ttl below 20 to 20, since a watchdog of its own counts late. That floor is lower here.

Patroni is known by the text of the methods that are replaced, not by its version: they are the same from 4.0.0 to 4.1.5. A Patroni
that is unknown is found by --check, which `activate` runs before any member starts with it. Where it is started all the same, Patroni
runs without what doesn't fit, and says so: a member that is down helps nobody.
"""

import ast
import ctypes
import hashlib
import importlib.util
import inspect
import os
import select
import shutil
import signal
import sys
import threading
import time

import history

FENCED = 75
LOWEST_TTL = 8
# Names beside the data directory: the one that was replaced; what rewind.py leaves where a rewind failed.
KEPT, REWIND_FAILED = "kept", "rewind-failed"
# What the description says of the watchdog: `device`, or nothing for the fence here.
WATCHDOG = "CONTAINEROPS_WATCHDOG"
# Set while another Python is tried, so that it is tried once.
TRIED = "CONTAINEROPS_START_TRIED"
FORWARDED = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2, signal.SIGABRT)
# What is replaced or relied on: module, class, method, and the SHA-256 of its text.
KNOWN = [
    ("patroni.dcs.etcd3", "Etcd3", "_update_leader", "2c2c352279bc08bf2b2a9b74ecb4f4903ae5a281c98bea6bcc42b0148929ccd4"),
    ("patroni.dcs.etcd3", "Etcd3", "_do_refresh_lease", "9bc284c5bfd4529159ffafa84d6ae072038deb2ea6ed55eebac90c886b2cf2eb"),
    ("patroni.dcs.etcd3", "PatroniEtcd3Client", "txn", "8af50a4887798bcf8243dba9c23580d6b5cb80270b67fbf3fdfb1c57876e903a"),
    ("patroni.dcs.etcd3", "Etcd3", "_do_attempt_to_acquire_leader", "f44a6ddfb349c67f3519440e116be22bc0eed24fd53fa453f1870117735843cb"),
    ("patroni.dcs.etcd3", "Etcd3Client", "put", "acff9ff0c3ef5af79e97b67aeafe16a9572ca21393acc5a89910baf0a2ce80aa"),
    ("patroni.dcs.etcd3", "Etcd3Client", "txn", "0818e6486cb187a5d400e3f69e62f0242a3cafb80af2a9580fe3c33705347808"),
    ("patroni.watchdog.base", "WatchdogConfig", "get_impl", "0870914e12923346e25fd030e8d9a8fac0f4b8c7697fe67b9d7417672f472075"),
    ("patroni.config", "Config", "__get_and_maybe_adjust_int_value", "d23af65a0d0616775bb61f1cffa0451aa29c1d14bd77a55be130e91f172eb34f"),
]


def say(words):
    """Writes one line to the journal."""
    print("start.py:", words, file=sys.stderr, flush=True)


def now():
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


# --------------------------------------------------------------------------------------------------------------- process 1


def end(words):
    """Ends the container: at once what may write, then what may be said. The words must not hold up the rest: whoever reads standard error may stand still."""
    if os.getpid() == 1:
        os.kill(-1, signal.SIGKILL)
    writer = threading.Thread(target=os.write, args=(2, words.encode()), daemon=True)
    writer.start()
    writer.join(0.05)
    os._exit(FENCED)


class Timer:
    """A file descriptor that can be read once a moment has come. A wait of so many seconds would go on after a freeze for what was left of it before."""

    # As <sys/timerfd.h> and <time.h> have them.
    _ABSOLUTE, _CLOCK = 1, time.CLOCK_BOOTTIME

    class _Setting(ctypes.Structure):
        _fields_ = [(name, ctypes.c_long) for name in ("every_s", "every_ns", "at_s", "at_ns")]

    def __init__(self):
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._checked(self._libc.timerfd_create(self._CLOCK, os.O_NONBLOCK | os.O_CLOEXEC))

    def fileno(self):
        return self._fd

    def set(self, moment):
        """Sets it to a moment of now(), or to none with 0."""
        seconds, rest = divmod(moment, 1)
        self._checked(self._libc.timerfd_settime(self._fd, self._ABSOLUTE, ctypes.byref(self._Setting(0, 0, int(seconds), int(rest * 1e9))), None))

    @staticmethod
    def _checked(result):
        if result < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return result


def fork():
    """Forks; returns the child's id, or 0 in the child. Signals that process 1 has no handler for yet would be lost, so they wait until supervise() has them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        # Its unit puts process 1 first, so that after a freeze it is there before anybody writes.
        os.setpriority(os.PRIO_PROCESS, 0, max(0, os.getpriority(os.PRIO_PROCESS, 0)))
    return child


def supervise(pipe, child):
    """Passes signals on to Patroni and reaps, as process 1 has to, and ends the container when its moment has come. Never returns.

    A message on the pipe is a line: the moment until which the container may live, or 0 for no limit. A message that is read late grants nothing.
    """
    wake, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(woken)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in FORWARDED:
        signal.signal(number, lambda number, _: os.kill(child, number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
    # A child that ended before its signal had a handler.
    os.write(woken, b"\0")
    timer = Timer()
    sources, limit, rest = [pipe, wake, timer], 0.0, b""
    while True:
        ready, _, _ = select.select(sources, [], [])
        if wake in ready:
            os.read(wake, 4096)
            reap(child)
        if pipe in ready:
            read = os.read(pipe, 65536)
            if not read:
                sources.remove(pipe)
            *lines, rest = (rest + read).split(b"\n")
            if lines:
                limit = float(lines[-1])
                timer.set(limit)
        if limit and now() >= limit:
            end("start.py: fence: the leader's lock was not renewed in time, so everything here is ended (%.1f s late)\n" % (now() - limit))


def reap(child):
    """Takes note of ended processes; ends with Patroni's own status when it is Patroni."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid == child:
            os._exit(os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))


# ----------------------------------------------------------------------------------------------------------- Patroni's side


class Marks:
    """When the member began to do what allows it to lead for another ttl: the last renewal of its lease, or the last agreement of all
    members in failsafe mode."""

    latest = 0.0

    @classmethod
    def around(cls, real, is_good):
        """Wraps a method: its beginning counts when its result is good."""

        def marked(*args, **kwargs):
            began = now()
            result = real(*args, **kwargs)
            if is_good(result):
                cls.latest = max(cls.latest, began)
            return result

        return marked


def make_fence(base, error, pipe):
    """Returns Patroni's driver of a watchdog that tells process 1 until when the container may live."""

    class Fence(base):
        is_healthy = True
        is_running = False

        def __init__(self):
            self._timeout = 0

        def open(self):
            self.is_running = True

        def close(self):
            self.is_running = False
            os.write(pipe, b"0\n")

        def keepalive(self):
            if not self.is_running:
                return
            if is_stopped(1):
                raise error("process 1 of the container is stopped, so there is no fence")
            os.write(pipe, b"%.3f\n" % (Marks.latest + self._timeout))

        def get_timeout(self):
            return self._timeout

        def has_set_timeout(self):
            return True

        def set_timeout(self, timeout):
            self._timeout = timeout
            # A new cluster's first leader has no lock yet that another could take.
            Marks.latest = Marks.latest if Marks.latest + timeout > now() else now()
            self.keepalive()

        def describe(self):
            return "fence"

    return Fence


def is_stopped(pid):
    """Whether a process stands still by a signal (state T of /proc/PID/stat, behind the name in brackets)."""
    with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
        return file.read().rpartition(")")[2].split()[0] in ("T", "t")


def text_of(module, owner, method):
    """Returns the text of a method as it stands in its module, without decorators; fails with LookupError where there is none."""
    source = inspect.getsource(importlib.import_module(module))
    for one in ast.parse(source).body:
        if isinstance(one, ast.ClassDef) and one.name == owner:
            for two in one.body:
                if isinstance(two, ast.FunctionDef) and two.name == method:
                    return ast.get_source_segment(source, two)
    raise LookupError(f"{module} has no {owner}.{method}")


def misfits():
    """Returns why this Patroni is not the one that is known, a line each."""
    reasons = []
    for module, owner, method, known in KNOWN:
        try:
            digest = hashlib.sha256(text_of(module, owner, method).encode()).hexdigest()
        except (ImportError, LookupError, OSError) as error:
            reasons.append(f"{owner}.{method} can't be read: {error}")
            continue
        if digest != known:
            reasons.append(f"the text of {owner}.{method} is not known (SHA-256 {digest})")
    return reasons


def cure():
    """Takes the creating branch out of the renewal: only that call gives txn() something to do when its comparison fails."""
    from patroni.dcs.etcd3 import PatroniEtcd3Client

    real = PatroniEtcd3Client.txn
    PatroniEtcd3Client.txn = lambda self, compare, success, _failure=None, *, retry=None: real(self, compare, success, None, retry=retry)


class Race:
    """The state of /sync, which says who may lead, by which the member that is taking the lock has decided: (lock, /sync, revision), or None."""

    decided = None

    @classmethod
    def comparison(cls, compare):
        """What has to be so beside `compare`, when that is the creation of the lock."""
        from patroni.dcs.etcd3 import base64_encode

        if cls.decided is None:
            return None
        lock, sync, revision = cls.decided
        if compare.get("target") != "CREATE" or compare["key"] != base64_encode(lock):
            return None
        return {"key": base64_encode(sync), "target": "MOD", "mod_revision": str(revision or 0)}


def decide_in_time():
    """Makes the lock's creation depend on what the leader race was decided by. A member that stood still in the race, while another one led and came
    to an end, would else take the lock by what was so before."""
    from patroni.dcs.etcd3 import Etcd3Client, _handle_auth_errors
    from patroni.ha import Ha

    real_txn, real_acquire = Etcd3Client.txn, Ha.acquire_lock

    @_handle_auth_errors
    def txn(self, compare, success, failure=None, *, retry=None):
        unchanged = Race.comparison(compare)
        if unchanged is None:
            return real_txn(self, compare, success, failure, retry=retry)
        fields = {"compare": [compare, unchanged], "success": [success], "failure": [{"request_range": {"key": unchanged["key"]}}]}
        result = self.call_rpc("/kv/txn", fields, retry)
        if result.get("succeeded"):
            return result
        found = result["responses"][0]["response_range"].get("kvs", [])
        if (found[0]["mod_revision"] if found else "0") != unchanged["mod_revision"]:
            say("the lock is not taken: who may lead has changed since this member decided that it may")
        return {}

    def acquire_lock(self):
        Race.decided = (self.dcs.leader_path, self.dcs.sync_path, self.cluster.sync.version) if self.cluster else None
        try:
            return real_acquire(self)
        finally:
            Race.decided = None

    Etcd3Client.txn, Ha.acquire_lock = txn, acquire_lock


def lower_the_floor():
    from patroni.config import Config

    name = "_Config__get_and_maybe_adjust_int_value"
    real = getattr(Config, name)
    setattr(Config, name, lambda self, config, param, lowest: real(self, config, param, LOWEST_TTL if param == "ttl" else lowest))


def put_up_fence(pipe):
    from patroni.dcs.etcd3 import Etcd3
    from patroni.exceptions import WatchdogError
    from patroni.ha import Ha
    from patroni.watchdog.base import WatchdogBase, WatchdogConfig

    # It ends without an exception when the lease lives: kept alive, granted anew, or fresh enough not to be asked for, which it is
    # only within one round of Patroni's loop.
    Etcd3._do_refresh_lease = renewed(Etcd3._do_refresh_lease)
    Ha.check_failsafe_topology = Marks.around(Ha.check_failsafe_topology, bool)
    fence = make_fence(WatchdogBase, WatchdogError, pipe)
    WatchdogConfig.get_impl = lambda self: fence()


class Keep:
    """The directory that is replaced when the keeper asks for it, and what speaks against it."""

    # From the request on until the directory was put aside, by the thread that copies.
    is_asked = False

    @staticmethod
    def state(data):
        """What the keeper wants to know first: whether a directory is kept, and whether the last rewind failed."""
        home = os.path.dirname(data)
        return {"kept": os.path.exists(os.path.join(home, KEPT)), "rewind_failed": os.path.exists(os.path.join(home, REWIND_FAILED))}

    @staticmethod
    def forget(data):
        """What failed once is of no account any more: there is another directory, or the member streams."""
        failed = os.path.join(os.path.dirname(data), REWIND_FAILED)
        if os.path.exists(failed):
            os.unlink(failed)

    @staticmethod
    def refusal(data, needed):
        """Returns why a directory can't be kept beside a copy of so many bytes, or None."""
        home = os.path.dirname(data)
        if os.path.exists(os.path.join(home, KEPT)):
            return f"{KEPT} is there already, from the last time"
        # The copy's tablespaces would lie in the same directories.
        if os.path.isdir(os.path.join(data, "pg_tblspc")) and os.listdir(os.path.join(data, "pg_tblspc")):
            return "it has tablespaces, which lie outside of its data directory"
        disk = os.statvfs(home)
        free = disk.f_bavail * disk.f_frsize
        if free < needed:
            return f"the disk has {free >> 20} MiB free, and old and new together need {needed >> 20}"
        return None

    @classmethod
    def rename(cls, data):
        """Puts the directory aside."""
        home = os.path.dirname(data)
        os.rename(data, os.path.join(home, KEPT))
        directory = os.open(home, os.O_RDONLY)
        os.fsync(directory)
        os.close(directory)
        cls.is_asked = False
        say(f"the old data directory is kept as {home}/{KEPT}")


def hear_the_keeper():
    """Adds the keeper's request. Patroni removes a data directory in one place, before the copy begins; what it asks there is answered by keeping it."""
    from patroni.api import RestApiHandler, check_access
    from patroni.postgresql import Postgresql

    remove = Postgresql.remove_data_directory

    def remove_or_keep(self):
        Keep.forget(self.data_dir)
        if not Keep.is_asked:
            return remove(self)
        self.set_role("uninitialized")
        return Keep.rename(self.data_dir)

    def keep(handler):
        wanted = handler._read_json_content(body_is_optional=True) or {}
        data = handler.server.patroni.postgresql.data_dir
        if wanted.get("streams"):
            Keep.forget(data)
        if "bytes" not in wanted:
            return handler._write_json_response(200, Keep.state(data))
        why_not = Keep.refusal(data, wanted["bytes"])
        if why_not is None:
            Keep.is_asked = True
            why_not = handler.server.patroni.ha.reinitialize(force=True)
            if why_not is not None:
                Keep.is_asked = False
        return handler._write_json_response(409 if why_not else 200, {"why_not": why_not})

    Postgresql.remove_data_directory = remove_or_keep
    RestApiHandler.do_POST_keep = check_access(keep)


class OwnFiles:
    """A member's history and WAL, by its files: it may be down."""

    def __init__(self, data):
        self.data = data

    def read(self, name, offset=0, length=1 << 20):
        try:
            with open(os.path.join(self.data, "pg_wal", name), "rb") as file:
                file.seek(offset)
                return file.read(length)
        except FileNotFoundError:
            return b""

    def history(self, timeline):
        return self.read(f"{timeline:08X}.history").decode("utf-8", "replace")

    wal = read


class ByCursor:
    """A primary's history and WAL, by SQL."""

    def __init__(self, cursor):
        self.cursor = cursor

    def ask(self, statement, *values):
        self.cursor.execute(statement, values)
        return self.cursor.fetchone()[0]

    def timeline(self):
        """The primary's timeline; only a primary answers."""
        return int(self.ask("SELECT pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 1, 8)"), 16)

    def history(self, timeline):
        return bytes(self.wal(f"{timeline:08X}.history", 0, 1 << 20)).decode("utf-8", "replace")

    def wal(self, name, offset, length):
        return bytes(self.ask("SELECT pg_catalog.pg_read_binary_file('pg_wal/' || %s, %s, %s, true)", name, offset, length) or b"")


def stranger(postgresql, member):
    """Returns how the history of a primary differs from the member's own, or None."""
    from patroni.postgresql.connection import get_connection_cursor

    where = member.conn_kwargs(postgresql.config.rewind_credentials)
    where = {**where, "dbname": where.get("dbname") or postgresql.database, "connect_timeout": 3, "options": "-c statement_timeout=3000"}
    own = OwnFiles(postgresql.data_dir)
    with get_connection_cursor(**where) as cursor:
        primary = ByCursor(cursor)
        if primary.ask("SELECT pg_catalog.pg_is_in_recovery()"):
            return None
        timeline = primary.timeline()
        if not own.history(timeline):
            return None
        size = int(primary.ask("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_segment_size'"))
        return history.difference(timeline, own, primary, size)


def follow_no_stranger():
    """Takes the primary out of the settings of a standby that does not share its history. Where that can't be found out, nothing changes."""
    from patroni.postgresql import Postgresql

    real = Postgresql.follow

    def follow(self, member, *args, **kwargs):
        try:
            difference = stranger(self, member) if member and member.conn_url else None
        except Exception as error:  # whatever it is, Patroni goes on as it would without this
            say(f"the histories of {self.name} and {member.name} could not be compared: {error}".strip())
            difference = None
        if difference:
            say(f"{self.name} does not stream from {member.name}: {difference}")
        return real(self, None if difference else member, *args, **kwargs)

    Postgresql.follow = follow


def require_device():
    """The host's own watchdog is the fence: Patroni leads with it or not at all."""
    from patroni.watchdog.base import MODE_REQUIRED, WatchdogConfig

    real = WatchdogConfig.__init__

    def required(self, config):
        real(self, config)
        self.mode = MODE_REQUIRED

    WatchdogConfig.__init__ = required


def renewed(real):
    """Wraps the refreshing of the lease: its beginning counts when etcd was asked, which sets the time of the last refresh."""

    def refresh(self, *args, **kwargs):
        began, before = now(), self._last_lease_refresh
        result = real(self, *args, **kwargs)
        if self._last_lease_refresh != before:
            Marks.latest = max(Marks.latest, began)
        return result

    return refresh


def find_patroni():
    """Goes on as the Python that has Patroni: the one of `patroni` on the path, where this one has none."""
    if importlib.util.find_spec("patroni"):
        return
    script = shutil.which("patroni")
    words = []
    if script:
        with open(script, encoding="utf-8", errors="replace") as file:
            line = file.readline()
        words = line[2:].split() if line.startswith("#!") else []
    if words and words[-1].rpartition("/")[2].startswith("python") and os.environ.get(TRIED) != words[0]:
        os.environ[TRIED] = words[0]
        os.execvp(words[0], [*words, os.path.abspath(__file__), *sys.argv[1:]])
    sys.exit("start.py: no Python here has Patroni: `import patroni` fails, and no script `patroni` on the path names another")


def check():
    """Says whether the cure and the fence fit."""
    from patroni.version import __version__

    reasons = misfits()
    for reason in reasons:
        say(reason)
    if reasons:
        sys.exit(1)
    print(f"Patroni {__version__} is known")


def start(pipe):
    """Runs Patroni, in the child of process 1 or alone."""
    from patroni.__main__ import main as patroni

    # Patroni has PostgreSQL started by a process that Python spawns, which would read this file again: another one by then, or none.
    vars(sys.modules["__main__"]).pop("__file__", None)
    reasons = misfits()
    for reason in reasons:
        say(f"Patroni runs without the cure and the fence: {reason}")
    for step in (hear_the_keeper, follow_no_stranger):
        try:
            step()
        except (ImportError, AttributeError) as error:
            say(f"{step.__name__.replace('_', ' ')}: not with this Patroni: {error}")
    if not reasons:
        cure()
        decide_in_time()
        lower_the_floor()
        if os.environ.get(WATCHDOG) == "device":
            require_device()
        elif pipe is None:
            say("this is not process 1, so there is no fence")
        else:
            put_up_fence(pipe)
    return patroni()


def main():
    find_patroni()
    if sys.argv[1:] == ["--check"]:
        return check()
    if os.getpid() != 1:
        return start(None)
    # Process 1 stays small: only its child imports Patroni.
    reading, writing = os.pipe()
    child = fork()
    if child:
        os.close(writing)
        supervise(reading, child)
    os.close(reading)
    return start(writing)


if __name__ == "__main__":
    sys.exit(main())
