"""Clients that insert rows, and the log of what was acknowledged to them, which no member can change."""

import threading
import time

import psycopg2

_TABLE = "create table written (key text primary key, member inet not null default inet_server_addr())"
# A client that finds out for itself when its server is gone. No statement_timeout: it would end the wait for the standby, and acknowledge.
_OPTIONS = dict(dbname="postgres", user="postgres", connect_timeout=2, keepalives_idle=2, keepalives_interval=1, keepalives_count=3, tcp_user_timeout=4000)


class Clients:
    """So many clients, each with a connection of its own, and a log file that they share."""

    def __init__(self, cluster, count=3, pause=0.02):
        self.cluster, self._pause = cluster, pause
        self.log = []  # (key, address of the member, moment)
        self._lock = threading.Lock()
        self._file = open(cluster.case.directory / "acknowledged.log", "a", encoding="utf-8")
        self._through, self._generation, self._is_done = [], 0, False
        cluster.primary().query(_TABLE)
        self._threads = [threading.Thread(target=self._write, args=(number,), daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def through(self, *members):
        """From now on they write through these members, whichever of them is the primary; through none: not at all."""
        with self._lock:
            self._through = [member.address for member in members]
            self._generation += 1

    def end(self):
        """Ends them; what they still wait for is not acknowledged any more."""
        self.through()
        self._is_done = True
        for thread in self._threads:
            thread.join(10)
        with self._lock:
            self._file.close()

    def acknowledged(self, *members, since=0.0):
        """How many rows these members acknowledged, or all of them."""
        addresses = {member.address for member in members}
        with self._lock:
            return sum(1 for _, address, moment in self.log if moment >= since and (not members or address in addresses))

    def gap(self, since):
        """The longest time without an acknowledged row that ended or lasts after that moment."""
        with self._lock:
            moments = sorted(moment for _, _, moment in self.log)
        before = max((moment for moment in moments if moment <= since), default=since)
        moments = [before, *(moment for moment in moments if moment > since), time.time()]
        return max(after - before for before, after in zip(moments, moments[1:]))

    def _write(self, number):
        row, connection, generation = 0, None, -1
        while not self._is_done:
            if generation != self._generation and connection:
                connection.close()
                connection = None
            generation, through = self._generation, self._through
            if not through:
                time.sleep(0.05)
                continue
            key, row = f"{number}-{row}", row + 1
            try:
                if connection is None:
                    connection = psycopg2.connect(host=",".join(through), target_session_attrs="read-write", **_OPTIONS)
                    connection.autocommit = True
                with connection.cursor() as cursor:
                    cursor.execute("insert into written (key) values (%s) returning host(member)", (key,))
                    self._acknowledge(key, cursor.fetchone()[0], connection.notices)
                time.sleep(self._pause)
            except psycopg2.Error:
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.1)

    def _acknowledge(self, key, address, notices):
        # PostgreSQL warns when it stopped waiting for the standby: such a row was not acknowledged as durable.
        if notices:
            notices.clear()
            return
        with self._lock:
            if not self._file.closed:
                moment = time.time()
                self.log.append((key, address, moment))
                self._file.write(f"{moment:.3f} {address} {key}\n")
