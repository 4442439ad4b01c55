"""What the check and the drills write for others: whole files, in a directory that everybody may read."""

import json
import os
import pathlib

REPORTS = pathlib.Path("/var/containerops/data/barman_reports")


def write(name, text):
    """Writes a file beside and renames it, so that nobody reads half of it."""
    beside = REPORTS / f".{name}.new"
    beside.write_text(text, encoding="utf-8")
    beside.chmod(0o644)
    with open(beside, "rb") as written:
        os.fsync(written.fileno())
    beside.rename(REPORTS / name)


def read(name):
    """The JSON of an earlier report; empty where there is none."""
    try:
        return json.loads((REPORTS / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def metrics(cluster, values):
    """The text format of Prometheus. A value is a number, or numbers by a label's `name="value"`; what is None is left out."""
    lines = []
    for name, (about, value) in values.items():
        series = value if isinstance(value, dict) else {"": value}
        known = {label: number for label, number in series.items() if number is not None}
        if known:
            lines += [f"# HELP {name} {about}", f"# TYPE {name} gauge"]
        for label, number in known.items():
            labels = ",".join(filter(None, [f'cluster="{cluster}"', label]))
            lines.append(f"{name}{{{labels}}} {number:.15g}")
    return "\n".join(lines) + "\n"
