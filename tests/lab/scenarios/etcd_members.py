"""An etcd cluster grows from three members to five, loses a host for good, gets it back empty, and shrinks to three again, all under a write load.

Every command is one of docs/etcd.md; that of `member add` is taken from what `activate` says.
"""

import contextlib
import json
import time

from lab import switch

_NEW = ["db4", "db5"]


def run(lab):
    with _load(lab, "growth from 3 to 5 members"):
        for name in _NEW:
            grow(lab, name)
    _expect_settled(lab, 5)
    # A standby's host, so that Patroni loses a member too.
    lost = next(name for name in ["db1", "db2"] if name != lab.leader())
    with _load(lab, "a host lost and replaced", longest=30):
        replace(lab, lost)
    lab.wait_healthy()
    _expect_settled(lab, 5)
    with _load(lab, "shrinking from 5 to 3 members"):
        shrink(lab)
    _expect_settled(lab, 3)


@contextlib.contextmanager
def _load(lab, what, longest=5):
    """A write load for a while, which must lose nothing and never stand still for `longest` seconds."""
    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        start = time.monotonic()
        yield
        lab.measure(what, time.monotonic() - start, "s")
        time.sleep(2)
    lab.measure(f"{what}: gap in writes", load.account.gap, "s")
    lab.expect(load.account.lost == 0 and load.account.gap < longest, lambda: f"{what}: {load.account}")


def grow(lab, name):
    """One host and one member more. Nothing of the running members restarts or waits for it."""
    before = {host: _etcd_runs(lab, host) for host in lab.hosts}
    lab.add_host(name)
    lab.description["hosts"][name] = {"address": switch.address_of(name), "endpoints": {"internal": {"groups": ["admin"]}}}
    _describe(lab, [*_members(lab), name], joining=name)
    lab.render()
    lab.certify()
    lab.deliver()
    for host in before:
        lab.activate(host)
    _join(lab, name, "db3")
    lab.expect({host: _etcd_runs(lab, host) for host in before} == before, "a new member restarted others")


def replace(lab, name):
    """A host that is gone for good, and an empty one of its name and address in its place."""
    others = [host for host in lab.hosts if host != name]
    lab.hosts[name].remove()
    _remove_member(lab, name, others[-1])
    lab.add_host(name)
    _describe(lab, _members(lab), joining=name)
    lab.render()
    lab.certify()
    lab.deliver()
    # The last one to join is no longer described as joining.
    for host in others:
        lab.activate(host)
    _join(lab, name, others[-1])


def shrink(lab):
    """The members go first, then their place in the description; hosts that ran nothing else go with them."""
    for name in _NEW:
        _remove_member(lab, name, "db3")
        lab.wait_until("the others are whole", lambda: _is_whole(lab, "db3"), 30)
        lab.hosts.pop(name).remove()
        del lab.description["hosts"][name]
    _describe(lab, list(lab.hosts))
    lab.apply()


def _members(lab):
    """The names of the described members."""
    return [member if isinstance(member, str) else member["host"] for member in lab.description["etcd_clusters"]["main"]["members"]]


def _describe(lab, members, joining=None):
    joins = {"host": joining, "initial_cluster_state": "existing"}
    lab.description["etcd_clusters"]["main"]["members"] = [joins if name == joining else name for name in members]


def _join(lab, name, other):
    """`activate` says which command lets the member in; then it has nothing more to say."""
    done = lab.activate(name, check=False)
    command = next((line.strip() for line in done.stderr.splitlines() if line.strip().startswith("etcdctl ")), None)
    lab.expect(done.returncode == 1 and command, lambda: f"activate on {name} does not say how the member joins:\n{done.stdout}{done.stderr}")
    start = time.monotonic()
    _member_command(lab, other, *command.split()[1:])
    lab.wait_until(f"{name} is well", lambda: _is_whole(lab, name), 60)
    lab.measure(f"{name}: `member add` to a healthy member", time.monotonic() - start, "s")
    lab.activate(name)


def _remove_member(lab, name, other):
    identity = next(member["ID"] for member in _list(lab, other) if member["name"] == name)
    _member_command(lab, other, "member", "remove", f"{identity:x}")


def _member_command(lab, host, *words):
    """etcd refuses to change its members while one that it counts on hasn't been connected for five seconds."""
    lab.wait_until(f"etcdctl {' '.join(words)}", lambda: lab.hosts[host].run("etcdctl", *words), 30, every=1)


def _list(lab, host):
    return json.loads(lab.hosts[host].output("etcdctl", "member", "list", "--write-out", "json"))["members"]


def _is_whole(lab, host):
    return lab.hosts[host].run("etcdctl", "endpoint", "health", "--cluster", check=False, timeout=60).returncode == 0


def _etcd_runs(lab, host):
    return lab.hosts[host].output("systemctl", "show", "--property=InvocationID", "etcd-main-main.service")


def _expect_settled(lab, count):
    """So many members, all well, and no host with anything left to do."""
    lab.wait_until("etcd is whole", lambda: _is_whole(lab, "db3"), 60)
    names = sorted(member["name"] for member in _list(lab, "db3"))
    lab.expect(names == [f"db{number + 1}" for number in range(count)], f"the members are {names}")
    for host, text in lab.activate_each().items():
        lab.expect(text == "Nothing to do.\n", f"{host} was left with something to do:\n{text}")
