"""The images of the lab's hosts, in one store that all of them share read-only.

No registry is needed: what a rendered unit pulls is built here from Debian's packages under the same name, with the paths of the
official image; Patroni's and Barman's images are built by their own rendered `.build` units.
"""

import fcntl
import functools
import hashlib
import re
import shutil
import sys

from . import places
from .host import Builder, Failed

_EXAMPLE = places.ROOT / "out/hosts/db3/rootfs/etc"
# What scenarios run as clients: the image that has psql and psycopg2 already.
CLIENT = "localhost/lab/client:1"


def _official():
    """What the example's units pull: name of the Containerfile here -> image."""
    named = {}
    for unit in sorted((_EXAMPLE / "containers/systemd").glob("*.container")):
        image = re.search(r"^Image=(.*)$", unit.read_text(), re.MULTILINE).group(1)
        for name in ["nebula", "etcd", "haproxy"]:
            if f"/{name}:" in image:
                named[name] = image
    return named


def _built():
    """The rendered builds: file -> tag."""
    return {unit: re.search(r"^ImageTag=(.*)$", unit.read_text(), re.MULTILINE).group(1)
            for unit in sorted((_EXAMPLE / "containers/systemd").glob("*.build"))}


def _key():
    made_of = hashlib.sha256(places.tree().name.encode())
    files = [*(places.LAB / "images").rglob("Containerfile"), *_built(), *(_EXAMPLE / "containerops/images").rglob("Containerfile"),
             places.LAB / "lab/images.py"]
    for file in sorted(files):
        made_of.update(file.read_bytes())
    made_of.update(repr(_official()).encode())
    return made_of.hexdigest()[:16]


@functools.cache
def store():
    """The directory of the shared store. Made where it is missing."""
    ready = places.CACHE / f"images-{_key()}"
    places.CACHE.mkdir(parents=True, exist_ok=True)
    with open(places.CACHE / "images.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            _make(ready)
    return ready


def _say(text):
    print(f"images: {text}", file=sys.stderr, flush=True)


def _make(ready):
    temporary = ready.with_name(f".{ready.name}.tmp")
    builder = Builder(temporary)
    builder.remove()
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        builder.boot()
        builder.wait()
        _build(builder)
    finally:
        builder.remove()
    temporary.rename(ready)


def _build(builder):
    builder.run("podman", "import", "--change", 'CMD ["/bin/bash"]', "/opt/tree/base.tar", "docker.io/library/debian:trixie-slim")
    for name, image in _official().items():
        _say(image)
        builder.run("podman", "build", "--quiet", "--network=host", "--tag", image, f"/opt/images/{name}", timeout=900)
    for unit, tag in _built().items():
        _say(f"{tag}, by {unit.name}")
        for file in [unit, _EXAMPLE / "containerops/images" / unit.stem / "Containerfile"]:
            builder.write("/etc/" + str(file.relative_to(_EXAMPLE)), file.read_text())
        builder.run("systemctl", "daemon-reload")
        builder.run("systemctl", "start", f"{unit.stem}-build.service", check=False, timeout=900)
        if builder.run("podman", "image", "exists", tag, check=False).returncode:
            log = builder.output("journalctl", "--no-pager", "-o", "cat", "-n", "30", "-u", f"{unit.stem}-build.service")
            raise Failed(f"{tag} was not built:\n{log}")
    builder.run("podman", "tag", next(tag for tag in _built().values() if "patroni" in tag), CLIENT)
    # Podman builds the image of its pause process at the first pod: once, here.
    builder.run("podman", "pod", "create", "--name", "warm", "--network=host")
    builder.run("podman", "pod", "start", "warm")
    builder.run("podman", "pod", "rm", "--force", "warm")
