"""A steady write load from a client's container, and its account: rows acknowledged, lost, and the longest gap."""

import dataclasses
import json
import subprocess

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
