# Runs beside the hosts, by Debian's Python: one thread for each connection enters the network of a container and inserts rows until it is told to end.
# Each acknowledged row is a line of the log at once: source, number, mode, the server's clock in the statement, this machine's clock when the
# acknowledgment was there, the member's address, its timeline. The argument is a JSON object, see load.py.
import ctypes
import glob
import json
import os
import sys
import threading
import time

import psycopg2

# As <linux/sched.h> has it.
CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
told = json.loads(sys.stdin.readline())
log = os.open(told["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
troubles = os.open(told["log"] + ".errors", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
statement = (f"insert into {told['table']} (source, n, mode) values (%s, %s, %s) returning extract(epoch from at)::float8, host(inet_server_addr()), "
             "substr(pg_walfile_name(pg_current_wal_insert_lsn()), 1, 8)")


class Away(Exception):
    """There is no container whose network could be entered."""


def enter(group):
    """Moves this thread into the network of a unit's container."""
    for path in glob.glob(group + "/libpod-payload-*/cgroup.procs"):
        try:
            with open(path) as pids, open(f"/proc/{pids.readline().strip()}/ns/net") as network:
                if libc.setns(network.fileno(), CLONE_NEWNET) == 0:
                    return
        except OSError:
            pass
    raise Away("no container")


def connect(way):
    enter(way["group"])
    # A client that finds out for itself when its server is gone: without the timeouts, TCP waits for minutes.
    connection = psycopg2.connect(host=way["host"], user=way["user"], password=way["password"], dbname="app", connect_timeout=2, keepalives_idle=5,
                                  keepalives_interval=2, keepalives_count=2, tcp_user_timeout=4000, options=f"-c synchronous_commit={way['mode']}")
    connection.autocommit = True
    return connection


def write(way):
    connection, number, last = None, 0, ""
    while True:
        number += 1
        try:
            connection = connection or connect(way)
            cursor = connection.cursor()
            cursor.execute(statement, (way["source"], number, way["mode"]))
            acknowledged = time.time()
            at, member, timeline = cursor.fetchone()
            # PostgreSQL may give up waiting for its standby, and answers as if nothing were amiss but for a warning.
            mode = "warned" if any("synchronous replication" in notice for notice in connection.notices) else way["mode"]
            os.write(log, f"{way['source']}\t{number}\t{mode}\t{at:.6f}\t{acknowledged:.6f}\t{member}\t{timeline}\n".encode())
            last = ""
        except (psycopg2.Error, Away, OSError) as error:
            text = str(error).strip().split("\n")[0]
            if text != last:
                os.write(troubles, f"{time.time():.3f} {way['source']}: {text}\n".encode())
                last = text
            # A standby that is asked itself says no to each row, and may be the primary by the next.
            if connection and (connection.closed or not way["direct"] or "read-only" not in text):
                connection.close()
                connection = None
        time.sleep(way["interval"])


for way in told["ways"]:
    threading.Thread(target=write, args=(way,), daemon=True).start()
sys.stdin.read()
# What hangs is not waited for.
os._exit(0)
