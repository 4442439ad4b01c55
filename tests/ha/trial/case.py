"""One run of a case: where it works, what it says, what it measured."""

import pathlib
import shutil
import time

ROOT = pathlib.Path("/trial")
# Where the outside finds what is kept.
KEPT = pathlib.Path("/kept")
STARTED = time.monotonic()


class Failed(Exception):
    """Something isn't as it must be."""


class Case:
    """One run of a case. `gate` is held while a cluster starts: many at once would only wait for each other."""

    def __init__(self, label, gate, programs):
        self.label = label
        self.gate = gate
        self.programs = programs
        self.measured = []
        self.directory = ROOT / label.replace(" ", "-")
        self.directory.mkdir(mode=0o755)

    def say(self, text):
        """A step, with the seconds since the trial's start."""
        print(f"{time.monotonic() - STARTED:6.1f} s  {self.label:<22} {text}", flush=True)

    def expect(self, is_so, otherwise):
        if not is_so:
            raise Failed(otherwise)

    def measure(self, what, value, unit=""):
        """A row of the table of results."""
        self.measured.append((what, value, unit))
        self.say(f"{what}: {f'{value:.1f}' if isinstance(value, float) else value} {unit}".rstrip())

    def wait_until(self, what, is_so, seconds, every=0.2):
        """Waits until `is_so()` is true, and returns what it gave."""
        end = time.monotonic() + seconds
        while True:
            value = is_so()
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(f"not within {seconds:.0f} s: {what}")
            time.sleep(every)

    def keep_logs(self):
        """Copies logs and settings out of the tree, without data directories, and returns where they are."""
        target = KEPT / f"{time.strftime('%H%M%S')}-{self.directory.name}"
        for file in self.directory.rglob("*"):
            if file.suffix in (".log", ".yml", ".cfg") and file.is_file() and "data" not in file.parts:
                (target / file.relative_to(self.directory)).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target / file.relative_to(self.directory))
        return target.name

    def clear(self):
        """Gives the memory back that its files take."""
        shutil.rmtree(self.directory, ignore_errors=True)
