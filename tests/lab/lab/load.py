"""What clients do: a steady write load and its account (rows acknowledged, lost, the longest gap), and one long session."""

import dataclasses
import json
import subprocess
import threading
import time

from . import places
from .host import Failed


@dataclasses.dataclass
class Account:
    """What a load saw."""

    acknowledged: int
    lost: int
    gap: float
    gap_at: float
    p50: float
    p99: float
    errors: dict


class Load:
    """Runs `writer.py` in a container while the `with` block lasts; then `account` is there."""

    def __init__(self, host, container, writers, port):
        self._host, self._container, self._writers, self._port = host, container, writers, port
        self._process = None
        self.account = None

    def __enter__(self):
        script = (places.LAB / "lab/writer.py").read_text()
        self._process = self._host.start("podman", "exec", "--interactive", self._container, "python3", "-u", "-c", script, self._writers, self._port,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self._process.stdout.readline().strip() != "writing":
            self._process.stdin.close()
            raise Failed(f"no load: {self._process.stderr.read()[-500:]}")
        return self

    def mark(self):
        """Forgets the gaps so far: only those from here on count."""
        self._process.stdin.write("mark\n")
        self._process.stdin.flush()

    def __exit__(self, kind, problem, trace):
        try:
            self._process.stdin.close()
            answer = self._process.stdout.read()
            self._process.wait(180)
        except (subprocess.TimeoutExpired, BrokenPipeError):
            self._process.kill()
            answer = ""
        if kind is None:
            if not answer.strip():
                raise Failed(f"the load gave no account: {self._process.stderr.read()[-500:]}")
            self.account = Account(**json.loads(answer.strip().splitlines()[-1]))


class Session:
    """One open session of a client, held by `session.py` until `close`."""

    def __init__(self, host, container, port):
        script = (places.LAB / "lab/session.py").read_text()
        self._process = host.start("podman", "exec", "--interactive", container, "python3", "-u", "-c", script, port,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        if self._process.stdout.readline().strip() != "open":
            raise Failed(f"no session: {self._process.stderr.read()[-500:]}")
        # When it ended.
        self.ended = None
        self._answers = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        for line in self._process.stdout:
            if line.strip() == "ok":
                self._answers += 1
        self.ended = time.monotonic()

    def works(self, seconds=5):
        """Whether the session still answers."""
        before, end = self._answers, time.monotonic() + seconds
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            return False
        while time.monotonic() < end and self.ended is None and self._answers == before:
            time.sleep(0.05)
        return self._answers > before

    def close(self):
        """Ends the session, if it hasn't ended."""
        self._process.kill()


class Ledger:
    """A writer beside each proxy, and a list of what was acknowledged that lies with neither: it outlives the restart of clients and of whole hosts.

    A context manager; `account` is there afterwards. A writer whose container was restarted is started again.
    """

    def __init__(self, lab):
        self._lab = lab
        self._script = (places.LAB / "lab/ledger.py").read_text()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._rows = []
        self._starts = 0
        self._running = {}
        self._table = f"ledger_{int(time.time())}"
        self._threads = [threading.Thread(target=self._keep_writing, args=(host,), daemon=True) for host in lab.hosts]
        self.account = None

    def __enter__(self):
        self._lab.sql("db3", f"create table {self._table} (k text primary key)")
        for thread in self._threads:
            thread.start()
        time.sleep(3)
        return self

    def _keep_writing(self, host):
        while not self._done.is_set():
            with self._lock:
                self._starts += 1
                number = self._starts
            writer = self._lab.hosts[host].start("podman", "exec", "--interactive", f"client-{host}-main", "python3", "-u", "-c", self._script, self._table, f"{host}-{number}",
                                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
            self._running[host] = writer
            for line in writer.stdout:
                with self._lock:
                    self._rows.append((time.monotonic(), line.strip()))
            writer.wait()
            time.sleep(0.5)

    def __exit__(self, kind, problem, trace):
        self._done.set()
        for writer in self._running.values():
            writer.stdin.close()
        for thread in self._threads:
            thread.join(60)
        if kind is None:
            there = set(self._lab.sql("db3", f"select k from {self._table}", timeout=120).split())
            moments = sorted(moment for moment, _ in self._rows)
            gap, gap_at = max(((after - before, before) for before, after in zip(moments, moments[1:])), default=(float("inf"), 0.0))
            self.account = Account(len(self._rows), sum(row not in there for _, row in self._rows), gap, gap_at, 0.0, 0.0, {})
            self._lab.sql("db3", f"drop table {self._table}")
