"""Barman reads its configuration where the container has it, knows each option and takes each value."""

import re
import shutil
from pathlib import Path

from bundle import output, run
from scratch import make_binaries
from mounts import config_mounts, mount_config

PROVES = "Barman knows every option and takes every value of its configuration; libpq reads its connection strings"
WEIGHT = 5
SETTINGS = ("directories", "retention policy settings", "compression settings")


def judge(tree, verdict):
    for host in tree.hosts:
        if not (host.quadlet / "barman-main.container").exists():
            continue
        mount_config(host, "barman-main.container")
        for source, target in config_mounts(host, "barman-main.container"):
            for file in sorted(source.rglob("barman.conf")):
                judge_config(file, target / file.relative_to(source), verdict)
            for file in sorted(source.glob("**/*.d/*.conf")):
                verdict.judged(file)


def judge_config(file, config, verdict):
    verdict.judged(file)
    give(Path(re.search(r"^barman_home\s*=\s*(\S+)", file.read_text(), flags=re.M)[1]))
    for log in re.findall(r"^log_file\s*=\s*(\S+)", file.read_text(), flags=re.M):
        give(Path(log).parent)
    for server in file.parent.rglob("*.conf"):
        for directory in re.findall(r"^path_prefix\s*=\s*(\S+)", server.read_text(), flags=re.M):
            make_binaries(directory)
    listed = run(["barman", "-c", config, "list-servers", "--minimal"])
    complain(file, listed, verdict)
    if verdict.problems:
        return  # Each further command would say the same, and takes its time.
    for server in listed.stdout.split():
        shown = run(["barman", "-c", config, "show-servers", server])
        complain(file, shown, verdict)
        if listed.returncode or shown.returncode:
            verdict.problem(file, f"exit status {listed.returncode or shown.returncode}")
        # Nobody answers, but libpq has read the string before it finds out.
        unreachable = re.search(r"connection_error: (.*)", shown.stdout)
        if not unreachable or not re.search("Network is unreachable|Connection refused|timeout expired", unreachable[1]):
            verdict.problem(file, f"connection string of {server}: {unreachable and unreachable[1]}")
        checked = run(["barman", "-c", config, "check", server]).stdout
        for setting in SETTINGS:
            if not re.search(rf"^\s*{setting}: OK", checked, flags=re.M):
                verdict.problem(file, f"check of {server}:\n{checked}")
                break


def complain(file, done, verdict):
    for line in output(done).splitlines():
        if re.match(r"(WARNING|ERROR|EXCEPTION)", line):
            verdict.problem(file, line)


def give(directory):
    """A directory that is this judge's alone, and Barman's."""
    directory.mkdir(parents=True, exist_ok=True)
    run(["mount", "-t", "tmpfs", "tmpfs", directory]).check_returncode()
    shutil.chown(directory, "barman", "barman")
