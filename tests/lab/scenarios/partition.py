"""The primary's host is cut off from the others but alive: there are never two writable primaries, and it comes back by itself."""

import contextlib
import json
import subprocess
import time

from lab import places, switch

# Segments of WAL between the last checkpoint and the cut: more than Patroni keeps by itself, fewer than make a checkpoint.
SEGMENTS = 16
_WAL = "/var/lib/postgresql/data/pg_wal"
_KEPT = "/var/containerops/data/patroni/app/kept/PG_VERSION"


def run(lab):
    writable_once(lab)
    copied_anew(lab)


def writable_once(lab):
    """Writes are tried on every host all the time. The old primary is rewound: its data stays."""
    leader = lab.leader()
    move_away_from_checkpoint(lab, leader)
    script = (places.LAB / "lab/claim.py").read_text()
    claims = {
        name: host.start("podman", "exec", "--interactive", "patroni-app-main", "python3", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name, host in lab.hosts.items()
    }
    for name, claim in claims.items():
        lab.expect(claim.stdout.readline().strip() == "trying", f"no writer on {name}")
    time.sleep(3)
    cut = time.time()
    with cable_cut(leader):
        time.sleep(35)
    lab.measure("mended to healthy cluster", come_back(lab, leader), "s")
    said = patroni_since(lab, leader, cut)
    lab.expect("pg_rewind exit code=0" in said and "removing" not in said, f"{leader} was not rewound:\n{said}")

    written = {}
    for name, claim in claims.items():
        output, _ = claim.communicate(input="", timeout=30)
        written[name] = json.loads(output)
    writers = {name: (moments[0][0], moments[-1][1]) for name, moments in written.items() if moments}
    lab.expect(leader in writers and len(writers) == 2, f"these hosts were written on: {sorted(writers)}")
    successor = next(name for name in writers if name != leader)
    lab.expect(writers[leader][0] < cut, "the first primary took no write before the cut: nothing was tested")
    lab.measure("the cut-off primary took its last write after", writers[leader][1] - cut, "s")
    lab.measure("the new primary took its first write after", writers[successor][0] - cut, "s")
    lab.expect(writers[leader][1] < writers[successor][0], f"{leader} and {successor} were both writable")


def copied_anew(lab):
    """The old primary has lost the WAL that a rewind reads: it becomes a copy of the new one, and its old directory is kept."""
    leader = lab.leader()
    move_away_from_checkpoint(lab, leader)
    cut = time.time()
    with cable_cut(leader):
        lab.wait_until(f"{leader} gives up", lambda: lab.on_member(leader, "select pg_is_in_recovery()", check=False) == "t", every=1)
        # The other one becomes the primary meanwhile.
        time.sleep(20)
        kept = "pg_controldata -D /var/lib/postgresql/data | sed -n \"s/.*REDO WAL file: *//p\""
        remove = f"kept=$({kept}) && cd {_WAL} && for file in ????????????????????????; do [ \"$file\" \\< \"$kept\" ] && rm \"$file\"; done; ls"
        lab.hosts[leader].run("podman", "exec", "patroni-app-main", "bash", "-c", f"PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; {remove}")
    lab.measure("mended to healthy cluster, copied anew", come_back(lab, leader), "s")
    said = patroni_since(lab, leader, cut)
    lab.expect("pg_rewind exit code=1" in said and "removing" not in said, f"{leader} could be rewound: nothing was tested\n{said}")
    lab.expect(lab.hosts[leader].run("test", "-e", _KEPT, check=False).returncode == 0, f"the data directory that {leader} had is not kept")


def move_away_from_checkpoint(lab, leader):
    """A rewind has a long way back to where it begins. The standbys still lack much of that when the cut comes; what was acknowledged they have."""
    lab.on_member(leader, "checkpoint")
    lab.close_segments(leader, SEGMENTS)


@contextlib.contextmanager
def cable_cut(host):
    """A host is alone meanwhile."""
    switch.set_link(host, False)
    try:
        yield
    finally:
        switch.set_link(host, True)


def come_back(lab, leader):
    """Waits until the cluster is whole again, with another primary, and returns the seconds that it took."""
    start = time.monotonic()
    # Until it has heard of the others, the host that was cut off tells of the cluster as it was.
    lab.wait_until("another primary is seen everywhere", lambda: lab.leader() != leader)
    lab.wait_healthy()
    return time.monotonic() - start


def patroni_since(lab, host, moment):
    """What Patroni said on a host about rewinding since then."""
    return lab.hosts[host].output("journalctl", "--no-pager", "-o", "cat", f"--since=@{moment:.0f}", "-u", "patroni-app-main.service", "--grep", "rewind|removing")
