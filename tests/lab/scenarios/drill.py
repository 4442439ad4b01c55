"""Drills pass on good backups; a flipped byte, a missing WAL segment and an overrun slot are found, named, and mended by the next backup."""

import json

from lab.restored import wait_for_backup

CLUSTER = "app"
BARMAN = "db3"
HOME = "/var/containerops/data/barman/app"
REPORTS = "/var/containerops/data/barman_reports"
SCRATCH = "/var/containerops/data/barman_scratch"
FLIP = """import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 0xFF]))"""


def run(lab):
    host = lab.hosts[BARMAN]
    lab.description["barman_servers"]["barman"]["sources"][0]["drill"] = {"schedule": "0 5 * * 0"}
    said = lab.apply()
    lab.expect("start     drill-app.timer" in said[BARMAN], f"the timer was not started:\n{said[BARMAN]}")
    lab.expect("Nothing to do" in lab.activate(BARMAN).stdout, "a timer leaves `activate` something to do each time")
    lab.sql("db1", "drop table if exists drilled; create table drilled as select id, md5(id::text) as text from generate_series(1, 100000) as id;"
            "alter table drilled add primary key (id)")
    wait_for_backup(lab)
    backup(lab)
    good = passes(lab)
    flipped_byte(lab, good)
    missing_segment(lab)
    stopped_barman(lab)
    overrun_slot(lab)
    lab.sql("db1", "drop table drilled")
    lab.wait_whole(BARMAN)


def backup(lab):
    """A full backup by hand, and a canary after it. The scenario before may have left Barman without a stream for a moment."""
    lab.wait_until("Barman streams", lambda: lab.sql("db1", "select active from pg_replication_slots where slot_name = 'barman'") == "t", 180, every=1)
    lab.hosts[BARMAN].run("barman", "backup", "--wait", CLUSTER, timeout=600)
    alarm(lab, 0, "nothing is wrong", seconds=300)


def drill(lab, result):
    """Runs the unit, and returns its report."""
    host = lab.hosts[BARMAN]
    host.run("systemctl", "start", "drill-app.service", check=False, timeout=900)
    report = json.loads(host.read(f"{REPORTS}/drill-app.json"))
    state = host.output("systemctl", "is-failed", "drill-app.service", check=False)
    text = host.read(f"{REPORTS}/drill-app.txt")
    lab.expect(report["result"] == result and (state == "failed") == (result == "failed"), f"the drill {report['result']}, its unit is {state}:\n{text}")
    left = host.output("sh", "-c", f"ls -A {SCRATCH}")
    lab.expect(not left, f"the drill left {left}")
    return report


def problems(report):
    return [f"{problem['kind']}: {problem['text']}" for restore in report["restores"] for problem in restore["problems"]]


def alarm(lab, status, text, seconds=60):
    """Waits until the check's unit ends so, and says that."""
    host = lab.hosts[BARMAN]

    def says():
        done = host.run("/etc/containerops/bin/backup-check", CLUSTER, check=False)
        said = done.stdout + done.stderr
        return done.returncode == status and text in said

    lab.wait_until(f"the check says {text!r}", says, seconds, every=2)
    host.run("systemctl", "start", "backup-check-app.service", check=False)
    state = host.output("systemctl", "is-failed", "backup-check-app.service", check=False)
    lab.expect((state == "failed") == (status == 1), f"the unit of the check is {state} when it says {text!r}")


def passes(lab):
    report = drill(lab, "passed")
    for restore in report["restores"]:
        what = restore["point"]
        lab.measure(f"drill, {what}: restored", restore["restore_seconds"], "s")
        lab.measure(f"drill, {what}: recovered", restore["recovery_seconds"], "s")
        lab.measure(f"drill, {what}: looked through", restore["check_seconds"], "s")
        if "lost_seconds" in restore:
            lab.measure(f"drill, {what}: lost", restore["lost_seconds"], "s")
    lab.measure("drill in all", report["seconds"], "s")
    metric = lab.hosts[BARMAN].read(f"{REPORTS}/drill-app.prom")
    lab.expect('containerops_drill_ok{cluster="app"} 1' in metric, metric)
    return report


def flipped_byte(lab, good):
    """The report names the file; the last good drill stays known."""
    host = lab.hosts[BARMAN]
    node = lab.sql("db1", "select pg_relation_filepath('drilled')")
    newest = host.output("sh", "-c", f"ls {HOME}/base | sort | tail -n 1")
    flip = ["python3", "-c", FLIP, f"{HOME}/base/{newest}/data/{node}", 8192 * 3 + 4000]
    host.run(*flip)
    report = drill(lab, "failed")
    lab.expect(any(node in problem for problem in problems(report)), f"nothing names {node}: {problems(report)}")
    lab.expect(report["last_success"] == good["last_success"], "the last good drill was forgotten")
    host.run(*flip)


def missing_segment(lab):
    """A segment since the newest backup is gone: check and drill name it."""
    host = lab.hosts[BARMAN]
    find = f"find {HOME}/wals -type f -regextype posix-extended -regex '.*/[0-9A-F]{{24}}' | sort | tail -n 1"
    close = ["barman", "switch-wal", "--force", "--archive", "--archive-timeout", "60", CLUSTER]
    host.run(*close)
    segment = host.output("sh", "-c", find)
    # Something has to come after it.
    host.run(*close)
    host.run("mv", segment, "/root/segment")
    name = segment.rpartition("/")[2]
    alarm(lab, 1, name)
    report = drill(lab, "failed")
    lab.expect(any(name in problem for problem in problems(report)), f"nothing names {name}: {problems(report)}")
    host.run("mv", "/root/segment", segment)
    alarm(lab, 0, "nothing is wrong")
    drill(lab, "passed")


def stopped_barman(lab):
    """Barman does not run, or only for a second at a time."""
    host = lab.hosts[BARMAN]
    host.run("systemctl", "stop", "barman-main.service")
    alarm(lab, 1, "does not run")
    # It runs for a moment, again and again: always too young to be judged by its stream.
    place = "/etc/containers/systemd/barman-main.container.d/loop.conf"
    host.write(place, "[Container]\nEntrypoint=[\"sleep\",\"1\"]\nExec=\n")
    host.run("sh", "-c", "systemctl daemon-reload && systemctl start barman-main.service")
    alarm(lab, 1, "barman-main.service does not stay up")
    host.run("sh", "-c", f"rm -r {place.rpartition('/')[0]} && systemctl daemon-reload && systemctl restart barman-main.service")
    alarm(lab, 0, "its stream is not judged yet")


def overrun_slot(lab):
    """Barman is away while more is written than its slot may keep. Its stream begins anew by itself; the hole stays until the next full backup."""
    host = lab.hosts[BARMAN]
    parameters = lab.description["patroni_clusters"][CLUSTER]["postgres_config"]["parameters"]
    parameters["max_slot_wal_keep_size"] = "64MB"
    lab.apply()
    primary = lab.leader()
    lab.wait_until("a small max_slot_wal_keep_size", lambda: lab.on_member(primary, "show max_slot_wal_keep_size") == "64MB", 30)
    host.run("systemctl", "stop", "barman-main.service")
    # No slot is lost before `wal_keep_size` is written, 64 segments.
    for _ in range(8):
        lab.close_segments(primary, 16)
        lab.wait_healthy()
        lab.on_member(primary, "checkpoint")
        if lab.on_member(primary, "select wal_status from pg_replication_slots where slot_name = 'barman'") == "lost":
            break
    else:
        lab.expect(False, "the slot can't be overrun")
    host.run("systemctl", "start", "barman-main.service")
    alarm(lab, 1, "WAL segments are missing", seconds=300)
    journal = host.output("journalctl", "--no-pager", "-o", "cat", "-u", "barman-main.service", "-n", "500")
    lab.expect("the slot of app was overrun" in journal, "Barman's log doesn't say that the slot was overrun")
    lab.expect(any("wal: " in problem for problem in problems(drill(lab, "failed"))), "the drill doesn't say that WAL is missing")
    streams = ["replication slot: OK", "receive-wal running: OK"]
    lab.wait_until("the stream begins anew", lambda: all(line in host.output("barman", "check", CLUSTER, check=False) for line in streams), 240, every=2)
    backup(lab)
    report = drill(lab, "passed")
    lab.expect(report["notes"], "the report doesn't note what can't be restored any more")
    del parameters["max_slot_wal_keep_size"]
    lab.apply()
