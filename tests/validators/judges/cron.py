"""The cron daemon loads every crontab of a bundle and reports no error to its log."""

import os
import re
import socket
import stat
import subprocess
import time
from pathlib import Path

from bundle import output, run

PROVES = "the cron daemon (or crontab -n, for those without an account's column) takes every crontab"


def judge(tree, verdict):
    crontabs = [file for host in tree.hosts for file in host.files("*") if file.parent.name == "cron.d" or file.name == "crontab"]
    if not crontabs:
        return
    log = private_log()
    for file in crontabs:
        verdict.judged(file)
        if file.parent.name == "cron.d":
            judge_system(file, log, verdict)
        else:
            done = run(["crontab", "-n", file])
            if done.returncode or "error" in output(done).lower():
                verdict.problem(file, output(done))
            judge_own_reader(file, verdict)


def judge_own_reader(file, verdict):
    """The daemon that a bundle brings along has to read what the real one reads."""
    daemon = file.with_name("crond.py")
    if not daemon.exists():
        return
    verdict.judged(daemon)
    script = ("import datetime, runpy, sys; own = runpy.run_path(sys.argv[1]); now = own['this_minute']();"
              "own['due'](sys.argv[2], now, now + datetime.timedelta(minutes=1))")
    done = run(["python3", "-W", "error", "-c", script, daemon, file])
    if done.returncode or output(done).strip():
        verdict.problem(file, f"{daemon.name}: {output(done)}")


def private_log():
    """A /dev of our own, whose /dev/log we listen to: nothing else hears what cron thinks of a file."""
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/dev"]).check_returncode()
    for name, minor in (("null", 3), ("zero", 5), ("random", 8), ("urandom", 9)):
        os.mknod(f"/dev/{name}", 0o666 | stat.S_IFCHR, os.makedev(1, minor))
        os.chmod(f"/dev/{name}", 0o666)
    log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    log.bind("/dev/log")
    log.settimeout(0.2)
    return log


def judge_system(file, log, verdict):
    place = Path("/etc/cron.d")
    run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", place]).check_returncode()
    (place / "judged").write_bytes(file.read_bytes())
    (place / "judged").chmod(0o644)
    daemon = subprocess.Popen(["cron", "-f"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    lines, deadline = [], time.monotonic() + 10
    while time.monotonic() < deadline and not any("@reboot" in line for line in lines):
        try:
            lines.append(log.recv(65536).decode("utf-8", "backslashreplace"))
        except TimeoutError:
            continue
    daemon.kill()
    daemon.wait()
    run(["umount", place])
    Path("/run/crond.reboot").unlink(missing_ok=True)
    if not any("@reboot" in line for line in lines):
        verdict.problem(file, f"cron did not come to run its jobs: {lines}")
    for line in lines:
        if not re.search(r"\(CRON\) (INFO|STARTUP)", line):
            verdict.problem(file, line)
