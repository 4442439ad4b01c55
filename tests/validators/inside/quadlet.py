"""Podman's own generator, and the true systemd as the reader of its command lines."""

import os
import re
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from bundle import run

GENERATORS = {"5.4.2": "/usr/libexec/podman/quadlet", "newest": "/opt/podman-newest/quadlet"}

RECORDER = """#!/bin/sh
# Stands where a program is named: writes down how many arguments it was called with, and each, NUL behind it.
printf '%s\\0' "$#" "$@" >>"$COPS_RECORD"
"""


def suits(version, tree, host):
    """Whether a host's units are for this Podman: newer ones may hold keys that 5.4 doesn't know."""
    return version == "newest" or podman_version(tree, host) <= (5, 4)


def suiting(tree, host):
    """The generator that is nearest to the host's own."""
    return "5.4.2" if suits("5.4.2", tree, host) else "newest"


def podman_version(tree, host):
    if not tree.description_path.exists():
        return 5, 4
    written = tree.description.get("hosts", {}).get(host.name, {}).get("podman_version", "5.4")
    return tuple(int(number) for number in written.split(".")[:2])


def generate(version, host):
    """The services that Quadlet makes of a host's units, by name, and all that it complains about."""
    done = run([GENERATORS[version], "--dryrun", "--no-kmsg-log"], env={"QUADLET_UNIT_DIRS": str(host.quadlet), "PATH": "/usr/bin:/usr/sbin"})
    services, complaints = {}, []
    for part in re.split(r"^---(?=.*---$)", done.stdout, flags=re.M)[1:]:
        name, _, text = part.partition("---\n")
        services[name] = text.rstrip("\n") + "\n"
    for line in done.stderr.splitlines():
        if not re.search(r"Loading source (unit|drop-in) file|Starting quadlet-generator|^$", line):
            complaints.append(line)
    if done.returncode and not complaints:
        complaints.append(f"exit status {done.returncode}")
    return services, complaints


def sections(text):
    """Section, then key and raw values of a unit file, continuation lines joined as systemd joins them."""
    found, section = {}, None
    for line in re.sub(r"\\\n", " ", text).split("\n"):
        if line.startswith("[") and line.endswith("]"):
            section = found.setdefault(line[1:-1], {})
        elif line and line[0] not in "#;" and "=" in line:
            key, _, value = line.partition("=")
            section.setdefault(key.strip(), []).append(value.strip())
    return found


EXEC_KEYS = ("ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost")


class Call(NamedTuple):
    """One command of a service: the arguments are those that the program would get."""

    key: str
    prefix: str
    program: str
    argv: list


class Recorder:
    """A systemd user manager that runs the command lines of services against programs that write down their arguments.

    So the words are split, unescaped and expanded by the reader that they are meant for. The manager's runtime directory is
    /run, as the system's is: `%t` expands alike.
    """

    UNITS = Path("/run/cops-units")

    def __init__(self):
        self.manager = None

    def __enter__(self):
        Path("/run/systemd/system").mkdir(parents=True)
        self.UNITS.mkdir()
        Path("/tmp/recorder").write_text(RECORDER)
        Path("/tmp/recorder").chmod(0o755)
        (self.UNITS / "idle.target").write_text("[Unit]\nDescription=Nothing\n")
        self.cgroup = Path(f"/sys/fs/cgroup/cops-judge-{time.monotonic_ns()}")
        self.cgroup.mkdir()
        (self.cgroup / "cgroup.procs").write_text("0")
        self.env = {"XDG_RUNTIME_DIR": "/run", "HOME": "/root", "PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": str(self.UNITS),
                    "SYSTEMD_LOG_TARGET": "console", "SYSTEMD_LOG_LEVEL": "warning"}
        self.log = open("/tmp/manager.log", "w+")
        self.manager = subprocess.Popen(["/usr/lib/systemd/systemd", "--user", "--unit=idle.target"], env=self.env,
                                        stdin=subprocess.DEVNULL, stdout=self.log, stderr=subprocess.STDOUT)
        for _ in range(200):
            if Path("/run/systemd/private").exists():
                return self
            if self.manager.poll() is not None:
                break
            time.sleep(0.02)
        raise RuntimeError("systemd --user did not come up:\n" + Path("/tmp/manager.log").read_text())

    def __exit__(self, *_):
        self.manager.kill()
        self.manager.wait()
        Path("/sys/fs/cgroup/cgroup.procs").write_text("0")
        for path in sorted([self.cgroup, *self.cgroup.rglob("*")], reverse=True):
            if path.is_dir():
                for _ in range(50):
                    try:
                        path.rmdir()
                        break
                    except OSError:
                        time.sleep(0.02)

    def record(self, services):
        """For each service, its commands in the order in which it names them."""
        for old in self.UNITS.glob("*.service"):
            old.unlink()
        records = Path("/tmp/records")
        run(["rm", "-rf", records])
        records.mkdir()
        calls = {}
        for name, text in services.items():
            calls[name] = self.write_unit(name, text, records)
        self.systemctl("daemon-reload")
        if services:
            self.systemctl("start", "--", *services)
        return {name: self.read(name, keys, records) for name, keys in calls.items()}

    def write_unit(self, name, text, records):
        """The service's command lines and environment, letter for letter but for the program, each run once."""
        keys, lines, keep, in_service = [], ["[Unit]", "DefaultDependencies=no", "[Service]", "Type=oneshot"], False, False
        lines.append(f"Environment=COPS_RECORD={records}/{name}")
        for line in text.split("\n"):  # splitlines() would split at U+0085 and U+2028 too
            if lines[-1].endswith("\\"):
                if keep:
                    lines.append(line)
                continue
            if line.startswith("["):
                in_service = line == "[Service]"
            key, _, value = line.partition("=")
            keep = in_service and (key in EXEC_KEYS or key == "Environment")
            if keep and key in EXEC_KEYS:
                prefix, program, rest = re.match(r"([-@:+!|]*)(\S+)(.*)", value).groups()
                keys.append((key, prefix, program))
                line = f"ExecStart={prefix}/tmp/recorder{rest}"
            if keep:
                lines.append(line)
        (self.UNITS / name).write_text("\n".join(lines) + "\n")
        return keys

    def read(self, name, keys, records):
        path = records / name
        words = [w.decode("utf-8", "surrogateescape") for w in path.read_bytes().split(b"\0")[:-1]] if path.exists() else []
        calls = []
        while words:
            count = int(words[0])
            calls.append(words[1 : count + 1])
            del words[: count + 1]
        if len(calls) != len(keys):
            raise RuntimeError(f"{name}: {len(keys)} commands, {len(calls)} recorded:\n{Path('/tmp/manager.log').read_text()}")
        return [Call(*key, argv) for key, argv in zip(keys, calls)]

    def systemctl(self, *argv):
        done = run(["systemctl", "--user", "--no-ask-password", *argv], env=self.env, timeout=120)
        if done.returncode:
            raise RuntimeError(f"systemctl {argv[0]}: {done.stderr}\n{Path('/tmp/manager.log').read_text()}")
