# Runs in a client's container: inserts rows into the table through the proxy on PGHOST, and prints each that was acknowledged, until standard input ends.
import sys
import threading
import time

import psycopg2

table, prefix = sys.argv[1:]
done = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), done.set()), daemon=True).start()
connection, row = None, 0
while not done.is_set():
    key, row = f"{prefix}-{row}", row + 1
    try:
        if connection is None:
            connection = psycopg2.connect("", connect_timeout=2, keepalives_idle=5, keepalives_interval=2, keepalives_count=2, tcp_user_timeout=4000)
            connection.autocommit = True
        connection.cursor().execute(f"insert into {table} values (%s)", (key,))
        print(key, flush=True)
    except psycopg2.Error:
        if connection:
            connection.close()
        connection = None
    time.sleep(0.03)
