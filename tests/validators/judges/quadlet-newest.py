"""Quadlet of Podman newest takes every unit, and podman is called with the intended arguments exactly."""

import arguments

PROVES = "Quadlet (newest) takes every unit, and systemd hands podman exactly the intended arguments"
WEIGHT = 3


def judge(tree, verdict):
    arguments.judge("newest", tree, verdict)
