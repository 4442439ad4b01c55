"""Clients that no fault reaches: they run beside the hosts, in the networks of their containers, and write down each row that was acknowledged."""

import json
import pathlib
import subprocess

from lab import description

from . import verdict

_CLIENT = pathlib.Path(__file__).with_name("client.py")
MODES = ["on", "remote_apply", "local"]


class Load:
    """A context manager: in each mode of `synchronous_commit`, a writer through each host's proxy, and one that asks each member itself, 20 times a second."""

    def __init__(self, lab, table, directory):
        self._log = directory / "acknowledged"
        self._process = None
        by_name = lab.endpoints()
        domain = lab.description["networks"][description.NETWORK]["dns_domain"]
        self._hosts = {by_name[f"{host}.{description.CLUSTER}.{domain}"]["address"]: host for host in lab.hosts}
        ways = []
        for host in lab.hosts:
            for mode in MODES:
                common = {"mode": mode, "password": lab.passwords["pg-app"], "user": "app"}
                ways.append({**common, "source": f"proxy-{host}-{mode}", "host": by_name[f"{host}.{description.CLUSTER}-proxy.{domain}"]["address"],
                             "group": str(lab.hosts[host].group_of(f"client-{host}-main")), "direct": False, "interval": 0.1})
                ways.append({**common, "source": f"member-{host}-{mode}", "host": by_name[f"{host}.{description.CLUSTER}.{domain}"]["address"],
                             "group": str(lab.hosts[host].group_of(f"patroni-{description.CLUSTER}-main")), "direct": True, "interval": 0.05,
                             "user": "postgres", "password": lab.passwords["pg-superuser"]})
        self._told = {"log": str(self._log), "table": table, "ways": ways}

    def __enter__(self):
        self._process = subprocess.Popen(["/usr/bin/python3", _CLIENT], stdin=subprocess.PIPE, text=True)
        self._process.stdin.write(json.dumps(self._told) + "\n")
        self._process.stdin.flush()
        return self

    def rows(self):
        """What was acknowledged so far."""
        if not self._log.exists():
            return []
        # The last line may be half written.
        lines = self._log.read_text().rpartition("\n")[0].splitlines()
        return [verdict.Row.read(line, self._hosts) for line in lines]

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(10)
