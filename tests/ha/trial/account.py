"""The account at the end: which acknowledged rows are where, and whether members are equal."""

import psycopg2

from .case import Failed

_ROWS = "select key, host(member) from written"


def missing(clients, member):
    """How many acknowledged rows a member doesn't have."""
    return len({(key, address) for key, address, _ in clients.log} - set(member.query(_ROWS)))


class Account:
    """What every member holds, once all that follow the primary have replayed what it had written."""

    def __init__(self, cluster, clients, primary):
        lsn = primary.query("select pg_current_wal_flush_lsn()")[0][0]
        log = {(key, address) for key, address, _ in clients.log}
        self.acknowledged = len(log)
        self.primary, self.lost, self.other = primary, {}, {}
        rows = {}
        for member in cluster.members:
            try:
                if member is not primary:
                    cluster.case.wait_until(f"{member.name} replayed {lsn}", lambda member=member: _has_replayed(member, lsn), 15)
                rows[member.name] = set(member.query(_ROWS))
            except (psycopg2.Error, Failed) as problem:
                self.other[member.name] = str(problem).strip().splitlines()[0]
                continue
            self.lost[member.name] = len(log - rows[member.name])
        for name in rows:
            difference = len(rows[name] ^ rows[primary.name])
            if difference:
                self.other[name] = f"{difference} rows differ from those of {primary.name}"

    @property
    def lost_on_primary(self):
        return self.lost[self.primary.name]

    def __str__(self):
        lost = ", ".join(f"{name} {count}" for name, count in self.lost.items())
        return f"{self.acknowledged} rows acknowledged; lost: {lost}" + "".join(f"; {name}: {what}" for name, what in self.other.items())


def _has_replayed(member, lsn):
    return member.query(f"select pg_last_wal_replay_lsn() >= '{lsn}'")[0][0]


def settle(cluster, clients):
    """Ends the clients and takes the account of a cluster that has to be whole: everything is everywhere."""
    primary = cluster.wait_healthy()
    clients.end()
    account = Account(cluster, clients, primary)
    case = cluster.case
    case.say(str(account))
    case.expect(account.acknowledged > 0, "nothing was written: nothing was tested")
    case.expect(not any(account.lost.values()), f"acknowledged rows are lost: {account}")
    case.expect(not account.other, f"members differ: {account}")
    case.measure("acknowledged rows", account.acknowledged)
    case.measure("of them lost", account.lost_on_primary)
    return account
