"""How much of this machine a host may have: groups of the first version of cgroups, where this machine has them. Hosts themselves see none of it."""

import pathlib

# The window in which a host may use its share of the processors, in microseconds.
PERIOD = 100000


def group_of(controller, pid="self"):
    """The directory of the group that a process is in; None where this machine lacks the controller."""
    place = next((place for _, place, kind, options, *_ in map(str.split, pathlib.Path("/proc/mounts").read_text().splitlines())
                  if kind == "cgroup" and controller in options.split(",")), None)
    for line in pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if place and controller in controllers.split(","):
            return pathlib.Path(place) / path.lstrip("/")
    return None
