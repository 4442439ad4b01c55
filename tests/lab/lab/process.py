"""Processes that outlive the program that started them: a pid counts only with its start time."""

import os
import pathlib
import signal
import time


def started(pid):
    """When a process started, in clock ticks since boot; None when there is none, or only its remains."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def remember(file, pid):
    """Writes a process down."""
    file.write_text(f"{pid} {started(pid)}\n")


def recall(file):
    """The pid that `remember` wrote, if that very process still runs."""
    try:
        pid, start = file.read_text().split()
    except FileNotFoundError:
        return None
    return int(pid) if start == str(started(pid)) else None


def children(pid):
    """The pids of a process's children."""
    try:
        return [int(word) for task in os.listdir(f"/proc/{pid}/task")
                for word in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def name_of(pid):
    """The name of a process; empty when it has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_for_end(pid, seconds):
    """Whether a process ended within that time."""
    start, end = started(pid), time.monotonic() + seconds
    while start is not None and started(pid) == start:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def kill(pid, number=signal.SIGKILL):
    """Sends a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
