# Runs in a client's container: WRITERS threads insert rows through the proxy on PGHOST until standard input ends. Then every row that was
# acknowledged is looked for, and an account is printed as JSON. A line on standard input starts the counting of gaps anew.
import json
import os
import sys
import threading
import time

import psycopg2

writers, port = int(sys.argv[1]), int(sys.argv[2])
# A client that finds out for itself when its server is gone: without the timeouts, TCP waits for minutes.
options = dict(port=port, connect_timeout=2, keepalives_idle=5, keepalives_interval=2, keepalives_count=2, tcp_user_timeout=4000)
table = f"load_{os.getpid()}_{int(time.time() * 1000)}"
done = threading.Event()
lock = threading.Lock()
acknowledged, latencies, errors = [], [], {}
seen = {"last": time.time(), "gap": 0.0, "at": 0.0}


def connect():
    connection = psycopg2.connect("", **options)
    connection.autocommit = True
    return connection


def until_it_works(action):
    while True:
        try:
            return action()
        except psycopg2.Error:
            time.sleep(0.3)


def write(number):
    connection, row = None, 0
    while not done.is_set():
        key, row = f"{number}-{row}", row + 1
        try:
            connection = connection or connect()
            start = time.time()
            connection.cursor().execute(f"insert into {table} values (%s)", (key,))
            now = time.time()
            with lock:
                acknowledged.append(key)
                latencies.append(now - start)
                if now - seen["last"] > seen["gap"]:
                    seen.update(gap=now - seen["last"], at=seen["last"])
                seen["last"] = max(seen["last"], now)
        except psycopg2.Error as error:
            with lock:
                text = str(error).strip().split("\n")[0][:120]
                errors[text] = errors.get(text, 0) + 1
            if connection:
                connection.close()
            connection = None
            time.sleep(0.05)
        # A steady load, beside which the hosts have cores left for what is tried.
        time.sleep(0.02)


until_it_works(lambda: connect().cursor().execute(f"create table {table} (k text primary key, at timestamptz default clock_timestamp())"))
seen["last"] = time.time()
threads = [threading.Thread(target=write, args=(number,), daemon=True) for number in range(writers)]
for thread in threads:
    thread.start()
print("writing", flush=True)
for line in sys.stdin:
    with lock:
        seen.update(gap=0.0, last=time.time())
with lock:
    # Silence up to the end counts as well.
    if time.time() - seen["last"] > seen["gap"]:
        seen.update(gap=time.time() - seen["last"], at=seen["last"])
done.set()
for thread in threads:
    thread.join(15)


def rows():
    cursor = connect().cursor()
    cursor.execute(f"select k from {table}")
    return {row[0] for row in cursor.fetchall()}


present = until_it_works(rows)
latencies.sort()
print(json.dumps({
    "acknowledged": len(acknowledged), "lost": len(set(acknowledged) - present), "gap": seen["gap"], "gap_at": seen["at"],
    "p50": latencies[len(latencies) // 2] if latencies else 0.0, "p99": latencies[len(latencies) * 99 // 100] if latencies else 0.0, "errors": errors,
}))
