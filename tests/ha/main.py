"""The trial, inside the tree: runs the cases side by side and prints what they measured. `run` says how it is called."""

import argparse
import multiprocessing
import os
import queue
import sys
import time
import traceback

from cases import CASES
from trial import case as cases
from trial.case import Case
from trial.host import run

TRIES = 3
# What the half without the fix ends with.
DAMAGE, NO_DAMAGE, BROKEN = 1, 2, 3
# Where `run` hands the file for the table on.
TABLE = 7


class Job:
    """A half of a case, to be run once."""

    def __init__(self, name, with_fix, number, gate, programs):
        self.name, self.with_fix = name, with_fix
        self.label = f"{name} {'with' if with_fix else 'without'}" + (f" {number}" if number else "")
        self._gate, self._programs = gate, programs

    def work(self, results):
        """Runs in a process of its own. Puts (label, problem, damage, what was measured)."""
        case = None
        try:
            for again in range(1 if self.with_fix else TRIES):
                case = Case(self.label + (f" try {again + 1}" if again else ""), self._gate, self._programs)
                damage = CASES[self.name][0 if self.with_fix else 1](case)
                if damage:
                    break
                if not self.with_fix:
                    case.say(f"no damage; logs: {os.environ['COPS_HA_KEPT']}/{case.keep_logs()}")
                case.clear()
            case.clear()
            results.put((self.label, None, damage, case.measured))
        except BaseException as problem:  # whatever it was, the others go on
            known = isinstance(problem, cases.Failed)
            case.say(f"FAILED: {problem if known else traceback.format_exc()}")
            case.say(f"logs: {os.environ['COPS_HA_KEPT']}/{case.keep_logs()}")
            results.put((self.label, str(problem) or repr(problem), None, case.measured))


def main():
    options = argparse.ArgumentParser()
    options.add_argument("names", metavar="CASE", nargs="*", choices=[[], *CASES])
    options.add_argument("--without-fix", action="store_true")
    options.add_argument("--times", type=int, default=1)
    options.add_argument("--jobs", type=int, default=8)
    options.add_argument("--start")
    options.add_argument("--finder")
    chosen = options.parse_args()
    names = chosen.names or list(CASES)
    halves = [(name, with_fix) for name in names for with_fix in (True, False) if CASES[name][0 if with_fix else 1] and not (with_fix and chosen.without_fix)]
    if not halves:
        options.error("these cases have no half without the fix")
    if not chosen.start and any(with_fix and name != "flip" for name, with_fix in halves):
        options.error("there is no templates/programs/patroni/start.py; --start FILE names one")
    if chosen.start:
        print(run("python3", chosen.start, "--check").strip(), flush=True)
    run("ip", "netns", "add", "first")  # makes the directory of namespaces what it has to be, before many do it at once
    gate = multiprocessing.Semaphore(2)
    programs = {"start": chosen.start, "finder": chosen.finder}
    jobs = [Job(name, with_fix, number + 1 if chosen.times > 1 else 0, gate, programs) for number in range(chosen.times) for name, with_fix in halves]
    results = side_by_side(jobs, chosen.jobs)
    table = as_table(jobs, results)
    print("\n" + table)
    with open(TABLE, "w", encoding="utf-8") as file:
        file.write(table)
    sys.exit(verdict(jobs, results, chosen.without_fix))


def side_by_side(jobs, limit):
    """Runs all jobs, so many at once, and returns their results by label."""
    waiting, running, done, results = list(jobs), {}, {}, multiprocessing.Queue()
    while waiting or running:
        while waiting and len(running) < limit:
            job = waiting.pop(0)
            running[job.label] = multiprocessing.Process(target=job.work, args=(results,))
            running[job.label].start()
        try:
            label, *result = results.get(timeout=1)
        except queue.Empty:
            # A process that ended without a word, killed from outside.
            for label in [label for label, process in running.items() if not process.is_alive() and results.empty()]:
                done[label] = (f"ended with {running.pop(label).exitcode}", None, [])
            continue
        done[label] = result
        running.pop(label).join()
    return done


def as_table(jobs, results):
    """What was measured, as Markdown; what was measured several times in one row."""
    lines = ["| case | fix | what | measured |", "|---|---|---|---|"]
    rows = {}
    for job in jobs:
        problem, _, measured = results[job.label]
        half = (job.name, "with" if job.with_fix else "without")
        for what, value, unit in measured:
            rows.setdefault((*half, what, unit), []).append(f"{value:.1f}" if isinstance(value, float) else str(value))
        if problem:
            rows.setdefault((*half, "FAILED", ""), []).append(problem.splitlines()[0])
    lines += [f"| {name} | {half} | {what} | {', '.join(values)} {unit}".rstrip() + " |" for (name, half, what, unit), values in rows.items()]
    return "\n".join(lines) + "\n"


def verdict(jobs, results, without_alone):
    """What the trial ends with, and a last line that says it in words."""
    problems = [job.label for job in jobs if results[job.label][0]]
    harmless = [job.label for job in jobs if not job.with_fix and not results[job.label][0] and not results[job.label][1]]
    seconds = f"{time.monotonic() - cases.STARTED:.0f} s"
    for label in problems:
        print(f"FAILED: {label}: {results[label][0].splitlines()[0]}")
    for label in harmless:
        print(f"no damage in {TRIES} tries: {label}: the trial proves nothing")
    if without_alone:
        status = BROKEN if problems else NO_DAMAGE if harmless else DAMAGE
        print(f"without the fix: {['', 'rows were lost or clients hang', 'nothing happened', 'the trial failed'][status]} ({seconds})")
        return status
    print(f"{len(jobs) - len(problems) - len(harmless)} passed, {len(problems) + len(harmless)} failed in {seconds}")
    return 1 if problems or harmless else 0


main()
