"""docs/upgrading.md, each command as it is printed, takes a platform of an older version to this one under a write load, and back: no row is lost."""

import re
import time

from lab import former, page, places, platform
from lab.load import Ledger

PAGE = places.ROOT / "docs/upgrading.md"
# The last one before a cut-off primary could no longer take its lock back.
FORMER = "a64b88e5ffcabe8c05bea5027275cc5b36c653fa"
_BACK = "Go back"
# Where all is well, each host says so at the end of the step that is typed there.
_LAST = "5. See that it is well"


class Platform(platform.Platform):
    """Hosts that run what the older version rendered, in a git repository as docs/first-cluster.md makes it."""

    def __init__(self):
        super().__init__()
        for host in self.hosts.values():
            host.images = former.store(FORMER)

    def render(self):
        return self.render_with(former.cops_gen(FORMER))

    def bring_up(self):
        super().bring_up()
        self.give_tools()
        (self.directory / ".gitignore").write_text("/bin/\n/ca/\n/keys/\n")
        self.operate("bash", "-e", "-c", "git init --quiet; git config user.name Operator; git config user.email operator@example.internal; git add .; git commit --quiet --message Before")


def run(lab):
    lock = (lab.directory / "cluster.lock.json").read_text()
    printed = list(page.commands(PAGE))
    there = [command for command in printed if command.heading != _BACK]
    back = [command for command in printed if command.heading == _BACK]
    lab.expect(len(there) > 8 and len(back) == 4, f"the page has other commands now: {printed}")
    lab.sql("db1", "create table before as select n, md5(n::text) from generate_series(1, 10000) n")
    follow(lab, there, "to the new version")
    lab.expect((lab.directory / "cluster.lock.json").read_text() == lock, "the lock of the older platform was changed")
    lab.expect(not lab.operate("git", "status", "--porcelain").stdout, "the page leaves something uncommitted")
    follow(lab, back, "back")
    lab.expect(lab.sql("db1", "select count(*) from before") == "10000", "rows from before are gone")
    lab.sql("db1", "drop table before")


def follow(lab, commands, what):
    """Types commands under a write load. At the end the cluster is well, nothing is left to do, and every row is there."""
    waited = set()
    with Ledger(lab) as ledger:
        start = time.monotonic()
        for command in commands:
            done = lab.operate("bash", "-e", "-o", "pipefail", "-c", command.text, check=False)
            said = done.stdout + done.stderr
            lab.expect(done.returncode == 0, f"{PAGE.name}, {command.heading}: exit {done.returncode}: {command.text}\n{said[-3000:]}")
            if "/activate" in command.text and "--dry-run" not in command.text:
                # A loop that breaks off ends with 0 all the same.
                ends = [line for line in said.splitlines() if line.startswith(("Done", "Nothing to do."))]
                lab.expect(len(ends) == len(lab.hosts), f"{PAGE.name}, {command.heading}: not every host was done: {command.text}\n{said[-3000:]}")
                lab.expect(command.heading != _LAST or ends == ["Nothing to do."] * len(lab.hosts), f"something was left to do:\n{said}")
                lab.expect("--roll" not in command.text or not any("wait for --roll" in end for end in ends), f"`--roll` left something:\n{said}")
                waited.update(re.findall(r"patroni-app-main\.service|etcd-main-main\.service", " ".join(end for end in ends if "wait for --roll" in end)))
            elif command.heading == _LAST and "ssh" in command.text:
                lab.expect(done.stdout.strip(), f"`{command.text}` showed nothing")
        lab.measure(f"{what}: three hosts activated and rolled", time.monotonic() - start, "s")
        lab.wait_healthy()
        time.sleep(2)
    lab.expect("patroni-app-main.service" in waited, f"{what}: no member of the database had to be rolled, so nothing was shown: {waited}")
    account = ledger.account
    lab.measure(f"{what}: gap in writes", account.gap, "s")
    lab.measure(f"{what}: rows acknowledged", account.acknowledged, "")
    lab.measure(f"{what}: rows lost", account.lost, "")
    lab.expect(account.lost == 0 and account.acknowledged > 1000, f"{account.lost} of {account.acknowledged} acknowledged rows are gone")
    lab.expect(account.gap < 15, f"writes paused for {account.gap:.1f} s")
    for host, text in lab.activate_each().items():
        lab.expect("Nothing to do" in text, f"{host} was left with something to do:\n{text}")
        lab.wait_whole(host)
