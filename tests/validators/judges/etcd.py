"""The members of each etcd cluster, started with the environment that podman would give them, elect a leader."""

import itertools
import json
import subprocess
import time
from pathlib import Path
from urllib.parse import urlsplit

import quadlet
from bundle import output, run
from podman import read_environment, read_options

PROVES = "etcd knows every ETCD_* variable, and the members of a cluster start together and elect a leader"
WEIGHT = 10
DEADLINE = 20
LINKS = itertools.count()


def judge(tree, verdict):
    clusters = {}
    with quadlet.Recorder() as recorder:
        for host in tree.hosts:
            services, _ = quadlet.generate(quadlet.suiting(tree, host), host)
            for name, calls in recorder.record({n: t for n, t in services.items() if "ETCD_" in t}).items():
                argv = next(call.argv for call in calls if call.key == "ExecStart")
                options, rest = read_options(argv[1:])
                variables = read_variables(host, options, verdict)
                if "ETCD_NAME" in variables:
                    path = host.quadlet / name.replace(".service", ".container")
                    verdict.judged(path)
                    clusters.setdefault(name, []).append((path, variables, rest[1:]))
    run(["ip", "link", "add", "overlay", "type", "bridge"]).check_returncode()
    run(["ip", "link", "set", "overlay", "up"])
    Path("/run/netns").mkdir(exist_ok=True)
    for name, members in clusters.items():
        judge_cluster(name, members, verdict)


def read_variables(host, options, verdict):
    """What podman would give the member: from its files, and above that from its command line."""
    found = {}
    for file in (host.rootfs / value.lstrip("/") for option, value in options if option == "--env-file"):
        verdict.judged(file)
        found |= read_environment(file)
    return found | dict(value.split("=", 1) for option, value in options if option == "--env")


def judge_cluster(name, members, verdict):
    """Members of a new cluster start together; one that joins is added to them first, as the runbook says."""
    members = sorted(members, key=lambda member: member[1].get("ETCD_INITIAL_CLUSTER_STATE") == "existing")
    joining = {v["ETCD_NAME"] for _, v, _ in members if v.get("ETCD_INITIAL_CLUSTER_STATE") == "existing"}
    client = ["ip", "netns", "exec", f"{name}-0", "etcdctl", "--command-timeout=3s"]
    started = []
    for index, (path, variables, arguments) in enumerate(members):
        if variables["ETCD_NAME"] in joining:
            add_member(client, started, (path, variables, verdict))
        elif joining:
            before = [peer for peer in variables["ETCD_INITIAL_CLUSTER"].split(",") if peer.partition("=")[0] not in joining]
            variables = variables | {"ETCD_INITIAL_CLUSTER": ",".join(before)}
        started.append(start(index, name, (path, variables, arguments)))
    judge_started((members, started), (client, verdict))


def wait_for_health(client, started):
    deadline = time.monotonic() + DEADLINE
    while True:
        health = run([*client, "endpoint", "health", "--cluster"])
        healthy = health.returncode == 0 and output(health).count("is healthy") >= len(started)
        if healthy or time.monotonic() > deadline or any(p.poll() is not None for p, _ in started):
            return health
        time.sleep(0.2)


def add_member(client, started, joining):
    path, variables, verdict = joining
    wait_for_health(client, started)
    deadline = time.monotonic() + DEADLINE
    while True:
        added = run([*client, "member", "add", variables["ETCD_NAME"], f"--peer-urls={variables['ETCD_INITIAL_ADVERTISE_PEER_URLS']}"])
        # It takes members in only when the others have been connected for five seconds.
        if added.returncode == 0 or "unhealthy cluster" not in output(added) or time.monotonic() > deadline:
            break
        time.sleep(0.5)
    if added.returncode:
        verdict.problem(path, f"member add: {output(added)}")


def judge_started(members_and_started, client_and_verdict):
    (members, started), (client, verdict) = members_and_started, client_and_verdict
    expected = members[0][1].get("ETCD_INITIAL_CLUSTER", "").count("=") or 1
    verdict.differs(members[0][0], "members in ETCD_INITIAL_CLUSTER", len(members), expected)
    health = wait_for_health(client, started)
    if health.returncode:
        verdict.problem(members[0][0], f"the members did not become healthy together: {output(health)}")
    else:
        status = json.loads(run([*client, "endpoint", "status", "--cluster", "-w", "json"]).stdout)
        verdict.differs(members[0][0], "leaders", 1, len({s["Status"]["leader"] for s in status}))
        verdict.differs(members[0][0], "members that answer", len(members), len(status))
    for (process, log), (path, _, _) in zip(started, members):
        if process.poll() is not None:
            verdict.problem(path, f"etcd ended:\n{log.read_text()[-1500:]}")
        process.kill()
        process.wait()
        judge_log(path, log, verdict)


def judge_log(path, log, verdict):
    for line in log.read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {"level": "warn", "msg": line}
        if "environment" in entry.get("msg", "") and entry["level"] != "info":
            verdict.problem(path, f"{entry['msg']}: {entry.get('environment-variable', '')}")
        elif entry["level"] in ("error", "panic", "fatal") and "rafthttp" not in entry.get("caller", ""):
            verdict.problem(path, line)


def start(index, name, member):
    """One member in a network namespace of its own, on a bridge with the others, at its overlay address."""
    _, variables, arguments = member
    space = f"{name}-{index}"
    address = urlsplit(variables["ETCD_INITIAL_ADVERTISE_PEER_URLS"]).hostname
    link = f"e{next(LINKS)}"
    for argv in (
        ["ip", "netns", "add", space],
        ["ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", space],
        ["ip", "link", "set", link, "master", "overlay", "up"],
        ["ip", "-n", space, "link", "set", "lo", "up"],
        ["ip", "-n", space, "address", "add", f"{address}/8", "dev", "eth0"],
        ["ip", "-n", space, "link", "set", "eth0", "up"],
    ):
        run(argv).check_returncode()
    data = Path("/tmp/etcd") / space
    data.mkdir(parents=True)
    log = data / "log"
    env = variables | {"PATH": "/usr/bin:/usr/sbin:/bin", "ETCD_DATA_DIR": str(data / "data")}
    process = subprocess.Popen(["ip", "netns", "exec", space, "etcd", *arguments], env=env, stdout=log.open("w"), stderr=subprocess.STDOUT)
    return process, log
