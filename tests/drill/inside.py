"""The scenarios of tests/drill/run, inside the tree. Stops at the first surprise."""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

CLUSTER = "web-shop"
HOST = pathlib.Path("/repo/tests/cases/barman/expected/hosts/vault/rootfs")
BIN = "/usr/lib/postgresql/17/bin"
PRIMARY = "/srv/primary"
DATA = pathlib.Path("/var/lib/barman")
RESTORED = pathlib.Path("/var/containerops/data/barman_restored")
REPORTS = pathlib.Path("/var/containerops/data/barman_reports")
SCRATCH = pathlib.Path("/var/containerops/data/barman_scratch")
AS_USER = ["setpriv", "--reuid=5432", "--regid=5432", "--clear-groups", "env", f"HOME={DATA}", "TZ=UTC"]
DRILL = "/etc/containerops/bin/drill"
CANARY_RUNS = pathlib.Path("/srv/canary-runs")
UPSERT = "insert into barman_canary.canary values (1, clock_timestamp()) on conflict (id) do update set at = excluded.at"
STARTED = time.monotonic()


def say(text):
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def expect(is_so, *otherwise):
    if not is_so:
        sys.exit("FAILED: " + "\n".join(map(str, otherwise)))


def run(*argv, check=True, **options):
    done = subprocess.run([str(word) for word in argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options)
    expect(not check or done.returncode == 0, argv, done.stdout[-3000:])
    return done


def as_user(*argv, **options):
    return run(*AS_USER, *argv, cwd="/", **options)


def barman(*argv, **options):
    return as_user("barman", "-c", "/etc/barman/barman.conf", "-q", *argv, **options)


def sql(statement, database="postgres"):
    return as_user(f"{BIN}/psql", "-XAtq", "-h", "/tmp", "-U", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement).stdout.strip()


def pg_ctl(*argv, check=True):
    return as_user(f"{BIN}/pg_ctl", "-D", PRIMARY, "-w", "-l", "/srv/primary.log", *argv, check=check)


# ------------------------------------------------------------------------------------------------------------------ the platform


def make_accounts():
    """PostgreSQL and Barman have one uid; what asks for its name is PostgreSQL, which comes first."""
    for account in ("/etc/passwd", "/etc/group"):
        path = pathlib.Path(account)
        lines = path.read_text().splitlines()
        own = {line.split(":")[0]: line.split(":") for line in lines if line.split(":")[0] in ("postgres", "barman")}
        for fields in own.values():
            fields[2] = "5432"
            if account == "/etc/passwd":
                fields[3] = "5432"
        rest = [line for line in lines if line.split(":")[0] not in own]
        path.write_text("\n".join([":".join(own[name]) for name in ("postgres", "barman")] + rest) + "\n")


def install():
    """The rendered files of Barman's host, and Podman's stand-in."""
    shutil.copytree(HOST / "etc/containerops", "/etc/containerops", dirs_exist_ok=True)
    os.symlink("/etc/containerops/barman/main", "/etc/barman")
    # The tree has no Python module for zstd.
    for config in pathlib.Path("/etc/barman/barman.d").iterdir():
        config.write_text(config.read_text().replace("compression = zstd", "compression = gzip"))
    for line in (HOST / "etc/tmpfiles.d/containerops.conf").read_text().splitlines():
        kind, path, mode, uid, gid, *_ = [*line.split(), "", "", "", "", ""]
        if kind == "d" and path.startswith("/var/containerops"):
            pathlib.Path(path).mkdir(parents=True, exist_ok=True)
            os.chmod(path, int(mode, 8))
            os.chown(path, int(uid), int(gid))
    run("mount", "--bind", "/var/containerops/data/barman", DATA)
    shutil.copy("/repo/tests/drill/podman", "/usr/local/bin/podman")
    # What systemd says of the host's units is in a file, too.
    pathlib.Path("/usr/local/bin/systemctl").write_text("#!/bin/sh\ncat /srv/units\n")
    os.chmod("/usr/local/bin/systemctl", 0o755)
    pathlib.Path("/srv/units").touch()
    os.environ["PATH"] = f"/usr/local/bin:{os.environ['PATH']}"
    pathlib.Path("/srv/age").write_text("100000")
    secrets = pathlib.Path("/run/secrets")
    secrets.mkdir()
    (secrets / "passfile").touch(mode=0o600)
    os.chown(secrets / "passfile", 5432, 5432)


def start_primary():
    run("ip", "link", "set", "lo", "up")
    address = re.search(r"host=(\S+)", pathlib.Path(f"/etc/barman/barman.d/{CLUSTER}.conf").read_text())[1]
    run("ip", "address", "add", f"{address}/32", "dev", "lo")
    shutil.copytree("/opt/scratch-postgres/data", PRIMARY, symlinks=True)
    run("chown", "-R", "5432:5432", PRIMARY)
    os.chmod(PRIMARY, 0o700)
    pathlib.Path("/srv/primary.log").touch()
    os.chown("/srv/primary.log", 5432, 5432)
    as_user(f"{BIN}/pg_checksums", "--enable", "-D", PRIMARY)
    with open(f"{PRIMARY}/pg_hba.conf", "a", encoding="utf-8") as hba:
        hba.write("host all all all trust\nhost replication all all trust\n")
    with open(f"{PRIMARY}/postgresql.conf", "a", encoding="utf-8") as config:
        config.write("listen_addresses = '*'\nunix_socket_directories = '/tmp'\nfsync = off\nshared_buffers = 64MB\nmax_slot_wal_keep_size = 64MB\n"
                     "min_wal_size = 32MB\nmax_wal_size = 64MB\ncheckpoint_timeout = 1h\nautovacuum = off\nsynchronous_standby_names = ''\n")
    pg_ctl("start")
    for role, rights in (("barman", ""), ("streaming_barman", "replication"), ("barman_canary", "")):
        sql(f"create role {role} login {rights}")
    sql("grant pg_read_all_settings, pg_read_all_stats, pg_checkpoint to barman")
    for function in ("pg_backup_start(text, boolean)", "pg_backup_stop(boolean)", "pg_switch_wal()", "pg_create_restore_point(text)"):
        sql(f"grant execute on function {function} to barman")
    sql("create table t as select id, md5(id::text) as text from generate_series(1, 20000) as id; create index on t (text)")
    sql("select pg_create_physical_replication_slot('barman', true)")


def make_canary():
    sql("create schema barman_canary; create table barman_canary.canary (id integer primary key check (id = 1), at timestamptz not null);"
        "grant usage on schema barman_canary to barman_canary; grant select, insert, update on barman_canary.canary to barman_canary")
    keep = f"while sleep 2; do [ ! -e {CANARY_RUNS} ] || {BIN}/psql -XAtq -h /tmp -U postgres -d postgres -c \"{UPSERT}\"; done"
    subprocess.Popen([*AS_USER, "bash", "-c", keep], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    touch_canary()
    CANARY_RUNS.touch()


def touch_canary():
    sql(UPSERT)


def wait_until(what, condition, seconds=60, every=0.3):
    end = time.monotonic() + seconds
    while not (answer := condition()):
        expect(time.monotonic() < end, f"not within {seconds} s: {what}")
        time.sleep(every)
    return answer


def is_streaming():
    return sql("select active from pg_replication_slots where slot_name = 'barman'") == "t"


def start_stream():
    barman("cron", check=False)
    wait_until("WAL is streamed", is_streaming)


def let_it_catch_up():
    """So little WAL is kept here that a few segments closed at once overrun the slot: Barman's stream says where it is every ten seconds only."""
    wait_until("the stream has caught up", lambda: sql("select pg_current_wal_lsn() - restart_lsn < 32 << 20 from pg_replication_slots") == "t")


def archive_all():
    """Everything that is committed is in the archive, and something is committed since."""
    close = ["switch-wal", "--force", "--archive", "--archive-timeout", "30", CLUSTER]
    if barman(*close, check=False).returncode:
        # What the crontab does each minute, and nobody else here: a slot that is lost (again) is made anew, a stream that ended is started.
        say("WAL did not come: " + sql("select row(slot.*), row(stream.*) from pg_replication_slots as slot left join pg_stat_replication as stream on pid = active_pid"))
        print(pathlib.Path("/srv/primary.log").read_text()[-3000:])
        as_user("bash", "/etc/barman/resume-wal.sh", CLUSTER)
        start_stream()
        barman(*close)
    sql("insert into t values (0, '')")


def backup():
    archive_all()
    barman("backup", CLUSTER)
    time.sleep(2)
    archive_all()


def newest():
    return sorted((DATA / CLUSTER / "base").iterdir())[-1]


def info_of(base):
    return DATA / CLUSTER / "meta" / f"{base.name}-backup.info"


def segments():
    """Archived segments, the oldest first."""
    return sorted(path for path in (DATA / CLUSTER / "wals").glob("*/*") if re.fullmatch(r"[0-9A-F]{24}", path.name))


# ---------------------------------------------------------------------------------------------------------------- what they say


def drill(status):
    """Runs a drill, and returns its report once it is as it should be."""
    done = run(DRILL, CLUSTER, check=False)
    expect(done.returncode == status, f"the drill ended with {done.returncode}", done.stdout)
    report = json.loads((REPORTS / f"drill-{CLUSTER}.json").read_text())
    expect(report["result"] == ("failed" if status else "passed"), report)
    expect((REPORTS / f"drill-{CLUSTER}.txt").read_text() in done.stdout, "the report was not printed", done.stdout)
    expect(not list(SCRATCH.iterdir()), f"left behind: {list(SCRATCH.iterdir())}")
    ok = f'containerops_drill_ok{{cluster="{CLUSTER}"}} {1 - status}\n'
    expect(ok in (REPORTS / f"drill-{CLUSTER}.prom").read_text(), "no such metric", ok)
    expect(not [name for name in os.listdir(REPORTS) if name.startswith(".")], os.listdir(REPORTS))
    return report, done.stdout


def problems(report):
    return [f"{problem['kind']}: {problem['text']}" for restore in report["restores"] for problem in restore["problems"]]


def check(status, *patterns, nothing_else=True):
    """Runs the check: each line that it says has its pattern, in any order."""
    done = run("/etc/containerops/bin/backup-check", CLUSTER, check=False)
    lines = done.stdout.splitlines()
    expect(done.returncode == status, f"the check ended with {done.returncode}", done.stdout)
    for pattern in patterns:
        expect(any(re.search(pattern, line) for line in lines), f"nothing like {pattern}", done.stdout)
    expect(not nothing_else or len(lines) == len(patterns), "more than that", done.stdout)


def flip(path, offset):
    """Turns one byte of a file over."""
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 0xFF]))


# -------------------------------------------------------------------------------------------------------------------- scenarios


def a_new_cluster_is_waited_for():
    pathlib.Path("/srv/age").write_text("400")
    check(0, "waiting for the first backup")
    pathlib.Path("/srv/age").write_text("1000")
    check(1, "there is no backup", nothing_else=False)
    pathlib.Path("/srv/age").write_text("100000")


def an_old_backup_may_lack_the_canary():
    report, said = drill(0)
    expect(said.count("no canary in it") == 2, said)


def a_good_backup_passes():
    check(0, "nothing is wrong")
    report, said = drill(0)
    for restore in report["restores"]:
        expect(-1 < restore["lost_seconds"] < 70, restore)
        expect(restore["checksums"] == "on" and restore["canary"], restore)
    print(said)
    calls = pathlib.Path("/srv/calls").read_text()
    expect("--pull=never" in calls and "registry" not in calls, calls)
    return report


def a_flipped_byte_is_found(good):
    node = sql("select pg_relation_filepath('t')")
    file = newest() / "data" / node
    flip(file, 8192 + 5000)
    report, said = drill(1)
    print(said)
    expect(any("backup: " in line and node in line for line in problems(report)), problems(report))
    expect(any("pages: " in line and node in line for line in problems(report)), problems(report))
    expect(report["last_success"] == good["last_success"], report)
    expect(f"barman backup {CLUSTER}" in said, said)
    flip(file, 8192 + 5000)


def a_missing_segment_is_found(_):
    gone = segments()[-2]
    kept = gone.read_bytes()
    gone.unlink()
    check(1, f"1 WAL segments are missing.*{gone.name}", nothing_else=False)
    report, said = drill(1)
    print(said)
    expect(all("wal: " in line and gone.name in line for line in problems(report)) and problems(report), problems(report))
    gone.write_bytes(kept)
    os.chown(gone, 5432, 5432)
    drill(0)


def a_damaged_segment_is_found(_):
    damaged = segments()[-2]
    flip(damaged, damaged.stat().st_size // 2)
    report, _ = drill(1)
    print(problems(report))
    expect(any(damaged.name in line for line in problems(report)), problems(report))
    flip(damaged, damaged.stat().st_size // 2)


def a_broken_index_is_found(_):
    """An index that doesn't hold what its table does, as after a change of collations."""
    sql("create function twist(integer) returns integer immutable language sql as 'select $1';"
        "create table twisted as select id from generate_series(1, 100) as id; create index twisted_index on twisted (twist(id));"
        "create or replace function twist(integer) returns integer immutable language sql as 'select -$1'")
    archive_all()
    report, said = drill(1)
    print(said)
    expect(any("database: " in line and "twisted_index" in line for line in problems(report)), problems(report))
    sql("drop table twisted")
    archive_all()
    # The random second may still be one in which the index was broken.
    latest = run(DRILL, CLUSTER, check=False)
    expect("BROKEN" not in latest.stdout.partition("A random second")[0], latest.stdout)
    # From here on none is.
    old = newest()
    backup()
    shutil.rmtree(old)
    info_of(old).unlink()


def a_lack_of_space_is_said(_):
    run("mount", "-t", "tmpfs", "-o", "size=100m", "tmpfs", SCRATCH)
    report, said = drill(1)
    expect(all("space: " in line for line in problems(report)) and "MiB free" in said, said)
    run("umount", SCRATCH)


def a_killed_drill_is_cleared_away(_):
    killed = subprocess.Popen([DRILL, CLUSTER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until("something is restored", lambda: list(SCRATCH.glob("*/.latest.restoring/base")) or list(SCRATCH.glob("*/latest")))
    # The script alone, and flock above it: its container lives on, as under Podman.
    for process in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = process.read_bytes().split(b"\0")
        except OSError:
            continue
        if DRILL.encode() in words:
            os.kill(int(process.parent.name), signal.SIGKILL)
    killed.wait()
    expect(list(SCRATCH.iterdir()), "it was not killed in the middle")
    drill(0)


def two_drills_run_one_after_the_other(_):
    first = subprocess.Popen([DRILL, CLUSTER], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    time.sleep(1)
    second = run(DRILL, CLUSTER)
    expect("waiting for its end" in second.stdout, second.stdout)
    said = first.communicate()[0]
    expect(first.returncode == 0, f"the first one failed: {said}")


def a_stopped_drill_leaves_nothing(_):
    stopped = subprocess.Popen([DRILL, CLUSTER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    wait_until("something is restored", lambda: list(SCRATCH.glob("*/.latest.restoring")) or list(SCRATCH.glob("*/latest")))
    os.killpg(stopped.pid, signal.SIGTERM)
    stopped.wait()
    wait_until("nothing is left", lambda: not list(SCRATCH.iterdir()), 30)


def what_is_wrong_is_said(_):
    pathlib.Path("/srv/age").write_text("20")
    barman("receive-wal", "--stop", CLUSTER)
    wait_until("the stream has ended", lambda: not is_streaming())
    check(0, "its stream is not judged yet")
    pathlib.Path("/srv/units").write_text(f"Id=barman-main.service\nActiveState=active\nNRestarts=5\nActiveEnterTimestamp=@{time.time() - 20:.0f}\n")
    check(1, "barman-main.service does not stay up")
    metrics = (REPORTS / f"backup-{CLUSTER}.prom").read_text()
    expect(f'containerops_backup_ok{{cluster="{CLUSTER}"}} 0' in metrics, metrics)
    pathlib.Path("/srv/barman-is-down").touch()
    check(1, "Barman's container does not run", "barman-main.service does not stay up")
    pathlib.Path("/srv/barman-is-down").unlink()
    pathlib.Path("/srv/units").write_text("")
    pathlib.Path("/srv/age").write_text("100000")
    check(1, "the WAL stream does not run")
    start_stream()
    CANARY_RUNS.unlink()
    time.sleep(1)
    sql("update barman_canary.canary set at = at - interval '10 minutes'")
    check(1, "the canary, .* is 10 minutes old")
    CANARY_RUNS.touch()
    touch_canary()
    pathlib.Path("/srv/barman-is-down").touch()
    check(1, "Barman's container does not run")
    pathlib.Path("/srv/barman-is-down").unlink()
    pg_ctl("stop", "-m", "immediate")
    check(1, "can't be reached through its proxy")
    pg_ctl("start")
    info = info_of(newest())
    kept = info.read_text()
    info.write_text(re.sub(r"(?m)^(end_time=)20\d\d", r"\g<1>2020", kept))
    start_stream()
    check(1, "the newest backup, .* ended \\d+ days ago", nothing_else=False)
    info.write_text(kept)
    check(0, "nothing is wrong")


def an_overrun_slot_is_said_and_mended(_):
    barman("receive-wal", "--stop", CLUSTER)
    wait_until("the stream has ended", lambda: not is_streaming())
    check(1, "the WAL stream does not run")
    for _ in range(8):
        sql("insert into t select id, md5(id::text) from generate_series(1, 60000) as id; select pg_switch_wal(); checkpoint")
    expect(sql("select wal_status from pg_replication_slots") == "lost", "the slot is not lost")
    check(1, "slot barman was overrun", "the WAL stream does not run", nothing_else=False)
    # Patroni makes the slot anew.
    patroni = subprocess.Popen(["bash", "-c", f"for _ in {{1..600}}; do sleep 0.5; {BIN}/psql -XAtq -h /tmp -U postgres -d postgres -c \"select "
                                "pg_create_physical_replication_slot('barman', true) where not exists (select from pg_replication_slots)\"; done"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    as_user("bash", "/etc/barman/resume-wal.sh", CLUSTER)
    start_stream()
    archive_all()
    check(1, "WAL segments are missing", nothing_else=False)
    report, said = drill(1)
    expect(all("wal: " in line for line in problems(report)), problems(report))
    backup()
    # So little is kept here that the stream is soon behind.
    wait_until("the stream has caught up", lambda: sql("select wal_status from pg_replication_slots") in ("reserved", "extended"))
    check(0, "nothing is wrong")
    report, said = drill(0)
    print(said)
    expect(report["notes"], report)
    patroni.kill()
    # What came behind the hole is found too.
    since = sql("select clock_timestamp()")
    xid = sql("create table gone as select 1; begin; select txid_current(); drop table gone; commit").splitlines()[0]
    archive_all()
    drops = as_user("python3", "/etc/barman/drops.py", CLUSTER, "--since", since).stdout
    expect(f"xid {xid} " in drops, drops)
    as_user("python3", "/etc/barman/restore.py", CLUSTER, "behind", "--target-xid", xid)
    said = as_user("python3", "/etc/barman/restore.py", CLUSTER).stdout
    expect("missing: WAL segment" in said and said.count("any moment from") == 2, said)


def a_backup_before_a_failover_is_finished(_):
    """Its last segment comes on the next timeline only, which Barman by itself never finds out."""
    archive_all()
    barman("backup", CLUSTER)
    info = info_of(newest())

    def status():
        return re.search(r"(?m)^status=(.*)$", info.read_text())[1]

    def counted():
        said = as_user("barman", "-c", "/etc/barman/barman.conf", "check", CLUSTER, check=False).stdout
        return int(re.search(r"minimum redundancy requirements: .*\(have (\d+) backups", said)[1])

    pg_ctl("stop", "-m", "fast")
    as_user("touch", f"{PRIMARY}/standby.signal")
    pg_ctl("start")
    pg_ctl("promote")
    start_stream()
    archive_all()
    barman("check-backup", CLUSTER, newest().name)
    expect(status() == "WAITING_FOR_WALS", f"{status()}: Barman finished it by itself, so this proves nothing")
    before = counted()
    kept = info.read_text()
    info.write_text(re.sub(r"(?m)^(end_time=20\d\d)", lambda it: f"end_time={int(it[1][-4:]) - 1}", kept))
    check(1, "still waits for WAL segment", "ended .* ago", nothing_else=False)
    info.write_text(kept)
    as_user("/etc/barman/finish-backups.py", CLUSTER)
    expect(status() == "DONE", info.read_text())
    expect(counted() == before + 1, f"Barman counts {counted()} backups, not {before + 1}")
    check(0, "nothing is wrong")
    drill(0)


def a_backup_that_is_broken_off_is_made_again(_):
    """By a power cut, and when its copy fails, which Barman notes; nothing of it is left."""
    backup_script = "/etc/barman/backup.sh"

    def infos():
        return {path: re.search(r"(?m)^status=(.*)$", path.read_text())[1] for path in (DATA / CLUSTER / "meta").glob("*-backup.info")}

    for status in ("STARTED", "FAILED"):
        let_it_catch_up()
        time.sleep(1.1)  # A backup is named after its second.
        kept = set(infos())
        script = subprocess.Popen([*AS_USER, backup_script, CLUSTER], start_new_session=True)
        broken = wait_until("a backup is under way", lambda kept=kept: next((path for path, it in infos().items() if it == "STARTED" and path not in kept), None), every=0.01)
        if status == "FAILED":
            wait_until("its copy fails", lambda: run("pkill", "-TERM", "-x", "pg_basebackup", check=False).returncode == 0, every=0.01)
            wait_until("Barman notes that", lambda broken=broken: infos()[broken] == "FAILED", every=0.1)
        os.killpg(script.pid, signal.SIGKILL)
        script.wait()
        wait_until("it has ended", lambda: run("pgrep", "-f", f"barman.* backup {CLUSTER}|pg_basebackup", check=False).returncode, every=0.1)
        expect(infos()[broken] == status, f"{broken} says {infos()[broken]}: it was not broken off as it should be")
        if status == "FAILED":
            check(1, "failed backups: there are 1 failed backups")
        let_it_catch_up()
        time.sleep(1.1)  # Else the next one may have this one's name.
        as_user(backup_script, CLUSTER, "--owed")
        let_it_catch_up()
        archive_all()
        barman("cron")
        now = infos()
        expect(broken not in now and len(set(now) - kept) == 1, f"{broken} broke off, and then there was {now}")
        expect(not list((DATA / CLUSTER / "base").glob(broken.name[:15])), f"the data of {broken} is left")
        wait_until("nothing is wrong", lambda: run("/etc/containerops/bin/backup-check", CLUSTER, check=False).returncode == 0)
    kept = set(infos())
    as_user(backup_script, CLUSTER, "--owed")
    expect(set(infos()) == kept, "a backup was made that nobody is owed")


def a_raised_parameter_holds_no_recovery_up(_):
    """Where the old cluster began to allow more than its backup did, a hot standby would wait for somebody to raise that here too."""
    let_it_catch_up()
    backup()
    let_it_catch_up()
    sql("alter system set max_connections = 150")
    pg_ctl("restart")
    start_stream()
    archive_all()
    as_user("python3", "/etc/barman/restore.py", CLUSTER, "raised")
    data, log = RESTORED / "raised", "/tmp/raised.log"
    server = ["-D", str(data), "-o", "-p 5433 -k /tmp -c shared_buffers=16MB", "-l", log]
    as_user(f"{BIN}/pg_ctl", *server, "-w", "-t", "60", "start")
    ask = [f"{BIN}/psql", "-XAtq", "-h", "/tmp", "-p", "5433", "-U", "postgres", "-d", "postgres", "-c"]
    wait_until("recovery has ended", lambda: as_user(*ask, "select pg_is_in_recovery()", check=False).stdout.strip() == "f", 30)
    expect(as_user(*ask, "select count(*) from t").stdout.strip() == sql("select count(*) from t"), pathlib.Path(log).read_text())
    settings = (data / "postgresql.auto.conf").read_text()
    expect(not re.search("(?m)^hot_standby", settings), "who makes a standby of this later could not read from it", settings)
    as_user(f"{BIN}/pg_ctl", "-D", str(data), "-w", "-m", "fast", "stop")
    shutil.rmtree(data)


SCENARIOS = [
    a_flipped_byte_is_found,
    a_missing_segment_is_found,
    a_damaged_segment_is_found,
    a_broken_index_is_found,
    a_lack_of_space_is_said,
    two_drills_run_one_after_the_other,
    a_killed_drill_is_cleared_away,
    a_stopped_drill_leaves_nothing,
    what_is_wrong_is_said,
    an_overrun_slot_is_said_and_mended,
    a_backup_before_a_failover_is_finished,
    a_backup_that_is_broken_off_is_made_again,
    a_raised_parameter_holds_no_recovery_up,
]


def main():
    make_accounts()
    install()
    start_primary()
    start_stream()
    say("Barman streams")
    a_new_cluster_is_waited_for()
    backup()
    an_old_backup_may_lack_the_canary()
    say("a drill without a canary")
    old = newest()
    make_canary()
    check(0, "nothing is wrong")
    backup()
    shutil.rmtree(old)
    info_of(old).unlink()
    good = a_good_backup_passes()
    say("a good drill")
    for scenario in SCENARIOS:
        if sys.argv[1:] and scenario.__name__ not in sys.argv[1:]:
            continue
        scenario(good)
        say(scenario.__name__.replace("_", " "))
    print("drills: as promised")


def reap():
    """The first process of a container, as Podman's init: ends with its child, whose orphans are waited for."""
    child = os.fork()
    while child:
        pid, status = os.wait()
        if pid == child:
            os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


reap()
main()
