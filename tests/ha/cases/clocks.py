"""Clocks that are off by an hour, one forwards and one backwards, change nothing: faked for Patroni and PostgreSQL of two hosts.

etcd's clock stays: a Go program asks the kernel itself, past libfaketime. What it counts a lease by is no time of day.
"""

import pathlib
import time

from trial.account import settle
from trial.clients import Clients
from trial.cluster import FIXED, Cluster

from . import lawful

OFF = {"db1": 3600, "db2": -3600}


def run(case):
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    environments = {name: {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}s", "FAKETIME_DONT_FAKE_MONOTONIC": "1"} for name, seconds in OFF.items()}
    cluster = Cluster(case, FIXED, environments=environments)
    try:
        cluster.start()
        for name, seconds in OFF.items():
            off = float(cluster[name].query("select extract(epoch from clock_timestamp())")[0][0]) - time.time()
            case.expect(abs(off - seconds) < 60, f"the clock of {name} is off by {off:.0f} s, not by {seconds} s: nothing is tested")
        clients = Clients(cluster)
        clients.through(*cluster.members)
        time.sleep(1)
        # How long it takes is the matter of `lawful`.
        lawful.host_lost(cluster, clients, after_ttl=cluster.ttl)
        lawful.planned(cluster, clients, "switchover", "--leader", within=cluster.ttl)
        settle(cluster, clients)
    finally:
        cluster.close()
