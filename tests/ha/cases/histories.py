"""Two members were promoted from one timeline, so that theirs have equal numbers and different histories. Patroni and PostgreSQL take the
one for a standby of the other: `streaming`, with other rows, and later `running` for ever. The finder must see it, and must say nothing
about the standby that is right.

The finder is the keeper, `keeper.py --look`, beside Patroni, as its user: it ends with 0 when the member shares the primary's history (or is the primary),
with 2 and a line about it when it doesn't, with 1 when it can't tell.
"""

import time

from trial.cluster import FIXED, PATRONI, STOCK, Cluster
from trial.rendered import keeper_config

DATA = "/var/lib/postgresql/data"
SHARES, CANNOT_TELL, DIFFERS = 0, 1, 2
SECONDS = 60
TURN = "/containerops/patroni/app/copies"
ASK_AGAIN = """
import urllib.error, urllib.request
try:
    print(urllib.request.urlopen(urllib.request.Request("http://127.0.0.1:8008/keep", b'{"bytes": 1}')).read())
except urllib.error.HTTPError as error:
    print(error.code, error.read())
"""


def with_(case):
    """The member does not stream from the stranger, so that its rows stay; the keeper has it copied anew, and they are in the directory that is kept."""
    # No segment may end early: the state lasts while the primary is behind.
    cluster = Cluster(case, FIXED, parameters={"archive_timeout": 0})
    try:
        cluster.start()
        first, second, third = cluster.members
        first.query("create table written (key text primary key)")
        find(case, cluster, {first: SHARES, second: SHARES, third: SHARES})
        make_histories(cluster)
        case.wait_until(f"{third.name} streams", third.is_streaming, SECONDS)
        case.wait_until(f"{second.name} says why it does not", lambda: f"{second.name} does not stream from {first.name}" in second.patroni.logged(), SECONDS)
        time.sleep(2 * cluster.loop_wait)
        case.expect("started streaming WAL" not in second.patroni.logged(second.marked), f"{second.name} streamed from another history")
        find(case, cluster, {first: SHARES, second: DIFFERS, third: SHARES})
        heal(cluster)
    finally:
        cluster.close()


def without(case):
    """Returns the rows that a standby has which `streams` and is not behind, and its primary doesn't."""
    cluster = Cluster(case, STOCK, parameters={"archive_timeout": 0})
    try:
        cluster.start()
        first, second, third = cluster.members
        first.query("create table written (key text primary key)")
        make_histories(cluster)
        others = unnoticed(cluster)
        find(case, cluster, {first: SHARES, second: DIFFERS, third: SHARES})
        stuck(cluster)
        find(case, cluster, {first: SHARES, second: DIFFERS, third: SHARES})
        return others
    finally:
        cluster.close()


def make_histories(cluster):
    """In pause, an operator promotes the standby, writes there, and then makes the primary a standby and promotes it, too."""
    case = cluster.case
    first, second, _ = cluster.members
    case.say("Patroni pauses; both candidates are promoted from timeline 1 by hand")
    first.patronictl("pause", "--wait")
    # Patroni would give the lock away as soon as it saw the first as a standby.
    for member in (first, second):
        member.patroni.freeze(PATRONI)
    promote(second)
    # More than the first will write: then the first can send from where the second's last segment begins, and nobody sees what follows there.
    second.query("insert into written select 'second ' || i from generate_series(1, 2000) i")
    first.patroni.exec("touch", f"{DATA}/standby.signal")
    first.patroni.exec("pg_ctl", "restart", "-w", "-m", "fast", "-D", DATA, "-l", "/tmp/restarted.log")
    promote(first)
    first.query("set synchronous_commit = local; insert into written values ('first 1')")
    second.marked = second.patroni.log.stat().st_size
    for member in (first, second):
        member.patroni.thaw()
        case.wait_until(f"{first.name} holds the lock", lambda: cluster.primary() is first, 20)
    first.patronictl("resume", "--wait")


def promote(member):
    member.patroni.exec("pg_ctl", "promote", "-w", "-D", DATA)


def unnoticed(cluster):
    """All members are green, and one has other rows."""
    case = cluster.case
    first, second, third = cluster.members
    case.wait_until("both others stream", lambda: second.is_streaming() and third.is_streaming(), SECONDS)
    case.expect(third_has_replayed(first, third), f"{third.name} doesn't follow: nothing is shown")
    case.wait_until("their timelines have one number", lambda: len({member.status().get("timeline") for member in cluster.members}) == 1, SECONDS)
    count = "select count(*) filter (where key like 'first%'), count(*) filter (where key like 'second%') from written"
    rows = {member.name: member.query(count)[0] for member in cluster.members}
    case.say(f"rows of the first and of the second: {rows}; {cluster.describe()}")
    case.expect(rows == {first.name: (1, 0), second.name: (0, 2000), third.name: (1, 0)}, f"other rows than those that were made: {rows}")
    case.expect("running pg_rewind" not in second.patroni.logged(), f"{second.name} was rewound")
    case.measure("standby with other rows", f"`streaming`, lag {lag(cluster, second)}")
    return rows[second.name][1]


def third_has_replayed(first, third):
    return third.query(f"select pg_last_wal_replay_lsn() >= '{first.query('select pg_current_wal_lsn()')[0][0]}'")[0][0]


def stuck(cluster):
    """The primary's WAL has passed the end of the standby's own: no record follows there. It waits for ever, and nobody says why."""
    case = cluster.case
    first, second, _ = cluster.members
    first.query("set synchronous_commit = local; insert into written select 'first ' || i from generate_series(2, 20000) i")
    case.wait_until(f"{second.name} streams no more", lambda: not second.is_streaming(), SECONDS)
    time.sleep(2 * cluster.loop_wait)
    case.expect(not second.is_streaming(), f"{second.name} streams again")
    case.measure("once the primary's WAL is longer", f"`{second.status().get('state')}`, lag {lag(cluster, second)}")


def heal(cluster):
    """Only in its turn, and once."""
    case = cluster.case
    first, second, third = cluster.members
    cluster.etcd.put(TURN, third.name)
    for member in cluster.members:
        member.keeper.start()
    case.wait_until("the keeper waits for its turn", lambda: f"it is the turn of {third.name}" in second.keeper.logged(), SECONDS)
    case.expect(not (second.host.directory / "data/kept").exists(), "it did not wait")
    began = time.monotonic()
    cluster.etcd.delete(TURN)
    cluster.wait_healthy(SECONDS)
    case.measure("copied anew, streams after its turn came", time.monotonic() - began, "s")
    case.wait_until("all have the same rows", lambda: len({tuple(sorted(member.query("select key from written"))) for member in cluster.members}) == 1, SECONDS)
    options = "-p 5499 -k /tmp -c primary_conninfo= -c listen_addresses= -c primary_slot_name="
    second.patroni.exec("pg_ctl", "start", "-w", "-D", "/var/lib/postgresql/kept", "-l", "/tmp/kept.log", "-o", options)
    rows = second.patroni.exec("psql", "-XAtq", "-h", "/tmp", "-p", "5499", "-U", "postgres", "-c", "select count(*) from written where key like 'second%'").strip()
    second.patroni.exec("pg_ctl", "stop", "-w", "-m", "immediate", "-D", "/var/lib/postgresql/kept")
    case.measure("of the 2000 rows that it alone had, in the directory that is kept", int(rows))
    case.expect(rows == "2000" and "copied anew now" in second.keeper.logged(), second.keeper.logged())
    for member in (first, third):
        case.expect("copied anew" not in member.keeper.logged(), f"{member.name} was to be copied, too: {member.keeper.logged()}")
    case.wait_until("the turn is given up", lambda: not cluster.etcd.get(TURN), SECONDS)
    find(case, cluster, {first: SHARES, second: SHARES, third: SHARES})
    said = second.patroni.exec("python3", "-c", ASK_AGAIN)
    case.expect("kept is there already" in said, f"a second directory would be kept: {said}")


def lag(cluster, member):
    """The lag of a member in `patronictl list`."""
    line = next(line for line in cluster.members[0].patronictl("list").splitlines() if f" {member.name} " in line)
    return line.strip("| ").split("|")[-1].strip()


def find(case, cluster, wanted):
    """What the finder says on every member."""
    verdicts = {member.name: ask(member, case.programs["finder"]) for member in cluster.members}
    case.say(f"the finder: {verdicts}")
    for member, status in wanted.items():
        case.expect(verdicts[member.name][0] == status, f"the finder ends with {verdicts[member.name]} on {member.name}, not with {status}")
    if DIFFERS in wanted.values():
        case.measure("found by the finder", " ".join(name for name, (status, _) in verdicts.items() if status == DIFFERS))


def ask(member, finder):
    """The finder's exit status and words on a member."""
    # The last line is ours: `exec` gives the words alone.
    *words, status = member.patroni.exec("sh", "-c", 'python3 "$@" 2>&1; echo "$?"', "sh", finder, "--look", keeper_config(member.name)).splitlines()
    return int(status), " ".join(words)
