"""5432 reaches only the primary; 5433 replicas, and backup replicas only when no other is left; 5434 any; metrics answer."""

SERVERS = """
import collections, psycopg2, sys
seen = collections.Counter()
for _ in range(12):
    connection = psycopg2.connect("", port=int(sys.argv[1]), connect_timeout=3)
    cursor = connection.cursor()
    cursor.execute("select host(inet_server_addr()), pg_is_in_recovery()")
    address, in_recovery = cursor.fetchone()
    seen[address + (" replica" if in_recovery else " primary")] += 1
    connection.close()
print(" ".join(sorted(key.replace(" ", "=") for key in seen)))
"""


def run(lab):
    address_of = {endpoint["host"]: endpoint["address"] for name, endpoint in lab.endpoints().items() if name.endswith(".app.example.internal")}
    leader = lab.leader()
    replica = "db2" if leader == "db1" else "db1"
    primary, standby, backup = f"{address_of[leader]}=primary", f"{address_of[replica]}=replica", f"{address_of['db3']}=replica"

    def reached(host, port):
        return set(lab.hosts[host].output("podman", "exec", f"client-{host}-main", "python3", "-c", SERVERS, port).split())

    for host in lab.hosts:
        for port, wanted in [(5432, {primary}), (5433, {standby}), (5434, {primary, standby})]:
            got = reached(host, port)
            lab.expect(got == wanted, f"port {port} on {host} reached {got}, not {wanted}")

    lab.hosts[replica].run("systemctl", "stop", "patroni-app-main.service")
    try:
        _, seconds = lab.wait_until("5433 turns to the backup replica", lambda: reached("db3", 5433) == {backup}, 30)
        lab.measure("5433 turned to the backup replica after", seconds, "s")
        for host in lab.hosts:
            lab.expect(reached(host, 5432) == {primary}, f"5432 on {host} left the primary")
    finally:
        lab.hosts[replica].run("systemctl", "start", "patroni-app-main.service")
    lab.wait_healthy()
    lab.wait_until("5433 is back at the replica", lambda: reached("db3", 5433) == {standby}, 30)

    fetch = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=3).read().decode())"
    for host in lab.hosts:
        metrics = lab.in_pod(host, "proxy-app", "python3", "-c", fetch, "http://127.0.0.1:7000/metrics").stdout
        up = [line for line in metrics.splitlines() if line.startswith("haproxy_server_status") and 'state="UP"} 1' in line]
        lab.expect(any(f'server="{leader}' in line or leader in line for line in up), f"{host}'s metrics don't show {leader} up")
