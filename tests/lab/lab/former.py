"""The program as it was at an earlier commit, and the images of what it renders: for a platform that is older than the program under test."""

import fcntl
import hashlib
import re
import shutil
import subprocess

from . import images, places
from .host import Builder


def tree(commit):
    """The files of a commit, from the repository's own history."""
    return _once(f"former-{commit[:12]}", lambda place: _make(commit, place))


def cops_gen(commit):
    """The program of that commit, built."""
    return tree(commit) / "cops-gen"


def store(commit):
    """The directory of images that hosts of that commit and of this one have in common. Images that differ are built beside those that are there."""
    former = tree(commit)
    etc = former / "out/hosts/db3/rootfs/etc"
    built = {unit: re.search(r"^ImageTag=(.*)$", unit.read_text(), re.MULTILINE).group(1) for unit in sorted((etc / "containers/systemd").glob("*.build"))}
    here = (places.ROOT / "out/hosts/db3/rootfs/etc/containers/systemd").glob("*.build")
    known = {line for unit in here for line in unit.read_text().splitlines()}
    missing = {unit: tag for unit, tag in built.items() if f"ImageTag={tag}" not in known}
    if not missing:
        return images.store()
    name = hashlib.sha256(f"{images.store().name} {sorted(missing.values())}".encode()).hexdigest()[:16]
    return _once(f"images-{name}", lambda place: _add(images.store(), place, etc, missing))


def _once(name, make):
    """A directory of the cache, made where it is missing: whole, or not at all."""
    ready = places.CACHE / name
    places.CACHE.mkdir(parents=True, exist_ok=True)
    with open(places.CACHE / "former.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            temporary = ready.with_name(f".{ready.name}.tmp")
            shutil.rmtree(temporary, ignore_errors=True)
            temporary.mkdir()
            make(temporary)
            temporary.rename(ready)
    return ready


def _make(commit, place):
    known = subprocess.run(["git", "cat-file", "-e", f"{commit}^{{commit}}"], cwd=places.ROOT, capture_output=True, check=False)
    if known.returncode:
        raise SystemExit(f"this checkout does not have commit {commit}: git fetch --unshallow")
    archive = subprocess.Popen(["git", "archive", commit], cwd=places.ROOT, stdout=subprocess.PIPE)
    subprocess.run(["tar", "-x", "-C", place], stdin=archive.stdout, check=True)
    if archive.wait():
        raise SystemExit(f"commit {commit} can't be unpacked")
    target = place / "target"
    subprocess.run(["cargo", "build", "--quiet", "--locked", "--target-dir", target], cwd=place, check=True)
    (target / "debug/cops-gen").rename(place / "cops-gen")
    shutil.rmtree(target)


def _add(store, place, etc, missing):
    subprocess.run(["cp", "--archive", f"{store}/.", place], check=True)
    builder = Builder(place)
    builder.remove()
    try:
        builder.boot()
        builder.wait()
        for unit, tag in missing.items():
            for file in [unit, etc / "containerops/images" / unit.stem / "Containerfile"]:
                builder.write(f"/etc/{file.relative_to(etc)}", file.read_text())
            builder.run("systemctl", "daemon-reload")
            builder.run("systemctl", "start", f"{unit.stem}-build.service", timeout=900)
            builder.run("podman", "image", "exists", tag)
    finally:
        builder.remove()
