"""One round on the lab's hosts: faults by a seed, under load, and then the looks at every member that the verdict is made of."""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import random
import shutil
import subprocess
import threading
import time
import traceback

from lab import places
from lab.host import Failed
from lab.restored import Restored, restore, wait_for_backup

from . import faults, verdict
from .load import MODES, Load

# A cluster that takes longer has failed already; how much longer is still worth knowing.
_PATIENCE = 300
# Tables of earlier rounds that are still there to be compared.
_KEPT = 5
_TABLES = "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
_SUM = "select '{0}', count(*) || ' ' || coalesce(sum(('x' || substr(md5(t::text), 1, 15))::bit(60)::bigint), 0) from {0} t"


def seed_of(seed, number):
    """The seed of a round: the campaign's own for the first, so that a round can be run again alone."""
    return seed if number == 0 else int.from_bytes(hashlib.sha256(f"{seed}/{number}".encode()).digest()[:4], "big")


class Rounds:
    """Runs rounds on a platform, one after the other."""

    def __init__(self, lab, kinds=None):
        self._lab = lab
        self._kinds = kinds
        self._directory = places.RUN / "campaign"
        # What the tables of earlier rounds came to.
        self._sums = {}
        self._number = 0

    def run(self, seed, is_restored):
        """Runs one round; what failed is in what it returns, and the evidence in the directory that its notes name."""
        self._number += 1
        lab = self._lab
        seen = verdict.Round(seed, [dataclasses.asdict(planned) for planned in faults.plan(seed, self._kinds)])
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        chosen = []
        try:
            table = self._prepare(seen, chosen)
            rows, began, ended = self._under_load(seen, chosen, table)
            self._look(seen, chosen, table, rows)
            if is_restored and not seen.is_over:
                self._restore(seen, table, rows, began, ended)
        except Exception as problem:
            # Whatever broke the round off, its seed and its evidence are what a person needs.
            traceback.print_exc(limit=-4)
            seen.failures.append(f"broken off: {type(problem).__name__}: {problem}")
            seen.is_over = True
        for fault in chosen:
            seen.notes += fault.notes
        mend(lab)
        if seen.failures:
            self._keep(seen)
        return seen

    def _prepare(self, seen, chosen):
        """Chooses the hosts by their roles, makes the faults and the round's table, and returns its name."""
        lab = self._lab
        lab.wait_healthy()
        hosts = roles(lab)
        for fault in seen.faults:
            fault["host"] = hosts[fault["role"]]
            chosen.append(faults.KINDS[fault["kind"]](lab, fault["host"], random.Random(fault["chance"])))
        for fault in chosen:
            fault.prepare()
        table = f"campaign_{self._number}"
        lab.sql(hosts[faults.REPLICA], f"drop table if exists {table}; create table {table} "
                "(source text, n bigint, mode text, at timestamptz default clock_timestamp(), primary key (source, n))")
        return table

    # ---------------------------------------------------------------------------------------------------- the faults

    def _under_load(self, seen, chosen, table):
        """Runs the faults; returns the acknowledged rows and when the first fault began and the load ended."""
        lab = self._lab
        with Load(lab, table, self._directory) as load:
            lab.wait_until("every proxy takes writes in every mode", lambda: {f"proxy-{host}-{mode}" for host in lab.hosts for mode in MODES}
                           <= {row.source for row in load.rows()}, 180, every=0.5)
            start = time.monotonic()
            threads = [threading.Thread(target=self._one, args=(seen, planned, fault, start)) for planned, fault in zip(seen.faults, chosen)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            ended = time.time()
            if not any(planned["is_begun"] for planned in seen.faults):
                seen.failures.append("no fault began: nothing was tested")
            seen.healed = self._wait_healed(load, ended)
            time.sleep(12)
            rows = load.rows()
            since = ended + (seen.healed or 0)
            seen.hanging = verdict.hanging(rows, [f"proxy-{host}-{mode}" for host in lab.hosts for mode in MODES], since)
        rows = load.rows()
        began = min((fault["began"] for fault in seen.faults if "began" in fault), default=ended)
        seen.gap = verdict.gap(rows, began, max((row.acknowledged for row in rows), default=ended))
        return rows, began, max((row.acknowledged for row in rows), default=ended)

    def _one(self, seen, planned, fault, start):
        """Begins a fault in its time, and ends it in its time."""
        try:
            time.sleep(max(0, start + planned["at"] - time.monotonic()))
            planned["began"] = time.time()
            planned["is_begun"] = False
            fault.begin()
            planned["is_begun"] = True
            time.sleep(max(0, start + planned["at"] + planned["seconds"] - time.monotonic()))
        except (Failed, OSError, subprocess.SubprocessError, RuntimeError) as problem:
            # The other fault was in its way; the round goes on with that one.
            seen.notes.append(f"{fault.kind} on {fault.name} did not begin: {problem}")
        try:
            fault.end()
        except (Failed, OSError, subprocess.SubprocessError, RuntimeError) as problem:
            seen.notes.append(f"{fault.kind} on {fault.name} did not end: {problem}")
        planned["ended"] = time.time()

    def _wait_healed(self, load, ended):
        """Seconds from the end of the faults until the cluster is healthy and every host's proxy takes writes; None when that doesn't come."""
        lab = self._lab
        try:
            lab.wait_until("a healthy cluster that replicates", lambda: lab.is_healthy() and replicates(lab), _PATIENCE, every=0.5)
            healthy = time.time()
            lab.wait_until("every proxy takes writes again", lambda: {f"proxy-{host}" for host in lab.hosts}
                           <= {row.source.rpartition("-")[0] for row in load.rows() if row.acknowledged > ended}, 60, every=0.5)
        except Failed:
            return None
        first = [min(row.acknowledged for row in load.rows() if row.acknowledged > ended and row.source.startswith(f"proxy-{host}-")) for host in lab.hosts]
        return max(healthy, *first) - ended

    # ----------------------------------------------------------------------------------------------------- the looks

    def _look(self, seen, chosen, table, rows):
        """Compares every member with the log and with each other, at one place in WAL."""
        lab = self._lab
        if seen.healed is not None:
            for fault in chosen:
                fault.settle()
            lab.wait_healthy()
        present, sums = {}, {}
        try:
            lab.wait_until("every member has replayed all", lambda: replicates(lab), 60)
        except Failed as problem:
            seen.failures.append(str(problem))
            seen.is_over = True
        for host in lab.hosts:
            try:
                answer = lab.on_member(host, f"select source, n from {table}", database="app")
                present[host] = {(source, int(number)) for source, number in (line.split("|") for line in answer.splitlines())}
                tables = lab.on_member(host, _TABLES, database="app").splitlines()
                answer = lab.on_member(host, " union all ".join(_SUM.format(each) for each in tables), database="app")
                sums[host] = dict(line.split("|") for line in answer.splitlines())
            except (Failed, subprocess.SubprocessError) as problem:
                seen.failures.append(f"{host} can't be looked at: {problem}")
                seen.is_over = True
        if sums:
            verdict.judge(seen, rows, present, sums, self._sums, any(fault["kind"] == faults.FreezeHost.kind for fault in seen.faults))
            self._sums = dict(next(iter(sums.values())))
        if not seen.is_over and self._number > _KEPT:
            old = f"campaign_{self._number - _KEPT}"
            lab.sql("db3", f"drop table if exists {old}")
            self._sums.pop(f"public.{old}", None)

    def _restore(self, seen, table, rows, began, ended):
        """Restores to a random moment of the round: exactly the rows until then."""
        lab = self._lab
        wait_for_backup(lab)
        moment = random.Random(seen.seed).uniform(began, ended)
        text = datetime.datetime.fromtimestamp(moment, datetime.timezone.utc).isoformat()
        columns = f"select source, n, extract(epoch from at) from {table}"
        final = _times(lab.on_member(lab.leader(), columns, database="app"))
        restore(lab, "campaign", "--target-time", text)
        with Restored(lab, "campaign") as restored:
            there = set(_times(restored.sql(columns)))
        lacking, too_many = verdict.wrongly_restored(moment, rows, final, there)
        if lacking or too_many:
            seen.failures.append(f"restored to {text}: {len(lacking)} rows are missing, {len(too_many)} are too many")
        else:
            seen.notes.append(f"restored to {text}: exactly its {len(there)} rows")

    # -------------------------------------------------------------------------------------------------- the evidence

    def _keep(self, seen):
        """Keeps what explains a failure."""
        place = places.CACHE / "failed" / f"{places.NAME}-campaign-{seen.seed}"
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self._directory, place)
        (place / "round.json").write_text(json.dumps(dataclasses.asdict(seen), indent=2) + "\n")
        try:
            self._lab.explain(place)
        except (Failed, subprocess.SubprocessError, OSError) as problem:
            seen.notes.append(f"not all of the evidence: {problem}")
        seen.notes.append(f"units, journals, Patroni's list, acknowledged rows: {place}")


def roles(lab):
    """Which host is what, as the round begins."""
    members = lab.members()
    primary = lab.leader()
    standby = next(host for host, member in members.items() if member["role"] in ("sync_standby", "quorum_standby"))
    return {faults.PRIMARY: primary, faults.STANDBY: standby, faults.REPLICA: next(host for host in members if host not in (primary, standby))}


def replicates(lab):
    """Whether each member, asked itself, has replayed what the primary has now. Patroni's list may be as old as its lease."""
    primary = lab.leader()
    place = lab.on_member(primary, "select pg_current_wal_flush_lsn()")
    return all(lab.on_member(host, f"select pg_last_wal_replay_lsn() >= '{place}'") == "t" for host in lab.hosts if host != primary)


def mend(lab):
    """Takes away what a fault may have left that did not end as it should."""
    for name in lab.hosts:
        for fault in [faults.FreezeHost, faults.Cable, faults.Deaf, faults.FewProcessors, faults.LittleMemory, faults.FullDisk, faults.FullDiskOfEtcd]:
            try:
                fault(lab, name, random.Random()).end()
            except (Failed, OSError, subprocess.SubprocessError, RuntimeError):
                # Nothing of that kind was left, or can be here.
                pass
        with contextlib.suppress(Failed):
            # The next look finds a host that does not boot.
            lab.hosts[name].boot()


def _times(answer):
    """When each row was written, by its key."""
    rows = (line.split("|") for line in answer.splitlines())
    return {(source, int(number)): float(at) for source, number, at in rows}
