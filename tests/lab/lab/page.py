"""Commands as pages print them, taken from the pages themselves: docs/first-cluster.md, docs/upgrading.md, and the runbook that was rendered.

A command is a line, together with the lines after it until bash finds it whole.
"""

import dataclasses
import re
import subprocess

from . import places

PAGE = places.ROOT / "docs/first-cluster.md"
_INDENT = "    "
# The one command that takes a person.
EDIT = "$EDITOR cluster.json"
_FENCE = re.compile(r"^([^\n:]+):[^\n]*\n\n```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_VARIABLE = re.compile(r"(?<![\w.])([A-Z]+)=('[^']*'|[^\s;]*)")


@dataclasses.dataclass(frozen=True)
class Command:
    """A printed command: its text, the heading that it stands under, and whether it is for the hosts."""

    text: str
    heading: str
    is_on_hosts: bool


@dataclasses.dataclass(frozen=True)
class Block:
    """A printed block of commands: its text, the heading that it stands under, and what the line before says of where it is typed."""

    text: str
    heading: str
    place: str

    def filled(self, values):
        """The text with the variables at its top set as a reader would set them."""
        top, lines = True, []
        for line in self.text.splitlines():
            top = top and bool(re.match(r"[A-Z]+=", line))
            lines.append(_VARIABLE.sub(lambda found: _assignment(found, values), line) if top else line)
        return "\n".join(lines) + "\n"


def _assignment(found, values):
    return f"{found[1]}='{values[found[1]]}'" if found[1] in values else found[0]


def commands(page=PAGE):
    """All commands of a page, in order: those in blocks that are indented by four blanks. Those of a block whose paragraph
    before begins with `On each host` are for the hosts, all others for where the operator works."""
    heading, is_on_hosts = "", False
    for block in page.read_text().split("\n\n"):
        lines = block.strip("\n").splitlines()
        if block.startswith("#"):
            heading, is_on_hosts = lines[0].lstrip("# "), False
        elif all(line.startswith(_INDENT) for line in lines):
            for text in _whole([line.removeprefix(_INDENT) for line in lines]):
                yield Command(text, heading, is_on_hosts)
        else:
            is_on_hosts = block.startswith("On each host")


def blocks(text):
    """All fenced blocks of a runbook, in order."""
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading, _, body = section.partition("\n")
        for found in _FENCE.finditer(body):
            yield Block(found[2], heading, found[1])


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
