"""Podman's command lines, read as podman reads them, and compared with the intended ones."""

import json
from collections import Counter

from intent import ANY, generic, generic_pod

# Options without a value; every other one takes the next word, or what follows its `=`.
PODMAN = "/usr/bin/podman"

FLAGS = {"--replace", "--rm", "-d", "--read-only", "--init", "--no-hostname", "--no-hosts", "--ignore", "--privileged"}


def read_options(words):
    """Options as (name, value), and the words behind them."""
    options, words = [], list(words)
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        name, equals, value = word.partition("=")
        if not equals:
            value = None if name in FLAGS else words.pop(0) if words else "(missing)"
        options.append(normal(name, value))
    return options, words


def read_environment(file):
    """The variables of a file of `--env-file`: a line each, whatever stands behind its first `=`."""
    lines = [line.lstrip() for line in file.read_text().splitlines()]
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def normal(name, value):
    """One spelling of what podman takes in several: capabilities, and programs as JSON or as a text."""
    if name in ("--cap-add", "--cap-drop"):
        return name, value.lower().removeprefix("cap_")
    if name in ("--entrypoint", "--health-cmd"):
        words = json.loads(value) if value.startswith("[") else [value] if name == "--entrypoint" else ["CMD-SHELL", value]
        return name, json.dumps(words, ensure_ascii=False)
    return name, value


def compare(path, what, intended, seen, verdict):
    """Every intended option once, and no other. An intended value `*` stands for any one value."""
    seen = Counter(seen)
    missing = []
    intended = [normal(*option) for option in intended]
    for option in sorted(intended, key=lambda o: o[1] == ANY):
        match = next((s for s in seen if s == option or (option[1] == ANY and s[0] == option[0])), None)
        if match is None:
            missing.append(option)
        else:
            seen[match] -= 1
            seen += Counter()
    if missing or seen:
        lines = [f"  - expected {show(o)}" for o in missing] + [f"  + seen     {show(o)}" for o in seen.elements()]
        verdict.problem(path, what + "\n" + "\n".join(sorted(lines, key=lambda line: line[13:])))


def show(option):
    return option[0] if option[1] is None else f"{option[0]} {option[1]!r}"


def one_call(path, key, verb, calls_and_verdict):
    """The only podman command of a key; anything else there is a problem."""
    calls, verdict = calls_and_verdict
    found = [call for call in calls if call.key == key]
    if len(found) != 1 or found[0].prefix or found[0].program != PODMAN or found[0].argv[: len(verb)] != verb:
        verdict.problem(path, f"{key} is not one `podman {' '.join(verb)}`: {found!r}")
        return None
    return found[0].argv[len(verb) :]


def compare_others(path, expected, calls_and_verdict):
    """What runs beside podman's own command, in the order of starting."""
    calls, verdict = calls_and_verdict
    seen = [(call.key, call.prefix + call.program, *call.argv) for call in calls if call.key in {key for key, *_ in expected} | NEVER_BY_ITSELF]
    verdict.differs(path, "commands around the start", expected, seen)


NEVER_BY_ITSELF = {"ExecStartPre", "ExecStartPost"}


def compare_container(version, path, container, calls_and_verdict):
    words = one_call(path, "ExecStart", ["run"], calls_and_verdict)
    if words is None:
        return
    verdict = calls_and_verdict[1]
    options, rest = read_options(words)
    compare(path, "arguments of podman run", generic(version, container) + container.options, options, verdict)
    image, command = (rest[0], rest[1:]) if rest else (None, [])
    if container.image != ANY:
        verdict.differs(path, "image", container.image, image)
    verdict.differs(path, "command", container.command, command)
    compare_others(path, [("ExecStartPre", *words) for words in container.before], calls_and_verdict)


def compare_pod(version, path, pod, calls_and_verdict):
    words = one_call(path, "ExecStartPre", ["pod", "create"], calls_and_verdict)
    if words is None:
        return
    verdict = calls_and_verdict[1]
    options, rest = read_options(words)
    compare(path, "arguments of podman pod create", generic_pod(version, pod.name) + pod.options, options, verdict)
    verdict.differs(path, "words behind the options", [], rest)
    # Without this one the pod would be open: the egress lock.
    compare_others(path, [("ExecStartPost", "/etc/containerops/bin/pod-egress", pod.name)],
                   ([call for call in calls_and_verdict[0] if call.key != "ExecStartPre"], verdict))
