"""What images hold: the official ones as images.json records them, the built ones as their Containerfile makes them."""

import hashlib
import json
import re
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bundle import VALIDATORS, output, run


@dataclass
class Image:
    """What a unit may rely on."""

    user: str
    entrypoint: list
    command: list
    path: str
    shell: str | None
    volumes: list
    stop_signal: str
    stops_on: list
    reloads_on: list
    notifies: bool
    has: Callable

    def find(self, program):
        """Where a program lies, by the image's PATH unless its place is given; nothing where it doesn't."""
        places = [program] if "/" in program else [f"{directory}/{program}" for directory in self.path.split(":")]
        return next((merged(place) for place in places if self.has(merged(place))), None)


def merged(path):
    """Debian's /bin is /usr/bin."""
    return re.sub(r"^/(s?bin|lib)/", r"/usr/\1/", path)


class Record:
    """images.json. A fact without a source is none."""

    def __init__(self):
        self.entries = json.loads((VALIDATORS / "images.json").read_text())
        for name, entry in self.entries.items():
            given = sorted(fact for source in entry["sources"] for fact in source["gives"])
            if given != sorted(entry["facts"]):
                raise RuntimeError(f"images.json: {name}: facts {sorted(entry['facts'])}, and sources of {given}")

    def entry(self, reference):
        """The entry of an image, unless the image or its tag has none."""
        name, tag = split(reference)
        entry = self.entries.get(name)
        return entry if entry and tag in entry.get("tags", {}) else None

    def official(self, reference):
        entry = self.entry(reference)
        if entry:
            facts = dict(entry["facts"])
            programs = {merged(program) for program in facts.pop("programs")}
            return Image(**facts, has=programs.__contains__)
        return None

    def program(self, unit):
        """What is recorded of the program that a unit starts, where it isn't its image's own."""
        entrypoint = unit.one("--entrypoint")
        name = Path(json.loads(entrypoint)[0]).name if entrypoint and entrypoint.startswith("[") else ""
        return Program(**self.entries["postgres"]["facts"]) if name == "postgres" else None

    def built(self, reference, containerfile):
        """The image of a Containerfile, above its base; what its programs do on a signal is recorded under its own name."""
        base = self.entry(containerfile.base)["facts"] | self.entries[split(reference)[0]]["facts"]
        base.pop("programs")
        packages = needed_packages(containerfile.packages)
        return Image(**base | containerfile.facts(base["path"]), has=lambda path: bool(packages & owners(path)))


@dataclass
class Program:
    """What a program does on a signal, whatever its image."""

    stops_on: list
    reloads_on: list
    notifies: bool


def split(reference):
    """Name and tag; a colon before the last slash is a registry's port."""
    name, _, tag = reference.rpartition(":")
    return (name, tag) if name and "/" not in tag else (reference, "")


class Containerfile:
    """What a Containerfile says."""

    def __init__(self, text):
        self.hash = hashlib.sha256(text.encode()).hexdigest()[:12]
        self.base, self.user, self.entrypoint, self.command, self.variables = "", "", [], [], {}
        self.packages, self.users, self.groups = set(), {}, {}
        for line in re.sub(r"\\\n", " ", text).split("\n"):
            instruction, _, rest = line.strip().partition(" ")
            if instruction and not instruction.startswith("#"):
                self.read(instruction, rest.strip())

    def read(self, instruction, rest):
        match instruction:
            case "FROM":
                self.base = rest
            case "USER":
                self.user = rest
            case "ENTRYPOINT":
                self.entrypoint = json.loads(rest)
            case "CMD":
                self.command = json.loads(rest)
            case "ENV":
                self.variables |= dict(word.split("=", 1) for word in shlex.split(rest))
            case "RUN":
                for command in rest.split("&&"):
                    self.read_command(shlex.split(command))
            case _:
                raise RuntimeError(f"a Containerfile with {instruction}: read it here first")

    def read_command(self, words):
        if words[:2] == ["apt-get", "install"]:
            self.packages |= {word for word in words[2:] if not word.startswith("-")}
        elif words[0] == "useradd":
            self.users[words[words.index("--uid") + 1]] = words[-1]
        elif words[0] == "groupadd":
            self.groups[words[words.index("--gid") + 1]] = words[-1]

    def facts(self, path):
        return {"user": self.user, "entrypoint": self.entrypoint, "command": self.command, "path": self.variables.get("PATH", path)}

    def accounts_missing(self):
        """The ids that it runs as without an account: PostgreSQL starts for none that has no name."""
        uid, _, gid = self.user.partition(":")
        return [number for number, known in ((uid, self.users), (gid, self.groups)) if number not in known]


def owners(path):
    """The Debian packages that bring a file."""
    if not Path(path).exists():
        return set()
    names = re.match(r"(\S.*): /", output(run(["dpkg-query", "-S", path])))
    return {name.partition(":")[0] for name in names[1].split(", ")} if names else set()


def needed_packages(wanted):
    """These packages, the essential ones, and all that they depend on, as this tree has them."""
    depends, provided, found = {}, {}, set()
    fields = "${Package}\t${Essential}\t${Provides}\t${Pre-Depends}, ${Depends}\n"
    for line in run(["dpkg-query", "-W", "-f", fields]).stdout.splitlines():
        name, essential, provides, needs = line.split("\t")
        depends[name] = [[bare(choice) for choice in need.split("|")] for need in needs.split(",") if need.strip()]
        for virtual in filter(None, provides.split(",")):
            provided.setdefault(bare(virtual), name)
        if essential == "yes":
            found.add(name)
    todo = [*wanted, *found]
    while todo:
        for need in depends.get(todo.pop(), []):
            chosen = next((c if c in depends else provided[c] for c in need if c in depends or c in provided), None)
            if chosen and chosen not in found:
                found.add(chosen)
                todo.append(chosen)
    return found | {package for package in wanted if package in depends}


def bare(dependency):
    """A package's name, without version and architecture."""
    return dependency.strip().partition(" ")[0].partition(":")[0]
