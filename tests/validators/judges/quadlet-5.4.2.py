"""Quadlet of Podman 5.4.2 takes every unit, and podman is called with the intended arguments exactly."""

import arguments

PROVES = "Quadlet (5.4.2) takes every unit, and systemd hands podman exactly the intended arguments"
WEIGHT = 3


def judge(tree, verdict):
    arguments.judge("5.4.2", tree, verdict)
