# Runs in a Patroni container as the superuser, over the local socket: tries a write of its own every 50 ms, one that waits for no standby,
# until standard input ends; then prints as JSON when each that succeeded was begun and done.
import json
import sys
import threading
import time

import psycopg2

done = threading.Event()
succeeded = []


def write():
    connection = None
    while not done.is_set():
        start = time.time()
        try:
            if connection is None:
                connection = psycopg2.connect("host=/run/postgresql user=postgres dbname=postgres connect_timeout=1 options='-c synchronous_commit=local -c statement_timeout=1000'")
                connection.autocommit = True
            connection.cursor().execute("select pg_logical_emit_message(true, 'lab', 'a write')")
            succeeded.append((start, time.time()))
        except psycopg2.Error:
            if connection:
                connection.close()
            connection = None
        time.sleep(0.05)


thread = threading.Thread(target=write, daemon=True)
thread.start()
print("trying", flush=True)
sys.stdin.read()
done.set()
thread.join(5)
print(json.dumps(succeeded))
