"""The hosts' network: a switch in a namespace of its own, so that nothing reaches this machine's network."""

import concurrent.futures
import ctypes
import os
import socket
import subprocess
import threading

from . import places

ADDRESS = "10.77.0.1"
_NAMESPACE = f"{places.NAME}-switch"
_making = threading.Lock()
# As <linux/sched.h> has it.
_CLONE_NEWNET = 0x40000000


def address_of(host):
    """The address of a host by the number in its name: db1 is 10.77.0.11."""
    return f"10.77.0.{10 + int(''.join(filter(str.isdigit, host)))}"


def namespace_of(host):
    """The network namespace that a host lives in."""
    return f"{places.NAME}-{host}"


def _port(host):
    return f"port-{host}"


def _port_table(host):
    return f"port_{host}"


def _ip(*words, check=True):
    return subprocess.run(["ip", *words], check=check, capture_output=True, text=True)


def _has(namespace):
    return namespace in {line.split()[0] for line in _ip("netns", "list").stdout.splitlines() if line.strip()}


def up():
    """Makes the switch, where there is none."""
    with _making:
        if _has(_NAMESPACE):
            return
        _ip("netns", "add", _NAMESPACE)
        _ip("-n", _NAMESPACE, "link", "set", "lo", "up")
        _ip("-n", _NAMESPACE, "link", "add", "switch", "type", "bridge")
        _ip("-n", _NAMESPACE, "addr", "add", f"{ADDRESS}/24", "dev", "switch")
        _ip("-n", _NAMESPACE, "link", "set", "switch", "up")


def plug(host):
    """Gives a host its namespace and its port on the switch, anew."""
    up()
    unplug(host)
    namespace = namespace_of(host)
    _ip("netns", "add", namespace)
    _ip("-n", _NAMESPACE, "link", "add", _port(host), "type", "veth", "peer", "name", "eth0", "netns", namespace)
    _ip("-n", _NAMESPACE, "link", "set", _port(host), "master", "switch", "up")
    _ip("-n", namespace, "link", "set", "lo", "up")
    _ip("-n", namespace, "addr", "add", f"{address_of(host)}/24", "dev", "eth0")
    _ip("-n", namespace, "link", "set", "eth0", "up")
    _ip("-n", namespace, "route", "add", "default", "via", ADDRESS)


def unplug(host):
    """Takes a host's namespace away."""
    if _has(namespace_of(host)):
        _ip("netns", "del", namespace_of(host))
        _ip("-n", _NAMESPACE, "link", "del", _port(host), check=False)


def set_link(host, is_up):
    """Cuts a host's cable, or mends it."""
    _ip("-n", _NAMESPACE, "link", "set", _port(host), "up" if is_up else "down")


def set_deaf(host, to_host, from_host):
    """Drops the frames that go to a host, those that come from it, both, or none; its cable stays up."""
    _filter(host, {"egress": "policy drop;" if to_host else "", "ingress": "policy drop;" if from_host else ""})


def set_loss(host, percent):
    """Drops so many of a hundred of the frames that come from a host, by chance."""
    _filter(host, {"ingress": f"policy accept; numgen random mod 100 < {percent} drop;" if percent else ""})


def _filter(host, bodies):
    """Gives the hooks of a host's port chains of these bodies; none where one is empty."""
    rules = f"add table netdev {_port_table(host)}\ndelete table netdev {_port_table(host)}\n"
    for hook, body in bodies.items():
        if body:
            rules += f'table netdev {_port_table(host)} {{ chain {hook} {{ type filter hook {hook} device "{_port(host)}" priority 0; {body} }}; }}\n'
    done = subprocess.run(["ip", "netns", "exec", _NAMESPACE, "nft", "-f", "-"], input=rules, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"nft: {done.stderr}")


def run(argv, **options):
    """Starts a program beside the switch, where an attacker outside the hosts would sit."""
    return subprocess.Popen(["ip", "netns", "exec", _NAMESPACE, *argv], **options)


def listen(port):
    """A listening socket on the switch's address. Whoever accepts from it stays on this machine's network."""
    up()

    # A network namespace is a thread's own, and a socket stays in the one that it was made in.
    def make():
        with open(f"/run/netns/{_NAMESPACE}", "rb") as namespace:
            if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return socket.create_server((ADDRESS, port))

    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(make).result()


def down():
    """Takes the switch away."""
    if _has(_NAMESPACE):
        _ip("netns", "del", _NAMESPACE)
