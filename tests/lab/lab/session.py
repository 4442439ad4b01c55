# Runs in a client's container: holds one session through the proxy on PGHOST. For each line on standard input it runs `select 1` in it and
# answers `ok`; the session's end is told at once, as `ended: WHY`, whether anybody asks or not.
import select
import sys

import psycopg2

connection = psycopg2.connect("", port=int(sys.argv[1]), connect_timeout=5)
connection.autocommit = True
cursor = connection.cursor()
print("open", flush=True)
while True:
    readable, _, _ = select.select([sys.stdin, connection], [], [])
    try:
        if connection in readable:
            connection.poll()
        if sys.stdin in readable:
            if not sys.stdin.readline():
                break
            cursor.execute("select 1")
            print("ok", flush=True)
    except psycopg2.Error as error:
        print(f"ended: {str(error).strip().splitlines()[0]}", flush=True)
        break
