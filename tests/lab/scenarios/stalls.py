"""What a short `ttl` costs: two clusters on the same hosts, one `fast` and one `steady`, while disks and hosts stall and packets are lost."""

import time

from lab import platform, switch

# Minutes for each condition.
FULL_MINUTES, SHORT_MINUTES = 60, 1
# The `fast` one has the name that the lab's own looks know.
CLUSTERS = {"fast": "app", "steady": "slow"}
# On each member, in one session after the other: a row each tenth of a second, as long as it is the primary. A standby's session waits for that, since
# one more `psql` each second for each standby would be much of the load, and stall the machine by itself.
_ROW = "do $$ begin if not pg_is_in_recovery() then create table if not exists load (at timestamptz default clock_timestamp()); insert into load default values; end if; end $$"
_LOAD = ("podman exec patroni-{0}-main sh -c 'while true; do printf \"%s\\n\" \"$1\" \"\\\\watch 0.1\" | psql -XAtq -v ON_ERROR_STOP=1 -h /run/postgresql -U postgres postgres; "
         "sleep 1; done' sh \"$1\"")
_PAUSES = """select count(*), round(coalesce(sum(extract(epoch from pause)), 0), 1), round(coalesce(max(extract(epoch from pause)), 0), 1)
    from (select at - lag(at) over (order by at) as pause from load where at > to_timestamp({0})) each where pause > '2 seconds'"""


class Platform(platform.ThreeCandidates):
    """Two clusters, one of each timing, and disks that can be stopped."""

    disks = {"etcd": "2G"}

    def __init__(self):
        super().__init__()
        slow = {key: value for key, value in self.cluster.items() if key not in ("barman_secret", "databases", "roles", "client_groups")}
        self.description["patroni_clusters"]["slow"] = {**slow, "timing": "steady"}


def run(lab):
    minutes = lab.options.rounds or (FULL_MINUTES if lab.is_full else SHORT_MINUTES)
    lines = [f"{minutes} minutes each; a stall comes once a minute.", "",
             "| what | timing | failovers | ends by the fence | demotions | pauses of writes above 2 s: number, sum, longest |", "|---|---|---|---|---|---|"]
    for cluster in CLUSTERS.values():
        lab.wait_healthy(cluster=cluster)
    writers = [host.start("bash", "-c", f"while true; do {_LOAD.format(cluster)}; sleep 1; done >/dev/null 2>&1", "bash", _ROW) for host in lab.hosts.values() for cluster in CLUSTERS.values()]
    try:
        time.sleep(10)
        for what, condition in CONDITIONS.items():
            if lab.options.faults and what not in lab.options.faults:
                continue
            for cluster in CLUSTERS.values():
                lab.wait_healthy(cluster=cluster)
            before, began = {name: switches(lab, cluster) for name, cluster in CLUSTERS.items()}, time.time()
            condition(lab, minutes)
            for cluster in CLUSTERS.values():
                lab.wait_healthy(cluster=cluster)
            for name, cluster in CLUSTERS.items():
                ends, demotions = (said(lab, cluster, began, words) for words in ("start.py: fence:", "Demoting self"))
                pauses = lab.hosts[lab.leader(cluster)].output("podman", "exec", f"patroni-{cluster}-main", "psql", "-XAt", "-F", ", ", "-h", "/run/postgresql",
                                                               "-U", "postgres", "-c", _PAUSES.format(began))
                lines.append(f"| {what} | {name} | {switches(lab, cluster) - before[name]} | {ends} | {demotions} | {pauses} s |")
                print("     " + lines[-1], flush=True)
            lab.table = "\n".join(lines) + "\n"
    finally:
        for writer in writers:
            writer.kill()


def switches(lab, cluster):
    """How often the cluster has had a new primary: its timeline."""
    return lab.members(cluster)[lab.leader(cluster)]["timeline"]


def said(lab, cluster, since, words):
    """How often a member said that."""
    return sum(len(host.output("journalctl", "--no-pager", "-o", "cat", f"--since=@{since:.0f}", "-u", f"patroni-{cluster}-main.service", "--grep", words, check=False).splitlines())
               for host in lab.hosts.values())


def each_minute(lab, minutes, stall):
    for _ in range(minutes):
        began = time.monotonic()
        stall()
        time.sleep(max(0, began + 60 - time.monotonic()))


def disk(seconds):
    """The disk below every etcd member stands still, as one storage that they share would."""
    def condition(lab, minutes):
        def stall():
            lab.everywhere(lambda host: host.run("sh", "-c", f"cd /var/containerops/data/etcd && fsfreeze -f . && sleep {seconds}; fsfreeze -u ."))
        each_minute(lab, minutes, stall)
    return condition


def host(seconds):
    """The primaries' hosts stand still, one after the other where they are two."""
    def condition(lab, minutes):
        def stall():
            leaders = {lab.wait_until(f"a leader of {cluster}", lambda cluster=cluster: lab.leader(cluster), 180)[0] for cluster in CLUSTERS.values()}
            for name in sorted(leaders):
                lab.hosts[name].freeze(True)
                time.sleep(seconds)
                lab.hosts[name].freeze(False)
                time.sleep(15)
        each_minute(lab, minutes, stall)
    return condition


def loss(percent):
    """So many packets of every host are lost."""
    def condition(lab, minutes):
        for name in lab.hosts:
            switch.set_loss(name, percent)
        try:
            time.sleep(60 * minutes)
        finally:
            for name in lab.hosts:
                switch.set_loss(name, 0)
    return condition


CONDITIONS = {
    "nothing": lambda lab, minutes: time.sleep(60 * minutes),
    "etcd's disks stall for 2 s": disk(2),
    "etcd's disks stall for 5 s": disk(5),
    "the primary's host stands still for 3 s": host(3),
    "the primary's host stands still for 6 s": host(6),
    "20 % of the packets are lost": loss(20),
}
