"""Runs scenarios, in one lab or in several side by side. Each lab is a process of its own, `python3 -m lab.lanes`, that is told a scenario's name at
a time and takes its hosts from one to the next as long as they stay healthy."""

import dataclasses
import importlib
import json
import os
import subprocess
import sys
import threading
import time
import traceback

import scenarios

from . import places
from .platform import Platform, take_down


@dataclasses.dataclass
class Options:
    """What `run` was told: `is_full` and `keep` as its help has them, and the rest for the campaign."""

    is_full: bool = False
    keep: bool = False
    rounds: int | None = None
    seed: int | None = None
    restore_every: int = 5
    faults: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Result:
    """What came of a scenario. `measured` has a text, a number and its unit each; `table` is one of its own, in Markdown."""

    name: str
    passed: bool
    measured: list
    table: str = ""


def run(names, labs, told):
    """Runs the scenarios and returns their results in that order. What must be alone comes last, when the other labs are down."""
    together = [name for name in names if labs == 1 or name not in scenarios.ALONE]
    alone = [name for name in names if name not in together]
    results = []

    def work(lane, queue):
        while True:
            # Taking from a list is one step: no lane takes what another took.
            try:
                name = queue.pop(0)
            except IndexError:
                return
            results.append(lane.run(name))

    lanes = [_Lane(number, labs, told) for number in range(min(labs, len(together)) or 1)]
    threads = [threading.Thread(target=work, args=(lane, together)) for lane in lanes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for lane in lanes[1:]:
        lane.end()
    work(lanes[0], alone)
    lanes[0].end()
    return sorted(results, key=lambda result: names.index(result.name))


class _Lane:
    """One lab's process."""

    def __init__(self, number, labs, told):
        self._name = places.NAME if number == 0 else f"{places.NAME}-{number + 1}"
        self._prefix = f"{self._name}: " if labs > 1 else ""
        answers, theirs = os.pipe()
        self._answers = os.fdopen(answers)
        options = [str(theirs), json.dumps(dataclasses.asdict(told))]
        environment = {**os.environ, "COPS_LAB": self._name, "PYTHONPATH": str(places.LAB), "PYTHONDONTWRITEBYTECODE": "1"}
        self._process = subprocess.Popen([sys.executable, "-m", "lab.lanes", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         text=True, bufsize=1, pass_fds=[theirs], env=environment)
        os.close(theirs)
        self._printer = threading.Thread(target=self._print)
        self._printer.start()

    def _print(self):
        for line in self._process.stdout:
            print(self._prefix + line, end="", flush=True)

    def run(self, name):
        """Runs one scenario to its end."""
        try:
            self._process.stdin.write(name + "\n")
            answer = self._answers.readline()
        except BrokenPipeError:
            answer = ""
        # A process that is no more has failed whatever it is asked.
        return Result(**json.loads(answer)) if answer else Result(name, False, [])

    def end(self):
        """Takes the lab down."""
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.wait()
        self._printer.join()


class _Lab:
    """The process's side: a platform that scenarios hand on to each other."""

    def __init__(self, told):
        self._told = told
        self._platform = None

    def run(self, name):
        """Runs one, on hosts brought up anew when there are none or the one before broke them."""
        module = importlib.import_module(f"scenarios.{name.replace('-', '_')}")
        print(f"== {name}: {module.__doc__.strip().splitlines()[0]}", flush=True)
        start = time.monotonic()
        try:
            wanted = getattr(module, "Platform", Platform)
            if type(self._platform) is not wanted:
                self._platform = wanted()
                self._platform.options = self._told
                self._platform.is_full = self._told.is_full
                self._platform.bring_up()
                if wanted is Platform and name != "fresh":
                    # `fresh` tells what that takes.
                    self._platform.measured = []
            module.run(self._platform)
            self._platform.wait_healthy()
        except Exception as problem:
            # A mistake of the scenario's own is a failure too: the others still run, and the table is printed.
            print(f"== {name}: FAILED after {time.monotonic() - start:.0f} s: {problem}", flush=True)
            traceback.print_exc(limit=-4)
            look = places.CACHE / "failed" / f"{places.NAME}-{name}"
            self._platform.explain(look)
            print(f"   units, journals and Patroni's list: {look}", flush=True)
            result = Result(name, False, self._platform.measured, self._platform.table)
            self._platform = None
            return result
        print(f"== {name}: passed in {time.monotonic() - start:.0f} s", flush=True)
        result = Result(name, True, self._platform.measured, self._platform.table)
        self._platform.measured, self._platform.table = [], ""
        return result


def _main(answers, options):
    told = Options(**json.loads(options))
    lab = _Lab(told)
    try:
        with open(int(answers), "w", encoding="utf-8") as answers:
            for name in sys.stdin:
                print(json.dumps(dataclasses.asdict(lab.run(name.strip()))), file=answers, flush=True)
    finally:
        if not told.keep:
            take_down()


if __name__ == "__main__":
    _main(*sys.argv[1:])
