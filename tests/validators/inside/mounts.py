"""Shows a container's directories of a bundle where the container will see them."""

import re
from pathlib import Path

from bundle import bind


def config_mounts(host, unit):
    """Directory of the bundle and its place in the container, for each config directory that a unit mounts."""
    text = (host.quadlet / unit).read_text()
    for source, target in re.findall(r"^Volume=(/etc/containerops/[^:\n]*):([^:\n]*)", text, flags=re.M):
        yield host.rootfs / source.lstrip("/"), Path(target)


def mount_config(host, unit):
    for source, target in config_mounts(host, unit):
        bind(source, target)
