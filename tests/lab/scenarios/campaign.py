"""Random faults at random moments under load: no acknowledged row is lost, never two primaries, members equal, healed alone, no hole in the archive."""

import dataclasses
import json
import random
import subprocess

from campaign import faults, rounds, table
from lab import places, platform


class Platform(platform.Platform):
    """Hosts whose disks can fill up and fail."""

    disks = {"patroni": "8G", "etcd": "2G"}


def run(lab):
    options = lab.options
    seed = random.SystemRandom().getrandbits(32) if options.seed is None else options.seed
    count = options.rounds or (5 if lab.is_full else 3)
    print(f"     seed {seed}; a round is run again by `tests/lab/run campaign --rounds 1 --seed ITS_SEED`", flush=True)
    unknown = set(options.faults) - faults.KINDS.keys()
    lab.expect(not unknown, f"there are no such faults: {sorted(unknown)}; there are: {', '.join(faults.KINDS)}")
    # What runs is what was there when it began.
    what = commit()
    runner = rounds.Rounds(lab, options.faults)
    seen = []
    for number in range(count):
        seen.append(runner.run(rounds.seed_of(seed, number), (number + 1) % options.restore_every == 0))
        print("     " + table.line(number + 1, count, seen[-1]), flush=True)
        for note in seen[-1].notes:
            print(f"       {note}", flush=True)
        lab.table = table.table(seen, what, seed)
        with open(places.CACHE / f"campaign-{seed}.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps(dataclasses.asdict(seen[-1])) + "\n")
        lab.expect(not seen[-1].is_over, f"round {number + 1}, seed {seen[-1].seed}, left a cluster that can't be used: {'; '.join(seen[-1].failures)}")
    failed = [each.seed for each in seen if each.failures]
    lab.expect(not failed, f"{len(failed)} of {count} rounds failed, with the seeds {failed}")


def commit():
    """The commit that ran."""
    said = subprocess.run(["git", "describe", "--always", "--dirty= and changes"], cwd=places.ROOT, capture_output=True, text=True)
    return said.stdout.strip() or "an unknown commit"
