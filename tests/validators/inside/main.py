"""Runs every judge over every tree, each in namespaces of its own, and prints one line per judge and tree."""

import argparse
import ctypes
import importlib.util
import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bundle import VALIDATORS, Tree, Verdict  # noqa: E402

REPO = VALIDATORS.parent.parent
RESULTS = Path("/run/results")
STUMBLED = "the judge itself failed"


def load_judges():
    judges = {}
    for path in sorted((VALIDATORS / "judges").glob("*.py")):
        spec = importlib.util.spec_from_file_location("judge_" + path.stem.replace("-", "_").replace(".", "_"), path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        judges[path.stem] = module
    return judges


def find_trees(options):
    if options.out:
        return [Tree("out", Path(options.out[0]), Path(options.out[1]))]
    trees = []
    if (REPO / "out").is_dir():
        trees.append(Tree("example", REPO / "out", REPO / "tests/example/cluster.json"))
    for case in sorted((REPO / "tests/cases").glob("*/cluster.json")):
        if (case.parent / "expected").is_dir():
            trees.append(Tree(case.parent.name, case.parent / "expected", case))
    if options.case:
        unknown = set(options.case) - {tree.name for tree in trees}
        if unknown:
            sys.exit(f"no rendered case named {', '.join(sorted(unknown))}")
        trees = [tree for tree in trees if tree.name in options.case]
    return trees


def find_broken(judge_name):
    """The trees that a judge must refuse: broken/NAME/ with `refusal`, a text that the refusal has to hold."""
    for path in sorted((VALIDATORS / "broken").glob("*/refusal")):
        stem = path.parent.name.partition("--")[0]
        if stem == judge_name or (stem.endswith("-any") and judge_name.startswith(stem[:-3])):
            yield Tree(path.parent.name, path.parent, path.parent / "cluster.json"), path.read_text().strip()


def isolate():
    """Own network (lo alone), own mounts, and own processes that die with the judge."""
    os.unshare(os.CLONE_NEWNET | os.CLONE_NEWNS | os.CLONE_NEWIPC | os.CLONE_NEWPID)
    pid = os.fork()
    if pid:
        os._exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) & 0xFF)
    ctypes.CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL
    for argv in (
        ["mount", "--make-rprivate", "/"],
        ["mount", "-t", "proc", "proc", "/proc"],
        ["mount", "-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp"],
        ["ip", "link", "set", "lo", "up"],
    ):
        subprocess.run(argv, check=True)


def judge(module, tree, result):
    """The child: judges one tree and leaves the verdict in a file. Never returns."""
    verdict = Verdict(tree)
    status = 1
    try:
        results = os.open(RESULTS, os.O_RDONLY)
        isolate()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/run"], check=True)
        module.judge(tree, verdict)
        status = 0
    except BaseException:  # noqa: BLE001 - a judge that stumbles has not judged
        verdict.problems.append(STUMBLED + ":\n" + traceback.format_exc())
    text = json.dumps({"files": sorted(verdict.files), "problems": verdict.problems, "notes": verdict.notes})
    with open(os.open(result, os.O_WRONLY | os.O_CREAT, dir_fd=results), "w") as out:
        out.write(text)
    os._exit(status)


class Scheduler:
    """Keeps as many judges at work as there are processors."""

    def __init__(self):
        self.width = max(2, len(os.sched_getaffinity(0)))
        self.running = {}
        self.done = {}

    def start(self, key, module, tree):
        while len(self.running) >= self.width:
            self.reap()
        sys.stdout.flush()
        name = f"{len(self.done) + len(self.running)}.json"
        pid = os.fork()
        if pid == 0:
            judge(module, tree, name)
        self.running[pid] = (key, name, time.monotonic())

    def reap(self):
        pid, _ = os.waitpid(-1, 0)
        if pid not in self.running:
            return
        key, name, began = self.running.pop(pid)
        path = RESULTS / name
        found = json.loads(path.read_text()) if path.exists() else {"files": [], "problems": ["the judge was killed"], "notes": []}
        self.done[key] = found | {"seconds": time.monotonic() - began}
        os.environ.get("COPS_VERBOSE") and print(f"# {key} {self.done[key]['seconds']:.1f}s")

    def finish(self):
        while self.running:
            self.reap()
        return self.done


def report(name, tree, found, problems):
    verdict = "FAILED" if problems else "ok"
    print(f"{name:16}  {tree:24}  {len(found['files']):4} files  {found['seconds']:5.1f}s  {verdict}")
    for note in found["notes"]:
        print(f"    note: {note}")
    for problem in problems:
        print("    " + problem.replace("\n", "\n    "))
    return not problems


def tell_unjudged(tree, done):
    """Says which files of a tree no reader of their format has read, beyond the manifest's digests."""
    judged = {file for key, found in done.items() if key[1] == tree.name and key[0] != "manifest" for file in found["files"]}
    left = {}
    for path in tree.path.rglob("*"):
        if path.is_file() and str(path) not in judged and path.name != "manifest.json":
            left[path.name] = left.get(path.name, 0) + 1
    if left:
        print(f"{tree.name}: read by no judge: " + ", ".join(f"{name} ({count})" for name, count in sorted(left.items())))


def main():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("--out", nargs=2)
    parser.add_argument("--case", action="append", default=[])
    parser.add_argument("--judge", action="append", default=[])
    options = parser.parse_args()
    RESULTS.mkdir(parents=True)
    judges = load_judges()
    if set(options.judge) - set(judges):
        sys.exit(f"no judge named {', '.join(set(options.judge) - set(judges))}")
    judges = {name: module for name, module in judges.items() if not options.judge or name in options.judge}
    trees = find_trees(options)
    if not trees:
        sys.exit("nothing to judge: there is no rendered tree")

    scheduler = Scheduler()
    for name, module in sorted(judges.items(), key=lambda pair: -getattr(pair[1], "WEIGHT", 1)):
        for tree in trees:
            scheduler.start((name, tree.name, None), module, tree)
        for tree, refusal in find_broken(name):
            scheduler.start((name, tree.name, refusal), module, tree)
    done = scheduler.finish()

    outcomes = []
    for (name, tree, refusal), found in sorted(done.items(), key=lambda pair: (pair[0][0], pair[0][2] is not None, pair[0][1])):
        problems = found["problems"]
        if refusal is not None:
            refused = any(refusal in problem and not problem.startswith(STUMBLED) for problem in problems)
            problems = [] if refused else [f"expected a refusal with {refusal!r}, seen {problems!r}"]
            tree = f"refuses {tree.partition('--')[2] or 'a broken file'}"
        elif not problems and not found["files"] and tree == "example":
            problems = ["judged no file of the example"]
        outcomes.append(report(name, tree, found, problems))
    for name in judges:
        if not any(key[0] == name and key[2] is not None for key in done):
            print(f"{name:16}  has no broken tree that it must refuse: FAILED")
            outcomes.append(False)
    if not options.judge:
        tell_unjudged(trees[0], done)
    print(f"{outcomes.count(True)} passed, {outcomes.count(False)} failed")
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
