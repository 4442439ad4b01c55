"""Units rely on nothing that their image doesn't have."""

import json
import re
from pathlib import Path

import quadlet
from images import Containerfile, Record, split
from podman import read_options

PROVES = "each unit fits its image, as images.json records it or its Containerfile makes it: tag, programs, shell, user, signals, volumes"
WEIGHT = 3
RESTORED = "/var/containerops/data/barman_restored"


def judge(tree, verdict):
    record = Record()
    of_the_user = named_images(tree.description) if tree.description_path.exists() else set()
    with quadlet.Recorder() as recorder:
        for host in tree.hosts:
            services, _ = quadlet.generate(quadlet.suiting(tree, host), host)
            calls = recorder.record({name: text for name, text in services.items() if "podman run" in text or "podman build" in text})
            builds = judge_builds(record, (host, calls), verdict)
            for name, unit_calls in calls.items():
                for _, words in podman(unit_calls, "run"):
                    unit = Unit(host, name, (unit_calls, words))
                    if unit.image not in of_the_user:
                        verdict.judged(unit.file)
                        judge_unit(record, builds, unit, verdict)


def named_images(described):
    """The images that the description names itself: nothing is known of them."""
    if isinstance(described, list):
        return set().union(*map(named_images, described))
    if not isinstance(described, dict):
        return set()
    own = {value for key, value in described.items() if key in ("image", "proxy_image", "Image") and isinstance(value, str)}
    return own.union(*map(named_images, described.values()))


def podman(calls, verb):
    """The key and the words behind the verb of each such call of podman."""
    for call in calls:
        words = [call.program, *call.argv]
        words = words[1:] if words[0] == "/usr/bin/env" else words
        if Path(words[0]).name == "podman" and words[1] == verb:
            yield call.key, words[2:]


class Unit:
    """A container's unit, as podman is told to run it."""

    def __init__(self, host, service, calls_and_words):
        self.calls, words = calls_and_words
        self.host, self.file = host, host.quadlet / service.replace(".service", ".container")
        self.options, rest = read_options(words)
        self.image, self.arguments = rest[0], rest[1:]

    def all(self, name):
        return [value for option, value in self.options if option == name]

    def one(self, name):
        return next(iter(self.all(name)), None)

    def mounts(self):
        """Source, target and flags of each volume."""
        for value in self.all("-v"):
            source, target, *flags = value.split(":")
            yield source, target, ",".join(flags).split(",")

    def targets(self):
        return [target for _, target, _ in self.mounts()] + [value.partition(":")[0] for value in self.all("--tmpfs")]

    def config_files(self):
        """Our files that the container sees, each with its place there."""
        for source, target, _ in self.mounts():
            directory = self.host.rootfs / source.lstrip("/")
            for file in sorted(directory.rglob("*")) if source.startswith("/etc/containerops/") else ():
                if file.is_file():
                    yield file, f"{target}/{file.relative_to(directory)}"


def judge_builds(record, rendered, verdict):
    """The Containerfile behind each tag that the host builds."""
    host, calls = rendered
    builds = {}
    for name, unit_calls in calls.items():
        for _, words in podman(unit_calls, "build"):
            options, (directory,) = read_options(words)
            file = host.rootfs / directory.lstrip("/") / "Containerfile"
            verdict.judged(host.quadlet / name.replace("-build.service", ".build"))
            verdict.judged(file)
            tag, containerfile = dict(options)["--tag"], Containerfile(file.read_text())
            builds[tag] = judge_build(record, tag, (file, containerfile), verdict)
    return builds


def judge_build(record, tag, file_and_content, verdict):
    file, containerfile = file_and_content
    verdict.differs(file, "hash in the tag", containerfile.hash, split(tag)[1].rpartition("-")[2])
    if missing := containerfile.accounts_missing():
        verdict.problem(file, f"runs as {containerfile.user}, and makes no account for {', '.join(missing)}")
    if record.entry(containerfile.base):
        return record.built(tag, containerfile)
    verdict.problem(file, f"images.json has no record of its base {containerfile.base}")
    return None


def judge_unit(record, builds, unit, verdict):
    image = builds.get(unit.image) or record.official(unit.image)
    if not image:
        verdict.problem(unit.file, f"images.json has no record of {unit.image}, and nothing builds it")
        return
    judge_programs(image, unit, verdict)
    judge_user(image, unit, verdict)
    judge_signals(record.program(unit) or image, unit, verdict)
    for volume in image.volumes:
        if volume not in unit.targets():
            verdict.problem(unit.file, f"nothing is mounted at {volume}, where the image declares a volume: each start would make a new one")
    if unit.one("--sdnotify") == "container" and not image.notifies:
        verdict.problem(unit.file, "waits to be told that it is ready, and the image's program tells nobody")


def judge_programs(image, unit, verdict):
    for program, what in programs(image, unit):
        found = image.find(program) if program else None
        if not found:
            verdict.problem(unit.file, f"{what}: the image has no {program or 'shell'}")
        elif hidden := [target for target in unit.targets() if f"{found}/".startswith(f"{target}/")]:
            verdict.problem(unit.file, f"{what}: {hidden[0]} hides the image's {found}")


def programs(image, unit):
    """Each program that a unit needs of its image, and what for; no program stands for a shell where there is none."""
    entrypoint = unit.one("--entrypoint")
    # Podman passes by the image's command where an entrypoint is given.
    command = json.loads(entrypoint) + unit.arguments if entrypoint else image.entrypoint + (unit.arguments or image.command)
    yield command[0], "start"
    if health := unit.one("--health-cmd"):
        words = json.loads(health)
        yield (image.shell if words[0] == "CMD-SHELL" else words[0]), "health"
    for key, words in podman(unit.calls, "exec"):
        # Behind the options and the container's name.
        yield read_options(words)[1][1], key
    for file, place in unit.config_files():
        text = file.read_text()
        if script := re.match(r"#!(?:/usr/bin/env )?(\S+)", text):
            yield script[1], place
        for key, directory in re.findall(r"^\s*(bin_dir|path_prefix)\s*[:=]\s*(\S+)", text, flags=re.M):
            yield f"{directory}/{'postgres' if key == 'bin_dir' else 'psql'}", key


def judge_user(image, unit, verdict):
    """An image's own user is the one to run as; without one it is any but root."""
    user = unit.one("--user") or image.user
    if not re.fullmatch(r"\d+:\d+", user):
        verdict.problem(unit.file, f"runs as {user!r}: the host owns the directories by number")
    elif user.startswith("0:"):
        verdict.problem(unit.file, "runs as root")
    elif not image.user.startswith("0:"):
        verdict.differs(unit.file, "user and group of the image", image.user, user)
    owners = dict(re.findall(r"^d (\S+) \S+ (\S+ \S+)", "\n".join(f.read_text() for f in unit.host.files("etc/tmpfiles.d/*.conf")), flags=re.M))
    for source, target, flags in unit.mounts():
        if "ro" not in flags:
            # What an export makes belongs to whom its parent does: nobody else may write there.
            parent = source.rpartition("/")[0]
            owner = owners.get(source) or (owners.get(parent) if parent == RESTORED else None) or "nobody"
            verdict.differs(unit.file, f"owner of {source}, which it writes at {target}", user, owner.replace(" ", ":"))


def judge_signals(image, unit, verdict):
    stop = signal_name(unit.one("--stop-signal") or getattr(image, "stop_signal", "TERM"))
    if stop not in image.stops_on:
        verdict.problem(unit.file, f"is stopped by {stop}, which doesn't stop it within its time: it stops on {', '.join(image.stops_on)}")
    for _, words in podman(unit.calls, "kill"):
        reload = signal_name(dict(read_options(words)[0])["--signal"])
        if reload not in image.reloads_on:
            verdict.problem(unit.file, f"is reloaded by {reload}: it reloads on {', '.join(image.reloads_on) or 'nothing'}")


def signal_name(text):
    return text.removeprefix("SIG")
