"""What a changed description does to a running platform: reloads where reloads will do, restarts one by one where not, nothing else."""

import random
import time

_LISTEN = "import socket; s = socket.create_server(('', 9999)); c, _ = s.accept(); c.sendall(b'hello'); c.close()"
_REACH = "import socket, sys; print(socket.create_connection((sys.argv[1], 9999), 3).recv(9).decode())"


def run(lab):
    reload_proxy(lab)
    reload_firewall(lab)
    set_parameters(lab)
    roll_members(lab)
    add_and_remove(lab)
    find_restart_loop(lab)
    finish_what_was_killed(lab)


def reload_proxy(lab):
    """A session outlives the reload, and ends soon when its primary's host is gone, though no worker checks its server any more."""
    before = {host: containers(lab, host) for host in lab.hosts}
    session = lab.session("db3")
    lab.description["patroni_clusters"]["app"]["proxy_drain_timeout"] = 3600
    start = time.monotonic()
    said = lab.apply()
    lab.measure("three hosts rendered, delivered, activated: proxies reloaded", time.monotonic() - start, "s")
    for host, text in said.items():
        lab.expect(actions(text) == {"install", "reload"}, f"a proxy's parameter did more than reload on {host}:\n{text}")
        lab.expect(containers(lab, host) == before[host], f"a proxy's parameter restarted a container on {host}")
    time.sleep(120 if lab.is_full else 20)
    lab.expect(session.works(), "the session from before the reload is dead")
    leader = lab.leader()
    start = time.monotonic()
    lab.hosts[leader].cut_power()
    lab.wait_until("the old worker's session ends", lambda: session.ended, 60)
    lab.measure("session of a replaced worker ends after its primary's power cut", session.ended - start, "s")
    lab.expect(session.ended - start < 10, "the session of a replaced worker outlived its primary by 10 s")
    lab.hosts[leader].boot()
    lab.hosts[leader].wait()
    lab.wait_healthy()


def reload_firewall(lab):
    """A rule reaches Nebula on both ends, and nothing restarts."""
    before = {host: containers(lab, host) for host in lab.hosts}
    address = lab.endpoints()["client-db1.example.internal"]["address"]

    def reach():
        listener = lab.start_in_pod("db1", "client-db1", "timeout", "10", "python3", "-c", _LISTEN)
        time.sleep(0.5)
        answer = lab.hosts["db2"].run("python3", "-c", _REACH, address, check=False).stdout.strip()
        listener.kill()
        return answer == "hello"

    lab.expect(not reach(), "a port is open that no rule opens")
    lab.description["pods"]["client-db1"]["firewall"] = {"inbound": [{"port": "9999", "group": "admin"}]}
    lab.description["hosts"]["db2"]["endpoints"]["internal"]["firewall"] = {"outbound": [{"port": "9999", "host": "client-db1.example.internal"}]}
    lab.apply()
    lab.wait_until("the new rule lets the port through", reach, 20)
    lab.expect({host: containers(lab, host) for host in lab.hosts} == before, "a firewall rule restarted a container")


def set_parameters(lab):
    """A reloadable parameter is there at once; one that takes a restart is in the cluster and waits for --roll."""
    parameters = lab.description["patroni_clusters"]["app"]["postgres_config"]["parameters"]
    parameters["work_mem"] = "7MB"
    lab.apply()
    for host in lab.hosts:
        lab.wait_until(f"work_mem on {host}", lambda host=host: lab.on_member(host, "show work_mem", check=False) == "7MB", 20)
    parameters["max_connections"] = 210
    lab.apply(status=3)
    lab.expect(lab.on_member(lab.leader(), "show max_connections") == "200", "a parameter restarted PostgreSQL unasked")
    roll(lab, "max_connections")
    for host in lab.hosts:
        lab.expect(lab.on_member(host, "show max_connections", check=False) == "210", f"max_connections did not reach {host}")


def roll_members(lab):
    """Changed units of database and etcd members wait for --roll, which restarts them one by one."""
    lab.description.setdefault("overrides", {}).update(
        {f"{unit}-main.container": {"Service": {"TimeoutStartSec": "901"}} for unit in ["patroni-app", "etcd-main"]})
    before = {host: containers(lab, host) for host in lab.hosts}
    lab.apply(status=3)
    lab.expect({host: containers(lab, host) for host in lab.hosts} == before, "members were restarted unasked")
    roll(lab, "changed units of members")
    for host in lab.hosts:
        now = containers(lab, host)
        kept = {name for name in before[host] if now[name] == before[host][name]}
        lab.expect(kept == before[host].keys() - {"patroni-app-main", "etcd-main-main"}, f"on {host} these were kept: {kept}")


def roll(lab, what):
    """Rolls every host under a write load: no row is lost, the gap is a switchover's."""
    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        start = time.monotonic()
        lab.activate_each("--roll")
        lab.measure(f"{what}: three hosts rolled", time.monotonic() - start, "s")
        time.sleep(2)
    lab.measure(f"{what}: gap in writes", load.account.gap, "s")
    lab.expect(load.account.lost == 0, f"{load.account.lost} acknowledged rows are gone")
    lab.expect(load.account.gap < 15, f"writes paused for {load.account.gap:.1f} s")
    for host, text in lab.activate_each().items():
        lab.expect("Nothing to do" in text, f"{host} was left with something to do:\n{text}")


def add_and_remove(lab):
    """A cluster and its client come beside the others, and go; their data stays."""
    before = {host: containers(lab, host) for host in lab.hosts}
    kept = {name: lab.description[name].copy() for name in ["patroni_clusters", "pods"]}
    cluster = {**kept["patroni_clusters"]["app"], "members": ["db2", "db3"], "proxies": ["db1"], "client_groups": ["two-client"]}
    for name in ["read_replicas", "backup_replicas", "barman_secret"]:
        del cluster[name]
    lab.description["patroni_clusters"]["app-two"] = cluster
    client = {**kept["pods"]["client-db1"], "host": "db1", "groups": ["two-client"], "uses": ["app-two"]}
    main = {**client["containers"]["main"], "volumes": [{"name": "notes", "mount": "/notes", "mode": "0777"}]}
    lab.description["pods"]["two"] = {**client, "containers": {"main": main}, "firewall": {}}
    start = time.monotonic()
    lab.apply()
    ask = ["podman", "exec", "two-main", "psql", "-XAtc", "create table t as select 1; select pg_is_in_recovery()"]
    lab.wait_until("the new cluster takes writes", lambda: lab.hosts["db1"].output(*ask, check=False).endswith("f"), 120)
    lab.measure("a second cluster: rendered, delivered, activated, first write", time.monotonic() - start, "s")
    lab.hosts["db1"].run("podman", "exec", "two-main", "sh", "-c", "echo kept >/notes/a")
    for host in lab.hosts:
        now = containers(lab, host)
        lab.expect({name: now.get(name) for name in before[host]} == before[host], f"a new cluster restarted what ran on {host}")

    lab.description.update(kept)
    lab.apply()
    for host in lab.hosts:
        lab.expect(containers(lab, host) == before[host], f"{host} does not run what it ran before: {containers(lab, host).keys()}")
        left = lab.hosts[host].output("sh", "-c", "ls /etc/containers/systemd /etc/containerops | grep -E '(^|-)two'", check=False)
        lab.expect(not left, f"removed files stayed on {host}: {left}")
    lab.expect(lab.hosts["db1"].read("/var/containerops/data/pods/two/notes/a").strip() == "kept", "a removed pod took its data along")
    lab.hosts["db2"].run("test", "-s", "/var/containerops/data/patroni/app-two/data/PG_VERSION")


def find_restart_loop(lab):
    """A program that ends again and again is named by the run that starts it, and by one that has nothing to do. One that ended once isn't."""
    host, unit = lab.hosts["db2"], "client-db2-main.service"
    host.run("podman", "kill", "client-db2-main")
    lab.wait_until("systemd has restarted it", lambda: host.output("systemctl", "show", "--property=NRestarts", "--value", unit) == "1")
    expect_nothing_to_do(lab, "db2")

    main = lab.description["pods"]["client-db2"]["containers"]["main"]
    right = main["command"]
    main["command"] = ["nonsense"]
    for what in ["starts", "is left by a run before"]:
        if what == "starts":
            lab.render()
            lab.deliver(["db2"])
        start = time.monotonic()
        done = lab.activate("db2", check=False)
        lab.measure(f"a restart loop that `activate` {what}: named after", time.monotonic() - start, "s")
        lab.expect(done.returncode == 1 and f"activate: {unit} does not stay up" in done.stderr and "Done." not in done.stdout,
                   f"a loop was not named: {done.returncode}\n{done.stdout}{done.stderr}")
    main["command"] = right
    lab.render()
    lab.deliver(["db2"])
    lab.activate("db2")
    expect_nothing_to_do(lab, "db2")


def expect_nothing_to_do(lab, host):
    text = lab.activate(host).stdout
    lab.expect("Nothing to do" in text, f"{host} was left with something to do:\n{text}")


def finish_what_was_killed(lab):
    """`activate` is killed again and again; the last run finishes the work."""
    for number in range(8 if lab.is_full else 3):
        for host in lab.hosts:
            lab.description["pods"][f"client-{host}"]["containers"]["main"]["environment"]["TURN"] = str(number)
        lab.description["patroni_clusters"]["app"]["postgres_config"]["parameters"]["work_mem"] = f"{8 + number}MB"
        lab.render()
        lab.certify()
        lab.deliver()
        for host in lab.hosts.values():
            host.run("timeout", "--signal=KILL", f"{random.uniform(0.5, 5):.2f}", "/root/bundle/activate", check=False)
    lab.activate_each()
    for host, text in lab.activate_each().items():
        lab.expect("Nothing to do" in text, f"{host} was left with something to do:\n{text}")
        turn = lab.hosts[host].output("podman", "exec", f"client-{host}-main", "printenv", "TURN")
        lab.expect(turn == str(number), f"the client on {host} runs as of turn {turn}, not {number}")
        lab.wait_until(f"work_mem on {host}", lambda host=host: lab.on_member(host, "show work_mem", check=False) == f"{8 + number}MB", 20)


def actions(text):
    """The first words of what `activate` said it would do."""
    return {line.split()[0] for line in text.splitlines() if line and not line.startswith(("Done", "applied"))}


def containers(lab, host):
    """The containers of a host and what tells one start from another."""
    answer = lab.hosts[host].output("podman", "ps", "--format", "{{.Names}} {{.ID}} {{.StartedAt}}")
    return dict(line.split(" ", 1) for line in answer.splitlines())
