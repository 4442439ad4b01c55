"""Pods reach each other nearly as fast as their hosts do, no datagram is dropped, and a commit beside a base backup stays quick."""

import copy
import functools
import statistics
import subprocess
import time

from lab import places
from lab.reach import Reach

PORT = "9999"
# A pod's throughput as a share of host-level Nebula's, which pays for the same encryption on the same cores.
LEAST_SHARE = 0.6
# A backup closes a WAL segment when it begins and when it ends. PostgreSQL sends the rest of it to every standby and to Barman, so up to three times
# 16 MiB leave the primary's pod before the next commit does. With more than twice the time that its tunnel takes for that, something else is in the way.
CLOSED_SEGMENTS = 3 * (16 << 20)


def run(lab):
    kept = copy.deepcopy(lab.description)
    open_port(lab)
    dropped = drops(lab)
    pods = compare_paths(lab)
    commit_beside_backup(lab, 2 * CLOSED_SEGMENTS / (pods * 1e6))
    dropped = sum(drops(lab).values()) - sum(dropped.values())
    lab.measure("datagrams dropped from full receive buffers", dropped, "")
    lab.expect(dropped == 0, f"{dropped} datagrams were dropped from full receive buffers")
    lab.description = kept
    lab.apply()


def open_port(lab):
    """Lets the streams through the firewalls of their endpoints."""
    hosts, pods = lab.description["hosts"], lab.description["pods"]
    hosts["db1"]["endpoints"]["internal"]["firewall"] = {"outbound": [{"port": PORT, "host": "db2.example.internal"}]}
    hosts["db2"]["endpoints"]["internal"]["firewall"] = {"inbound": [{"port": PORT, "group": "admin"}]}
    pods["client-db1"]["firewall"] = {"outbound": [{"port": PORT, "host": f"{pod}.example.internal"} for pod in ["client-db2", "stranger"]]}
    for pod in ["client-db2", "stranger"]:
        pods[pod]["firewall"] = {"inbound": [{"port": PORT, "group": "app-client"}]}
    lab.apply()


def compare_paths(lab):
    """All paths take turns, so that what else this machine does slows all of them alike. Returns a pod's MB/s to another host's."""
    client = functools.partial(lab.start_in_pod, "db1", "client-db1")
    endpoints = lab.endpoints()
    hosts, pods, one_host = "host-level Nebula", "pod to pod", "pod to pod on one host"
    paths = {
        "raw link": (lab.hosts["db1"].start, lab.hosts["db2"].start, lab.hosts["db2"].address),
        hosts: (lab.hosts["db1"].start, lab.hosts["db2"].start, endpoints["db2.example.internal"]["address"]),
        pods: (client, functools.partial(lab.start_in_pod, "db2", "client-db2"), endpoints["client-db2.example.internal"]["address"]),
        one_host: (client, functools.partial(lab.start_in_pod, "db1", "stranger"), endpoints["stranger.example.internal"]["address"]),
    }
    rounds = [{name: speed(*path) for name, path in paths.items()} for _ in range(15 if lab.is_full else 5)]
    for name in paths:
        lab.measure(name, statistics.median(each[name] for each in rounds), "MB/s")
    share = {name: statistics.median(each[name] / each[hosts] for each in rounds) for name in paths}
    for name in [pods, one_host]:
        lab.measure(f"{name}, as a share of host-level Nebula", share[name], "")
    lab.expect(share[pods] >= LEAST_SHARE, f"a pod's throughput is {share[pods]:.2f} of host-level Nebula's")
    return statistics.median(each[pods] for each in rounds)


def speed(sender, receiver, address):
    """MB/s of one short stream."""
    script = (places.LAB / "lab/stream.py").read_text()
    receiving = receiver("python3", "-c", script, "receive", PORT, "2", stdout=subprocess.PIPE)
    receiving.stdout.readline()
    sending = sender("python3", "-c", script, "send", address, PORT)
    answer, _ = receiving.communicate(timeout=60)
    sending.wait(30)
    return float(answer)


def drops(lab):
    """By host: the datagrams that its Nebula processes lost since boot because their receive buffers were full."""
    # The lock also has those that are gone.
    reach = Reach(lab)
    counted = {}
    for name, host in lab.hosts.items():
        # Each in its own network namespace, where nothing else receives UDP.
        tables = host.output("sh", "-c", "for pid in $(pgrep -x nebula); do grep ^Udp: /proc/$pid/net/snmp; done").splitlines()
        processes = [dict(zip(keys.split(), values.split())) for keys, values in zip(tables[::2], tables[1::2])]
        wanted = len(reach.on(name))
        lab.expect(len(processes) == wanted, f"{name} has {wanted} endpoints and {len(processes)} Nebula processes")
        counted[name] = sum(int(process["RcvbufErrors"]) for process in processes)
    return counted


def commit_beside_backup(lab, longest):
    """One writer whose commits wait for a synchronous standby: alone, then while base backups run. Of a hundred, one may take longer than `longest` seconds."""
    lab.sql("db1", "create table bulk as select repeat(md5(g::text), 30) from generate_series(1, 50000) g", timeout=300)
    # With its first backup made and its WAL receiver running.
    lab.wait_until("Barman is content", lambda: lab.hosts["db3"].run("barman", "check", "app").stdout, 240, every=2)
    with lab.load("db1", writers=1) as alone:
        time.sleep(60 if lab.is_full else 10)
    with lab.load("db1", writers=1) as beside:
        start = time.monotonic()
        while time.monotonic() - start < (60 if lab.is_full else 10):
            lab.hosts["db3"].run("barman", "backup", "app", timeout=600)
    lab.sql("db1", "drop table bulk")
    for name, account in [("alone", alone.account), ("beside a base backup", beside.account)]:
        lab.expect(account.lost == 0 and not account.errors, f"writer {name}: {account}")
        lab.measure(f"synchronous commit {name}: p50", account.p50 * 1000, "ms")
        lab.measure(f"synchronous commit {name}: p99", account.p99 * 1000, "ms")
    lab.expect(beside.account.p99 < longest, f"one of a hundred commits beside a base backup took {beside.account.p99:.2f} s; {longest:.2f} s is the most")
