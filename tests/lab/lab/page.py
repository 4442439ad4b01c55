"""The commands of docs/first-cluster.md, taken from the page itself.

Commands are what is indented by four blanks. Those of a block whose paragraph before begins with `On each host` are for the hosts, all others
for where the operator works. A command is a line, together with the lines after it until bash finds it whole.
"""

import dataclasses
import subprocess

from . import places

PAGE = places.ROOT / "docs/first-cluster.md"
_INDENT = "    "
# The one command that takes a person.
EDIT = "$EDITOR cluster.json"


@dataclasses.dataclass(frozen=True)
class Command:
    """A printed command: its text, the heading that it stands under, and whether it is for the hosts."""

    text: str
    heading: str
    is_on_hosts: bool


def commands():
    """All commands of the page, in order."""
    heading, is_on_hosts = "", False
    for block in PAGE.read_text().split("\n\n"):
        lines = block.strip("\n").splitlines()
        if block.startswith("#"):
            heading, is_on_hosts = lines[0].lstrip("# "), False
        elif all(line.startswith(_INDENT) for line in lines):
            for text in _whole([line.removeprefix(_INDENT) for line in lines]):
                yield Command(text, heading, is_on_hosts)
        else:
            is_on_hosts = block.startswith("On each host")


def _whole(lines):
    """Lines joined to commands that bash can parse."""
    parts = []
    for line in lines:
        parts.append(line)
        text = "\n".join(parts)
        if subprocess.run(["bash", "-n", "-c", text], capture_output=True).returncode == 0:
            yield text
            parts = []
    if parts:
        yield "\n".join(parts)
