#!/usr/bin/env python3
"""Stands beside a Patroni member: keeps etcd's leader off the primary's host, and finds a member that differs from the primary.

usage: keeper.py                 watches, for ever
       keeper.py --verdict       says what it found last; exit status 0, or 1 when the member differs or does not stream
       keeper.py --look CONFIG   looks once, now: exit status 0, 1 when nobody leads or answers, 2 when the member differs

Where the primary's host has etcd's leader too, the loss of that host costs more: etcd's new leader gives each lease its whole time anew, the
primary's lock included. So the keeper of the primary's host gives the leadership to an etcd member on a host without a primary.
https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/

Patroni and pg_rewind take members of one timeline number for members of one history. Two members that were promoted from one timeline
have one number too, and a standby of the one may stream from the other while it holds other rows. So the timeline's history file and
the WAL behind the switch, whose first record holds the moment of the promotion, are compared with the primary's.

What it finds it says once a quarter of an hour, on standard error. It changes no data.
"""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

CONFIG = "/etc/keeper/keeper.json"
VERDICT = "/tmp/verdict.json"
ROUND = 10
# Seconds between two looks at the same timeline of the same primary.
LOOK_AGAIN = 60
# Seconds that a member may be up and not stream: a restart, a rewind and the archive's WAL take less.
PATIENCE = 120
SAY_AGAIN = 900
# Seconds that etcd's leader is left where it is after it was moved.
REST = 60
# Bytes of WAL that are compared: more than the record of a promotion has.
WAL_BYTES = 64


def say(words):
    """Writes one line to the journal."""
    print("keeper:", words, file=sys.stderr, flush=True)


def call(url, body=None, timeout=3):
    """Returns the JSON that a URL answers with."""
    request = urllib.request.Request(url, None if body is None else json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=timeout) as answer:
        return json.load(answer)


def text(key):
    """Text as etcd's JSON has it, and back."""
    return base64.b64encode(key.encode()).decode()


# ----------------------------------------------------------------------------------------------------------- etcd's leader


def hosts_of_primaries(etcd):
    """Returns the hosts on which a primary of any cluster of this etcd runs: members are named after their hosts."""
    found = call(f"http://{etcd}/v3/kv/range", {"key": text("/patroni/"), "range_end": text("/patroni0")}).get("kvs", [])
    pairs = [(base64.b64decode(one["key"]).decode(), base64.b64decode(one.get("value", "")).decode()) for one in found]
    return {value for key, value in pairs if key.count("/") == 3 and key.endswith("/leader")}


def move_etcd_leader(config):
    """Gives etcd's leadership away when it is on this host. Returns to whom, or None."""
    own = config["etcd"].get(config["host"])
    if own is None:
        return None
    status = call(f"http://{own}/v3/maintenance/status", {})
    if status.get("leader") != status["header"]["member_id"]:
        return None
    busy = hosts_of_primaries(own)
    for member in call(f"http://{own}/v3/cluster/member/list", {})["members"]:
        host = member.get("name")
        if member.get("isLearner") or host not in config["etcd"] or host == config["host"] or host in busy:
            continue
        try:
            call(f"http://{config['etcd'][host]}/v3/maintenance/status", {})
            # etcd waits until that member has everything, and fails when it doesn't get there.
            call(f"http://{own}/v3/maintenance/transfer-leadership", {"targetID": member["ID"]}, timeout=10)
        except OSError as error:
            say(f"{host} does not take etcd's leadership: {error}")
            continue
        return host
    return None


# -------------------------------------------------------------------------------------------------------------- histories


def ask(host, statement):
    """Returns the one value that a statement answers with on a member, '' for null; fails with subprocess.SubprocessError."""
    done = subprocess.run(
        ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", f"host={host} port=5432 user=postgres dbname=postgres connect_timeout=3", "-c", statement],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=15, check=True,
        env={**os.environ, "PGOPTIONS": "-c statement_timeout=5000"})
    return done.stdout.rstrip("\n")


def history(host, timeline):
    """Returns the switches that lead to a timeline, each as (timeline, LSN), or [] when its file is gone."""
    file = f"pg_wal/{timeline:08X}.history"
    found = ask(host, f"select encode(pg_read_binary_file('{file}', 0, 1000000, true), 'escape')")
    return re.findall(r"^\s*(\d+)\s+([0-9A-F]+/[0-9A-F]+)", found, re.MULTILINE)


def wal(host, timeline, lsn, segment):
    """Returns the WAL at an LSN in hexadecimal; shorter or '' where it is gone or not written yet."""
    file, offset = divmod(lsn, segment)
    per_file = (1 << 32) // segment
    name = f"pg_wal/{timeline:08X}{file // per_file:08X}{file % per_file:08X}"
    length = min(WAL_BYTES, segment - offset)
    return ask(host, f"select encode(pg_read_binary_file('{name}', {offset}, {length}, true), 'hex')")


def difference(own, primary, timeline):
    """Returns how the history of a member differs from the primary's, or None where it doesn't or nothing can be compared."""
    here, there = history(own, timeline), history(primary, timeline)
    if not here or not there:
        return None
    if here != there:
        return f"timeline {timeline} branches off at {here[-1][1]} of timeline {here[-1][0]} here, and at {there[-1][1]} of timeline {there[-1][0]} there"
    high, low = here[-1][1].split("/")
    lsn = (int(high, 16) << 32) + int(low, 16)
    segment = int(ask(own, "select setting from pg_settings where name = 'wal_segment_size'"))
    mine, theirs = wal(own, timeline, lsn, segment), wal(primary, timeline, lsn, segment)
    length = min(len(mine), len(theirs))
    if mine[:length] != theirs[:length]:
        return f"the WAL of timeline {timeline} behind {here[-1][1]} is another one here than there"
    return None


# -------------------------------------------------------------------------------------------------------------- watching


class Keeper:
    """What is known from round to round."""

    def __init__(self, config):
        self.config = config
        self.looked_at = None
        self.looked = 0.0
        self.differs = None
        self.streamed = time.monotonic()
        self.said = {}
        self.rests_until = 0.0

    def look(self):
        """Returns what is wrong with this member, or None; and whether it leads. None, None when nobody leads or this member isn't known."""
        members = {member["name"]: member for member in call("http://127.0.0.1:8008/cluster")["members"]}
        own = members.get(self.config["host"])
        leader = next((member for member in members.values() if member["role"] == "leader" and member["state"] == "running"), None)
        if own is None or leader is None:
            self.streamed = time.monotonic()
            return None, None
        if own is leader:
            self.differs, self.looked_at, self.streamed = None, None, time.monotonic()
            return None, True
        return self.judge(own, leader), False

    def judge(self, own, leader):
        """Returns what is wrong with this member, which doesn't lead, or None."""
        self.compare(own, leader)
        if self.differs:
            return f"does not hold the rows of the primary {leader['name']}, whatever Patroni says of it: {self.differs}. {self.remedy()}"
        # `running` is up and not streaming; a copy, a rewind or a start is another state, and takes as long as it takes.
        if own["state"] != "running":
            self.streamed = time.monotonic()
        waits = time.monotonic() - self.streamed
        if waits > PATIENCE:
            return (f"has not streamed from the primary {leader['name']} for {waits:.0f} s. Where "
                    f"`journalctl -u patroni-{self.config['cluster']}-main` names no cause that ends by itself: {self.remedy()}")
        return None

    def remedy(self):
        """What an operator does about it."""
        cluster, host = self.config["cluster"], self.config["host"]
        return (f"It may be the last place of rows that somebody misses, so keep a copy of /var/containerops/data/patroni/{cluster}/data first; then "
                f"`podman exec patroni-{cluster}-main patronictl reinit {cluster} {host} --force` makes it a copy of the primary")

    def compare(self, own, leader):
        """Compares histories when they may have changed, or have not been looked at for a while."""
        if own.get("timeline") != leader.get("timeline") or own["timeline"] < 2:
            self.differs = None
            return
        pair = (own["timeline"], leader["name"])
        if pair == self.looked_at and time.monotonic() - self.looked < LOOK_AGAIN:
            return
        self.differs = difference(own["host"], leader["host"], own["timeline"])
        self.looked_at, self.looked = pair, time.monotonic()

    def keep_etcd_leader_away(self):
        if time.monotonic() < self.rests_until:
            return
        host = move_etcd_leader(self.config)
        if host:
            say(f"etcd's leader was on the primary's host, and is on {host} now")
            self.rests_until = time.monotonic() + REST

    def tell(self, words):
        """Says the same thing once in a while."""
        if time.monotonic() - self.said.get(words.partition(" for ")[0], -SAY_AGAIN) >= SAY_AGAIN:
            self.said[words.partition(" for ")[0]] = time.monotonic()
            say(words)


def watch():
    # Process 1 has no default for it: without this each stop takes ten seconds and ends with SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(CONFIG, encoding="utf-8") as file:
        keeper = Keeper(json.load(file))
    while True:
        try:
            wrong, leads = keeper.look()
            if wrong:
                keeper.tell(f"{keeper.config['host']} {wrong}")
            else:
                keeper.said.clear()
            if leads:
                keeper.keep_etcd_leader_away()
            with open(VERDICT + ".new", "w", encoding="utf-8") as file:
                json.dump({"wrong": wrong}, file)
            os.replace(VERDICT + ".new", VERDICT)
        except (OSError, subprocess.SubprocessError, KeyError, ValueError):
            # What doesn't answer is Patroni's business, and comes back or is seen there.
            pass
        time.sleep(ROUND)


def look(config):
    """Looks once. Returns the exit status."""
    with open(config, encoding="utf-8") as file:
        keeper = Keeper(json.load(file))
    try:
        wrong, leads = keeper.look()
    except (OSError, subprocess.SubprocessError) as error:
        say(error)
        return 1
    if wrong:
        say(wrong)
        return 2
    return 1 if leads is None else 0


def verdict():
    try:
        with open(VERDICT, encoding="utf-8") as file:
            wrong = json.load(file)["wrong"]
    except FileNotFoundError:
        return None
    return wrong


if __name__ == "__main__":
    if sys.argv[1:] == ["--verdict"]:
        sys.exit(verdict())
    if sys.argv[1:2] == ["--look"]:
        sys.exit(look(*sys.argv[2:]))
    watch()
