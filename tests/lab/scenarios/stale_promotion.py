"""A cut-off primary comes back in the moment in which its successor's lock has run out: it doesn't lead again, and no row of the successor's is lost.

Renewing a lock must never create it. Where it does, the old primary takes back the lock that it believes to hold, and its successor is rewound to it.
"""

import contextlib
import time

from lab import switch

from .partition import cable_cut

_KEY = "/patroni/app/leader"
# Patroni alone, and what started it: PostgreSQL goes on. They are found by the container's own process namespace, whichever of them is its process 1.
_SIGNAL = """\
import os, signal, sys
inside, sent = os.readlink(f"/proc/{sys.argv[1]}/ns/pid"), []
for pid in filter(str.isdigit, os.listdir("/proc")):
    try:
        command = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\\0")
        if os.readlink(f"/proc/{pid}/ns/pid") == inside and any(word.endswith(b"patroni.yml") for word in command):
            os.kill(int(pid), getattr(signal, sys.argv[2]))
            sent.append(pid)
    except (FileNotFoundError, ProcessLookupError):
        pass
print(len(sent))
"""


def run(lab):
    pin_etcd(lab, "db3")
    old = lab.leader()
    new = next(name for name in ["db1", "db2"] if name != old)
    lab.on_member(old, f"drop table if exists stale; create table stale (n int primary key, host text); insert into stale select n, '{old}' from generate_series(1, 10) n")
    acknowledged = list(range(1, 11))
    with cable_cut(old):
        lab.wait_until(f"{new} leads", lambda: key(lab) == new and lab.on_member(new, "select pg_is_in_recovery()") == "f", 90)
        # Long enough that it has told the others how it leads, and that it does so alone.
        lab.wait_until(f"{new} takes rows", lambda: write(lab, new, 11), 30)
        acknowledged.append(11)
        time.sleep(5)
        with frozen(lab, new):
            start, number = time.monotonic(), 11
            while key(lab):
                lab.expect(time.monotonic() - start < 60, f"the lock of {new} did not run out: nothing was tested")
                number += 1
                if write(lab, new, number):
                    acknowledged.append(number)
            lab.measure("the successor's Patroni stopped: its lock ran out after", time.monotonic() - start, "s")
            lab.expect(len(acknowledged) > 15, f"{new} acknowledged {len(acknowledged)} rows: too few to lose")
            switch.set_link(old, True)
            led = leads(lab, old, 20)
    start = time.monotonic()
    lab.wait_healthy()
    lab.measure("the successor's Patroni goes on: healthy after", time.monotonic() - start, "s")
    leader = lab.leader()
    there = {int(line) for line in lab.on_member(leader, "select n from stale").split()}
    lost = [number for number in acknowledged if number not in there]
    lab.measure("rows acknowledged", len(acknowledged), "")
    lab.measure("rows lost", len(lost), "")
    lab.expect(not lost and not led, f"{old} {f'led again, {led},' if led else 'did not lead again'} and {len(lost)} of {len(acknowledged)} acknowledged rows are lost; {leader} leads now")
    expect_equal(lab)
    lab.on_member(leader, "drop table stale")


def pin_etcd(lab, host):
    """Moves etcd's leader to a host that nothing happens to: a new leader of etcd would renew every lock in full."""
    members = lab.hosts[host].output("etcdctl", "member", "list")
    wanted = next(line.split(",")[0] for line in members.splitlines() if f", {host}," in line)
    for name in lab.hosts:
        # Whoever isn't the leader refuses.
        lab.hosts[name].run("etcdctl", "move-leader", wanted, check=False)
    said = lab.hosts[host].output("etcdctl", "endpoint", "status", "--write-out=fields")
    status = dict(line.split(" : ", 1) for line in said.splitlines() if " : " in line)
    lab.expect(status['"Leader"'] == status['"MemberID"'], f"etcd's leader is not on {host}:\n{said}")


def key(lab):
    """Who holds the lock, as etcd has it; empty when nobody does."""
    return lab.hosts["db3"].output("etcdctl", "get", _KEY, "--print-value-only").strip()


def write(lab, host, number):
    """Whether a host's own PostgreSQL acknowledges a row."""
    return lab.on_member(host, f"insert into stale values ({number}, '{host}') on conflict do nothing returning n", check=False).splitlines()[:1] == [str(number)]


@contextlib.contextmanager
def frozen(lab, host):
    """Patroni of a host is stopped meanwhile."""
    pid = lab.hosts[host].output("podman", "inspect", "--format", "{{.State.Pid}}", "patroni-app-main")
    count = lab.hosts[host].output("python3", "-c", _SIGNAL, pid, "SIGSTOP")
    lab.expect(count != "0", f"there is no Patroni on {host}")
    try:
        yield
    finally:
        lab.hosts[host].run("python3", "-c", _SIGNAL, pid, "SIGCONT")


def leads(lab, host, seconds):
    """How a host was seen to lead within that time; empty when it wasn't."""
    end = time.monotonic() + seconds
    seen = set()
    while time.monotonic() < end:
        if key(lab) == host:
            seen.add("with the lock")
        if lab.on_member(host, "select pg_is_in_recovery()", check=False) == "f":
            seen.add("writable")
        time.sleep(0.3)
    return " and ".join(sorted(seen))


def expect_equal(lab):
    """All members have the same rows, once they have replayed what the primary has written."""
    everything = "select count(*), md5(string_agg(stale::text, ',' order by n)) from stale"

    def rows():
        return {name: lab.on_member(name, everything) for name in lab.hosts}

    try:
        lab.wait_until("equal members", lambda: len(set(rows().values())) == 1, 30)
    finally:
        print(f"     rows by member: {rows()}", flush=True)
