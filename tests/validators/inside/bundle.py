"""What is judged: a rendered tree with the description that it was rendered from, and the verdict on it."""

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

VALIDATORS = Path(__file__).resolve().parent.parent


@dataclass
class Host:
    """The bundle of one host."""

    name: str
    path: Path

    @property
    def rootfs(self):
        return self.path / "rootfs"

    @property
    def quadlet(self):
        return self.rootfs / "etc/containers/systemd"

    def files(self, pattern):
        """The regular files below rootfs that match, sorted."""
        return sorted(p for p in self.rootfs.rglob(pattern) if p.is_file())


@dataclass
class Tree:
    """A rendered tree."""

    name: str
    path: Path
    description_path: Path

    @property
    def description(self):
        return json.loads(self.description_path.read_text())

    @property
    def lock(self):
        return json.loads(self.description_path.with_name("cluster.lock.json").read_text())

    @property
    def hosts(self):
        below = self.path / "hosts"
        return [Host(p.name, p) for p in sorted(below.iterdir()) if p.is_dir()] if below.is_dir() else []


@dataclass
class Verdict:
    """What a judge found in one tree."""

    tree: Tree
    files: set = field(default_factory=set)
    problems: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def judged(self, path):
        self.files.add(str(path))

    def problem(self, path, text):
        """Records why a file is not as it should be."""
        path = Path(path)
        if path.is_relative_to(self.tree.path):
            path = path.relative_to(self.tree.path)
        self.problems.append(f"{path}: {text}")

    def differs(self, path, what, expected, seen):
        """Records a difference, unless there is none."""
        if expected != seen:
            self.problem(path, f"{what}\n  - expected {expected!r}\n  + seen     {seen!r}")

    def refuse_lines(self, path, text, allowed):
        """Every line that no pattern of the allow-list matches is a problem."""
        for line in text.splitlines():
            if line.strip() and not any(pattern.search(line) for pattern in allowed):
                self.problem(path, line.strip())


def allow_list(name):
    """The patterns of allowed/NAME.txt: one regular expression a line, each below a comment that says why."""
    import re

    lines = (VALIDATORS / "allowed" / f"{name}.txt").read_text().splitlines()
    return [re.compile(line) for line in lines if line and not line.startswith("#")]


def run(argv, **options):
    """Runs a program to its end; its output is text, both streams apart."""
    options.setdefault("timeout", 60)
    return subprocess.run([str(a) for a in argv], capture_output=True, text=True, errors="backslashreplace", **options)


def output(done):
    """Both streams of a finished program."""
    return done.stdout + done.stderr


def bind(source, target, make=True):
    """Makes `source` appear at `target`, for this judge alone."""
    if make:
        Path(target).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", str(source), str(target)], check=True)
