"""Where the lab keeps what: caches outside the checkout, and each lab's hosts apart from another's."""

import functools
import os
import pathlib
import subprocess

LAB = pathlib.Path(__file__).resolve().parent.parent
ROOT = LAB.parent.parent

# Several labs may run side by side, each with its own switch, hosts and data.
NAME = os.environ.get("COPS_LAB", "lab")

_CACHE = pathlib.Path(
    os.environ.get("COPS_CACHE") or pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "cops-gen"
)
CACHE = _CACHE / "lab"
# What one run of a lab writes; `down` removes it.
RUN = CACHE / f"run-{NAME}"


def tree():
    """The directory of `make-tree`: `host` and `base.tar`. Made where it is missing."""
    return _made_by("make-tree")


def bare_tree():
    """The directory of `make-bare`: `host`. Made where it is missing."""
    return _made_by("make-bare")


@functools.cache
def _made_by(script):
    made = subprocess.run([LAB / script], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    if made.startswith("SKIPPED"):
        raise SystemExit(made)
    return pathlib.Path(made)


@functools.cache
def cgroups():
    """Where the second version of cgroups is mounted: each host gets a group of its own below."""
    for line in pathlib.Path("/proc/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind == "cgroup2":
            return pathlib.Path(place)
    raise SystemExit("the lab needs cgroup2, mounted anywhere")
