"""A first cluster, made as docs/first-cluster.md says: every command as it is printed there, on three bare Debian hosts."""

import itertools
import json
import re
import shlex
import subprocess
import time

from . import description, images, page, places, switch
from .host import BareHost
from .mirror import Relay
from .platform import Platform, cops_gen, take_down

_OPERATOR = places.RUN / "operator"
# What the operator's own machine is: a home with a key of ssh, a name for git, and a shell that is still where the command before left it.
_SHELL = """\
mount --bind "$HOME/ssh_config" /etc/ssh/ssh_config
cd "$(cat "$HOME/place")"
trap 'pwd >"$HOME/place"' EXIT
eval "$1"
"""
_SSH_CONFIG = """\
Host {name}
    HostName {address}
    IdentityFile {home}/key
    IdentitiesOnly yes
    UserKnownHostsFile {home}/known_hosts
    HostKeyAlias {name}
    BatchMode yes
"""
# The heading of what can be looked at when the cluster is there.
LOOKING = "6. Looking"


class FirstCluster(Platform):
    """Three bare hosts on which the page is followed; `relay` is their way to the Debian mirror."""

    def __init__(self):
        super().__init__()
        self.directory = _OPERATOR / "mycluster"
        self.relay = None

    def bring_up(self):
        take_down()
        self._settle()
        self.relay = Relay()
        start = time.monotonic()
        self.everywhere(BareHost.boot)
        states = self.everywhere(BareHost.wait)
        self.expect(set(states.values()) == {"running"}, lambda: f"hosts did not boot whole: {states}")
        (_OPERATOR / "known_hosts").write_text("".join(f"{name} {host.public_key}\n" for name, host in self.hosts.items()))
        self.measure("three bare hosts booted", time.monotonic() - start, "s")
        self.follow(lambda command: command.heading != LOOKING)
        self.wait_until("the first write", lambda: self.sql("db3", "select 1") == "1", 120)
        self.wait_healthy()
        self.measure("bare hosts to a healthy cluster", time.monotonic() - start, "s")

    def _settle(self):
        """Makes the operator's place, and the hosts that know its key."""
        (_OPERATOR / "bin").mkdir(parents=True)
        for name, program in [("cops-gen", cops_gen()), ("nebula-cert", places.tree() / "host/usr/bin/nebula-cert")]:
            (_OPERATOR / "bin" / name).symlink_to(program)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "operator", "-f", _OPERATOR / "key"], check=True)
        (_OPERATOR / ".gitconfig").write_text("[user]\n\tname = Operator\n\temail = operator@example.internal\n")
        (_OPERATOR / "place").write_text(f"{_OPERATOR}\n")
        config = [_SSH_CONFIG.format(name=name, address=switch.address_of(name), home=_OPERATOR) for name in self.hosts]
        (_OPERATOR / "ssh_config").write_text("".join(config))
        places.bare_tree()
        key = (_OPERATOR / "key.pub").read_text().strip()
        # One host has no image but what registries have, so that it builds; with --full none has.
        builders = set(self.hosts) if self.is_full else {"db3"}
        self.hosts = {name: BareHost(name, images.store(), _is_pulled if name in builders else _is_there, key) for name in self.hosts}

    def follow(self, is_wanted):
        """Runs the commands of the page that are wanted, in order; measures what stands under each heading."""
        for heading, printed in itertools.groupby(filter(is_wanted, page.commands()), key=lambda command: command.heading):
            start = time.monotonic()
            for command in printed:
                self._obey(command)
            self.measure(f"the page, {heading}", time.monotonic() - start, "s")

    def _obey(self, command):
        """Runs a command as it is printed, where it belongs; but the editor is played."""
        if command.text == page.EDIT:
            self._edit()
        elif command.is_on_hosts:
            said = self.everywhere(lambda host: self.type(command, f"ssh root@{host.name} {shlex.quote(command.text)}"))
            self.expect(command.heading != LOOKING or all(said.values()), f"`{command.text}` showed nothing: {said}")
        else:
            said = self.type(command, command.text)
            # A shell's `wait` has no word on what it waited for.
            done = said.splitlines().count("Done.")
            self.expect("activate" not in command.text or done == len(self.hosts), f"`{command.text}`: {done} were done\n{said}")

    def builds(self, host):
        """The images that a host's build units began to build since it booted, as their journals have it."""
        show = 'for file in /etc/containers/systemd/*.build; do journalctl --boot --quiet --output=cat --unit="$(basename "$file" .build)-build.service"; done'
        return [line for line in self.hosts[host].output("sh", "-c", show).splitlines() if line.startswith("STEP 1/")]

    def type(self, command, text):
        """Runs a text where the operator works, and returns what it said."""
        environment = {"HOME": str(_OPERATOR), "PATH": f"{_OPERATOR}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
        shell = switch.run(["bash", "-e", "-o", "pipefail", "-c", _SHELL, "bash", text], env=environment, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        said, _ = shell.communicate(timeout=1800)
        self.expect(shell.returncode == 0, f"{page.PAGE.name}, {command.heading}: exit {shell.returncode}: {text}\n{said[-3000:]}")
        return said

    def _edit(self):
        """What the page says to change in the description: addresses, sources, and one's own pods."""
        file = self.directory / "cluster.json"
        self.description = json.loads(file.read_text())
        for name, host in self.description["hosts"].items():
            host["address"] = switch.address_of(name)
        self.description["secrets"] = {name: {"source": f"/etc/secrets/{name}"} for name in self.description["secrets"]}
        self.description["pods"] = {f"client-{name}": description.client(name, _built_image()) for name in self.hosts}
        file.write_text(json.dumps(self.description, indent=2) + "\n")


def _is_there(_):
    return True


def _is_pulled(name):
    return not name.startswith("localhost/")


def _built_image():
    """The image that every host builds and that has psql and psycopg2: there is no other way to one on a host that can pull nothing."""
    unit = places.ROOT / "out/hosts/db1/rootfs/etc/containers/systemd/patroni-17.build"
    return re.search(r"^ImageTag=(.*)$", unit.read_text(), re.MULTILINE).group(1)
