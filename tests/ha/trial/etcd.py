"""etcd's members, asked through their JSON gateway."""

import base64
import json
import urllib.error
import urllib.request

from .case import Failed


class Etcd:
    """The members by the names of their hosts."""

    def __init__(self, case, addresses):
        self._case, self._addresses = case, addresses

    def key(self, name, through=None):
        """What Patroni wrote under a name, by a linearizable read: None when the key is absent."""
        for host in [through] if through else self._addresses:
            answer = self._ask(host, "kv/range", {"key": _coded(f"/patroni/app/{name}")})
            if answer is not None:
                found = answer.get("kvs", [])
                return base64.b64decode(found[0]["value"]).decode() if found else None
        raise Failed("no member of etcd answers")

    def get(self, key):
        """What stands under a key, or None."""
        found = self._ask(next(iter(self._addresses)), "kv/range", {"key": _coded(key)}).get("kvs", [])
        return base64.b64decode(found[0]["value"]).decode() if found else None

    def put(self, key, value):
        self._ask(next(iter(self._addresses)), "kv/put", {"key": _coded(key), "value": _coded(value)})

    def delete(self, key):
        self._ask(next(iter(self._addresses)), "kv/deleterange", {"key": _coded(key)})

    def leader(self):
        """The host of etcd's leader, None while there is none."""
        hosts, leader = {}, None
        for host in self._addresses:
            status = self._ask(host, "maintenance/status", {})
            if status:
                hosts[status["header"]["member_id"]] = host
                leader = status.get("leader")
        return hosts.get(leader)

    def move_leader(self, host):
        """Makes a host's member etcd's leader."""
        target = self._ask(host, "maintenance/status", {})["header"]["member_id"]

        def has_moved():
            now = self.leader()
            if now and now != host:
                self._ask(now, "maintenance/transfer-leadership", {"targetID": target}, seconds=5)
            return self.leader() == host

        self._case.wait_until(f"etcd's leader is on {host}", has_moved, 20, every=0.5)

    def _ask(self, host, path, question, seconds=2):
        request = urllib.request.Request(f"http://{self._addresses[host]}:2379/v3/{path}", json.dumps(question).encode())
        try:
            with urllib.request.urlopen(request, timeout=seconds) as answer:
                return json.load(answer)
        except (OSError, ValueError):
            return None


def _coded(text):
    return base64.b64encode(text.encode()).decode()
