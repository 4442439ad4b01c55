"""The primary's host is cut off from the others but alive: there are never two writable primaries, and it comes back by itself."""

import json
import subprocess
import time

from lab import places, switch


def run(lab):
    leader = lab.leader()
    script = (places.LAB / "lab/claim.py").read_text()
    claims = {
        name: host.start("podman", "exec", "--interactive", "patroni-app-main", "python3", "-c", script, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for name, host in lab.hosts.items()
    }
    for name, claim in claims.items():
        lab.expect(claim.stdout.readline().strip() == "trying", f"no writer on {name}")
    time.sleep(3)
    cut = time.time()
    switch.set_link(leader, False)
    try:
        time.sleep(45)
    finally:
        switch.set_link(leader, True)
    mended = time.time()
    # Until it has heard of the others, the host that was cut off tells of the cluster as it was.
    lab.wait_until("another primary is seen everywhere", lambda: lab.leader() != leader)
    lab.wait_healthy()
    lab.measure("mended to healthy cluster", time.time() - mended, "s")

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
