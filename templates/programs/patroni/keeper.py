#!/usr/bin/env python3
"""Stands beside a Patroni member: keeps etcd's leader off the primary's host, finds a member that differs from the primary, and heals it.

usage: keeper.py                 watches, for ever
       keeper.py --verdict       says what it found last; exit status 0, or 1 when the member differs or does not stream
       keeper.py --look CONFIG   looks once, now: exit status 0, 1 when nobody leads or answers, 2 when the member differs

Where the primary's host has etcd's leader too, the loss of that host costs more: etcd's new leader gives each lease its whole time anew, the
primary's lock included. So the keeper of the primary's host gives the leadership to an etcd member on a host without a primary.
https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/

Patroni and pg_rewind take members of one timeline number for members of one history. The keeper compares histories (history.py).

A member is healed, which is copied anew, when no waiting can mend it: it differs, its last rewind failed, or the primary has no longer the WAL that
it needs. Its old directory may be the last place of somebody's rows, so it is healed only where that can be kept beside the new one (start.py does
that), once; while the primary answers, which then has all that can be copied; and never while another member of the cluster is copied. Else the
keeper says what an operator has to do.

What it finds it says once a quarter of an hour, on standard error.
"""

import base64
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from history import bytes_of, difference, segment_of, switches

CONFIG = "/etc/keeper/keeper.json"
VERDICT = "/tmp/verdict.json"
ROUND = 10
# Seconds between two looks at the same timeline of the same primary.
LOOK_AGAIN = 60
# Seconds that a member may be up and not stream: a restart, a rewind and the archive's WAL take less.
PATIENCE = 120
# Seconds after which a rewind that failed is taken for the last word.
FAILED_PATIENCE = 20
SAY_AGAIN = 900
# Seconds that etcd's leader is left where it is after it was moved, and a member that is being copied.
REST = 60
# Seconds for which etcd holds the right to copy a member, unless its keeper goes on asking for it.
COPY_LEASE = 60
# Disk that stays free beside the old directory and the new one: WAL that comes meanwhile.
RESERVE = 2 << 30


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


def keep(wanted):
    """Asks start.py for what it keeps, or to keep something: returns its answer."""
    try:
        return call("http://127.0.0.1:8008/keep", wanted)
    except urllib.error.HTTPError as error:
        if error.code == 409:
            return json.load(error)
        return {"why_not": "its container was not restarted since start.py can keep a data directory"}


class Turn:
    """The right to copy a member of the cluster, which one keeper has at a time: a key in etcd that ends with its lease."""

    def __init__(self, config):
        self.etcd = sorted(config["etcd"].values())
        self.key, self.host = text(f"/containerops/patroni/{config['cluster']}/copies"), config["host"]
        self.lease = None

    def ask(self, path, body):
        """Asks the etcd members in turn, until one answers."""
        error = OSError("no member of etcd is known")
        for address in self.etcd:
            try:
                return call(f"http://{address}/v3/{path}", body)
            except OSError as problem:
                error = problem
        raise error

    def take(self):
        """Takes the turn, or goes on having it. Returns the host that has it."""
        if self.lease and "TTL" in self.ask("lease/keepalive", {"ID": self.lease}).get("result", {}):
            return self.host
        self.lease = self.ask("lease/grant", {"TTL": COPY_LEASE})["ID"]
        said = self.ask("kv/txn", {
            "compare": [{"key": self.key, "target": "CREATE", "createRevision": "0"}],
            "success": [{"requestPut": {"key": self.key, "value": text(self.host), "lease": self.lease}}],
            "failure": [{"requestRange": {"key": self.key}}]})
        if said.get("succeeded"):
            return self.host
        found = said["responses"][0]["response_range"].get("kvs", [])
        self.give_up()
        return base64.b64decode(found[0]["value"]).decode() if found else "nobody"

    def give_up(self):
        """Lets another one have it."""
        if self.lease:
            lease, self.lease = self.lease, None
            self.ask("lease/revoke", {"ID": lease})


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


class Server:
    """A member's history and WAL, by SQL."""

    def __init__(self, host):
        self.host = host

    def history(self, timeline):
        """The text of a timeline's history file, '' where it is gone."""
        return ask(self.host, f"select encode(pg_read_binary_file('pg_wal/{timeline:08X}.history', 0, 1000000, true), 'escape')")

    def wal(self, name, offset, length):
        """Bytes of a file of WAL, none where it is gone."""
        return bytes.fromhex(ask(self.host, f"select encode(pg_read_binary_file('pg_wal/{name}', {offset}, {length}, true), 'hex')"))


def lack(own, primary):
    """Returns where a member stands that can never get what it needs from the primary, and why, or (None, None). What the archive has, PostgreSQL has
    fetched already."""
    lsn, sure, timeline, waits = ask(own, """select concat_ws(' ', pg_last_wal_replay_lsn(), min_recovery_end_lsn, min_recovery_end_timeline,
        pg_get_wal_replay_pause_state() <> 'not paused' or current_setting('recovery_min_apply_delay') <> '0') from pg_control_recovery()""").split()
    if waits == "t":
        # It has WAL that somebody does not want to be replayed yet.
        return None, None
    current, segment, oldest = ask(primary, """select concat_ws(' ', substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8),
        (select setting from pg_settings where name = 'wal_segment_size'), (select min(substr(name, 9)) from pg_ls_waldir() where name ~ '^[0-9A-F]{24}$'))""").split()
    current, segment = int(current, 16), int(segment)
    forks = dict(switches(Server(primary).history(current))) if current > 1 else {}
    # The end of what recovery has to reach is as old as the last restart point, and then on an older timeline.
    if int(timeline) not in (0, current) and (timeline not in forks or bytes_of(forks[timeline]) < bytes_of(sure)):
        return lsn, f"it has {sure} of timeline {timeline}, which the primary's timeline {current} does not come from"
    if segment_of(bytes_of(lsn), segment)[0] < oldest:
        return lsn, f"it needs the WAL behind {lsn}, and the primary has none before segment {oldest}"
    return None, None


# -------------------------------------------------------------------------------------------------------------- watching


class Keeper:
    """What is known from round to round."""

    def __init__(self, config, heals):
        self.config = config
        self.looked_at = None
        self.looked = 0.0
        self.differs = None
        self.waited, self.looked_last = 0.0, time.monotonic()
        self.said = {}
        self.rests_until = {"etcd": 0.0, "copy": 0.0}
        # Since when a failed rewind is known; up to where it has replayed, and since when.
        self.failed, self.stands = None, (None, 0.0)
        self.streams = False
        self.others, self.is_paused = [], False
        # Who only looks heals nobody.
        self.heals, self.turn = heals, Turn(config)

    def look(self):
        """Returns what is wrong with this member, or None; and whether it leads. None, None when nobody leads or this member isn't known."""
        seen = call("http://127.0.0.1:8008/cluster")
        members = {member["name"]: member for member in seen["members"]}
        own = members.get(self.config["host"])
        leader = next((member for member in members.values() if member["role"] == "leader" and member["state"] == "running"), None)
        self.others, self.is_paused = [member for member in members.values() if member is not own], seen.get("pause", False)
        if own is None or leader is None:
            self.waited = 0.0
            return None, None
        if own is leader:
            self.differs, self.looked_at, self.waited = None, None, 0.0
            self.turn.give_up()
            return None, True
        return self.judge(own, leader), False

    def judge(self, own, leader):
        """Returns what is wrong with this member, which doesn't lead, or None; heals it where that is the only way."""
        if own["state"] == "streaming":
            self.turn.give_up()
            if not self.streams:
                keep({"streams": True})
        elif self.turn.lease:
            self.turn.take()
        self.streams = own["state"] == "streaming"
        if own["state"] == "creating replica" or time.monotonic() < self.rests_until["copy"]:
            self.waited = 0.0
            return None
        self.compare(own, leader)
        if self.differs:
            return f"does not hold the rows of the primary {leader['name']}, whatever Patroni says of it: {self.differs}. {self.heal(leader)}"
        if self.has_failed(own):
            return f"could not be rewound to the primary {leader['name']}: `journalctl -u patroni-{self.config['cluster']}-main` tells why. {self.heal(leader)}"
        waits = self.waits(own["state"])
        if waits <= PATIENCE:
            return None
        lacks = self.lacks(own, leader) if own["state"] == "running" else None
        if lacks:
            return f"can't stream from the primary {leader['name']} any more: {lacks}. {self.heal(leader)}"
        return (f"has not streamed from the primary {leader['name']} for {waits:.0f} s. Where "
                f"`journalctl -u patroni-{self.config['cluster']}-main` names no cause that ends by itself: {self.remedy()}")

    def waits(self, state):
        """For how long the member does not stream by now. A start, a recovery or a rewind takes as long as it takes; what is tried again and again
        comes back to one of the states that count."""
        passed, self.looked_last = time.monotonic() - self.looked_last, time.monotonic()
        if state == "streaming":
            self.waited = 0.0
        elif state in ("running", "stopped", "start failed", "crashed"):
            self.waited += min(passed, 2 * ROUND)
        return self.waited

    def has_failed(self, own):
        """Whether its rewind failed, and was not tried again since."""
        if own["state"] == "streaming" or not keep({}).get("rewind_failed"):
            self.failed = None
            return False
        self.failed = self.failed or time.monotonic()
        return time.monotonic() - self.failed >= FAILED_PATIENCE

    def lacks(self, own, leader):
        """What the primary can never send to it, once it has stood still for as long as a look takes to be repeated."""
        try:
            lsn, words = lack(own["host"], leader["host"])
        except subprocess.SubprocessError:
            # One that can't be asked is why it doesn't stream, and no reason to say nothing.
            return None
        if words is None or lsn != self.stands[0]:
            self.stands = (lsn, time.monotonic())
        return words if words and time.monotonic() - self.stands[1] >= LOOK_AGAIN else None

    def heal(self, leader):
        """Has the member copied anew, its old directory kept. Returns what is done, or why it isn't and what an operator does."""
        if not self.heals:
            return self.remedy()
        try:
            why_not = self.obstacle(leader) or keep({"bytes": self.size(leader) + RESERVE}).get("why_not")
        except (OSError, subprocess.SubprocessError) as error:
            why_not = f"what is asked first does not answer: {error}"
        if why_not:
            self.turn.give_up()
            return f"It is not copied anew by itself: {why_not}. {self.remedy()}"
        self.differs, self.looked_at, self.failed, self.rests_until["copy"] = None, None, None, time.monotonic() + REST
        return f"It is copied anew now, and its old data directory stays as {self.place()}/kept: remove that once nobody misses rows"

    def obstacle(self, leader):
        """Why a member is not copied now, or None, with the turn taken."""
        if self.is_paused:
            return "the cluster is paused"
        copied = [member["name"] for member in self.others if member["state"] == "creating replica"]
        if copied:
            return f"{copied[0]} is copied at the moment"
        if ask(leader["host"], "select pg_is_in_recovery()") != "f":
            return f"{leader['name']} is not a primary yet"
        holder = self.turn.take()
        return None if holder == self.config["host"] else f"it is the turn of {holder}"

    @staticmethod
    def size(leader):
        """Bytes that a copy of the primary takes."""
        return int(ask(leader["host"], "select (select sum(pg_database_size(oid)) from pg_database) + (select sum(size) from pg_ls_waldir())"))

    def place(self):
        """Where the member's data directory lies on its host."""
        return f"/var/containerops/data/patroni/{self.config['cluster']}"

    def remedy(self):
        """What an operator does about it."""
        cluster, host = self.config["cluster"], self.config["host"]
        return (f"It may be the last place of rows that somebody misses, so keep a copy of {self.place()}/data first; then "
                f"`podman exec patroni-{cluster}-main patronictl reinit {cluster} {host} --force` makes it a copy of the primary")

    def compare(self, own, leader):
        """Compares histories when they may have changed, or have not been looked at for a while."""
        if own.get("timeline") != leader.get("timeline") or own["timeline"] < 2:
            self.differs = None
            return
        pair = (own["timeline"], leader["name"])
        if pair == self.looked_at and time.monotonic() - self.looked < LOOK_AGAIN:
            return
        try:
            size = int(ask(own["host"], "select setting from pg_settings where name = 'wal_segment_size'"))
            self.differs = difference(own["timeline"], Server(own["host"]), Server(leader["host"]), size)
        except subprocess.SubprocessError:
            if not self.heals:
                raise
            # What was found before still stands, and there is more to look at.
            return
        self.looked_at, self.looked = pair, time.monotonic()

    def keep_etcd_leader_away(self):
        if time.monotonic() < self.rests_until["etcd"]:
            return
        host = move_etcd_leader(self.config)
        if host:
            say(f"etcd's leader was on the primary's host, and is on {host} now")
            self.rests_until["etcd"] = time.monotonic() + REST

    def tell(self, words):
        """Says the same thing once in a while."""
        if time.monotonic() - self.said.get(words.partition(" for ")[0], -SAY_AGAIN) >= SAY_AGAIN:
            self.said[words.partition(" for ")[0]] = time.monotonic()
            say(words)


def watch():
    # Process 1 has no default for it: without this each stop takes ten seconds and ends with SIGKILL.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open(CONFIG, encoding="utf-8") as file:
        keeper = Keeper(json.load(file), heals=True)
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
        keeper = Keeper(json.load(file), heals=False)
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
