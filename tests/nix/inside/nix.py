"""What checks are written with: a Nix to call, trees to compare, and copies of this project to change."""

import json
import os
import pathlib
import shutil
import subprocess

OUR = pathlib.Path("/tmp/cops-gen")  # this project, as a git repository of its own
STUB = pathlib.Path("/tmp/stub")
GENERATOR = STUB / "prebuilt/bin/cops-gen"
SYSTEMS = ["aarch64-darwin", "aarch64-linux", "x86_64-linux"]
HOSTS = ["db1", "db2", "db3"]


class Failed(Exception):
    """A check that found something else than it should."""


def want(condition, text):
    """Fails with the text unless the condition holds."""
    if not condition:
        raise Failed(text)


def run(*command, at=None, code=0, environment=None):
    """Runs a program, wants its exit code (None: any but 0), and returns what it printed and what it said."""
    done = subprocess.run(
        list(map(str, command)), cwd=at, env={**os.environ, **(environment or {})}, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    fits = done.returncode == code if code is not None else done.returncode > 0
    want(fits, f"exit code {done.returncode}: {' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-6000:]}")
    return done.stdout, done.stderr


class Nix:
    """One Nix with a store that was empty when it began."""

    def __init__(self, suite, directory, lib):
        self.suite, self.directory, self.lib = suite, pathlib.Path(directory), lib
        empty_store()
        lay_shell(self.directory / "root/usr/bin/busybox")
        self.system = f"{os.uname().machine}-linux"
        self.environment = {
            "PATH": f"{self.directory}/bin:{os.environ['PATH']}",
            # No substituter and no registry: what is missing is an error at once, not a wait for a name server.
            "NIX_CONFIG": "\n".join([
                "experimental-features = nix-command flakes",
                "build-users-group =",
                "substituters =",
                "flake-registry =",
                "download-attempts = 1",
                "sandbox = true",
                "sandbox-fallback = false",
                f"sandbox-paths = /bin/sh={self.directory}/root/usr/bin/busybox",
                "warn-dirty = false",
                "max-jobs = 2",
            ]),
        }
        self.version = self("--version")[0].split()[-1]

    def __call__(self, *arguments, at=None, code=0):
        return run("nix", *arguments, at=at, code=code, environment=self.environment)

    def ours(self, verb, what="", *more, at=OUR, code=0):
        """A command on this project's flake (or a changed copy), with the stub for nixpkgs."""
        where = f"git+file://{at}{'#' if what else ''}{what}"
        return self(*verb.split(), where, "--override-input", "nixpkgs", f"path:{STUB}", "--no-write-lock-file", *more, code=code)

    def build(self, what, *more, at=OUR):
        """Builds an output of this project's flake and returns where it is."""
        out, _ = self.ours("build --no-link --print-out-paths", what, *more, at=at)
        return pathlib.Path(out.strip())

    def evaluate(self, expression):
        """Evaluates an expression that uses no flake, and returns its value."""
        out, _ = self("eval", "--impure", "--json", "--expr", expression)
        return json.loads(out)

    def fails(self, expression):
        """Evaluates an expression that must fail, and returns what is said."""
        return self("eval", "--impure", "--json", "--expr", expression, code=1)[1]

    @property
    def lib_expression(self):
        """An expression for the lib in use."""
        return f"(import {STUB / 'lib' if self.lib else STUB / 'lib.nix'})"


def empty_store():
    """Takes away what an earlier Nix built and remembered."""
    for place in ["/nix/store", "/nix/var", "/tmp/home"]:
        if os.path.exists(place):
            subprocess.run(["chmod", "-R", "u+w", place], check=True)
            shutil.rmtree(place)
    os.makedirs("/tmp/home")


def lay_shell(busybox):
    """Gives the stub's builders their shell."""
    place = STUB / "shell/bin"
    place.mkdir(parents=True, exist_ok=True)
    shutil.copy2(busybox, place / "busybox")
    shutil.copy2(busybox, place / "sh")


def git(at, *arguments):
    """Runs git as somebody."""
    run("git", "-c", "user.name=test", "-c", "user.email=test@example.com", *arguments, at=at)


def commit(at):
    """Makes everything below a directory known to git, and so to Nix."""
    if not (at / ".git").exists():
        git(at, "init", "--quiet", "--initial-branch=main")
    git(at, "add", "--all")
    git(at, "commit", "--quiet", "--allow-empty", "--message=test")


def copy_checkout(checkout):
    """Copies the files that git tracks, as they are now, to a repository of their own."""
    listed = run("git", "-c", f"safe.directory={checkout}", "ls-files", "-z", at=checkout)[0]
    for name in filter(None, listed.split("\0")):
        source = pathlib.Path(checkout, name)
        if source.exists():
            (OUR / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, OUR / name, follow_symlinks=False)
    commit(OUR)


def changed_copy(name, change):
    """Returns a copy of this project that `change` was let loose on."""
    at = pathlib.Path("/tmp/copies", name)
    if at.exists():
        shutil.rmtree(at)
    shutil.copytree(OUR, at, symlinks=True)
    change(at)
    commit(at)
    return at


def replace(path, old, new):
    """Replaces the one place of a file that holds a text."""
    text = path.read_text()
    want(text.count(old) == 1, f"{path} has {text.count(old)} times {old!r}")
    path.write_text(text.replace(old, new))


def tree(root):
    """What lies below a directory: path -> bytes and whether it can be executed. A link that leads nowhere is its text."""
    found = {}
    for directory, _, names in os.walk(root, followlinks=True):
        for name in names:
            path = pathlib.Path(directory, name)
            is_there = path.exists()
            data = path.read_bytes() if is_there else last_link(path)
            found[str(path.relative_to(root))] = (data, is_there and bool(path.stat().st_mode & 0o100))
    return found


def last_link(path):
    """Where a chain of links ends."""
    while path.is_symlink():
        path = path.parent / path.readlink()
    return path


def same(one, other):
    """Wants two directories to hold the same files."""
    one_tree, other_tree = tree(one), tree(other)
    want(one_tree, f"{one} is empty")
    different = [path for path in sorted({*one_tree, *other_tree}) if one_tree.get(path) != other_tree.get(path)]
    want(not different, f"{one} and {other} differ in {len(different)} files: {' '.join(different[:5])}")
    return len(one_tree)


def contains(text, *parts):
    """Wants a text to hold all of these."""
    for part in parts:
        want(part in text, f"nothing says {part!r}:\n{text[-3000:]}")
