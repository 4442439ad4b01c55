"""barman-restore brings back every moment that it says it can, from a real Barman that streams from a real PostgreSQL, and refuses the others."""

import pwd
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path

from bundle import output, run
from mounts import config_mounts, mount_config
from scratch import AS_POSTGRES, BIN, SOCKET, Server

PROVES = "a real Barman with the rendered configuration; barman-restore reaches a time, LSN, xid, name and the latest, and refuses what it can't reach"
WEIGHT = 90
RESTORED = Path("/var/containerops/data/barman_restored")
HOME = Path("/var/lib/barman")
RESTORE = Path("/etc/barman/restore.py")
HBA = "local all postgres peer\nhost all all all scram-sha-256\nhost replication all all scram-sha-256\n"
LOG = Path("/tmp/restored.log")


def judge(tree, verdict):
    for host in tree.hosts:
        unit = host.quadlet / "barman-main.container"
        # One tree tells: the scripts are the same in each.
        if unit.exists() and tree.name not in ("example", "out") and not tree.name.startswith("restore--"):
            return
        if unit.exists():
            mount_config(host, unit.name)
            for source, _ in config_mounts(host, unit.name):
                for name in ("archive.py", "restore.py", "canary.sql", "backup.sh"):
                    verdict.judged(source / name)
            Trial(tree, host, verdict).run()


class Trial:
    """One cluster, its Barman, and what was written when."""

    def __init__(self, tree, host, verdict):
        self.verdict = verdict
        server = next(iter(tree.description["barman_servers"].values()))
        self.cluster = server["sources"][0]["cluster"]
        config = Path(f"/etc/barman/barman.d/{self.cluster}.conf").read_text()
        self.address = re.search(r"host=(\S+)", config)[1]
        self.reconcile = next(file for other in tree.hosts for file in other.files("reconcile.sql") if f"/patroni-{self.cluster}/" in str(file))
        self.moments = {}

    def run(self):
        become_barman()
        hba = Path("/tmp/pg_hba.conf")
        hba.write_text(HBA)
        hba.chmod(0o644)
        run(["ip", "address", "add", f"{self.address}/32", "dev", "lo"]).check_returncode()
        settings = {"hba_file": hba, "listen_addresses": self.address, "wal_level": "replica", "archive_timeout": "60", "max_wal_senders": 5}
        with Server(**settings) as self.server:
            self.prepare()
            stream = subprocess.Popen([*AS_POSTGRES, "barman", "-c", "/etc/barman/barman.conf", "-q", "receive-wal", self.cluster], cwd="/tmp")
            try:
                self.trial()
            finally:
                stream.terminate()
                stream.wait()

    def prepare(self):
        """The roles as the cluster itself makes them, and the slot as Patroni does."""
        passwords = Path("/tmp/passwords")
        passwords.mkdir()
        for role in re.findall(r'\$PASSWORDS/([a-z_-]+)"', self.reconcile.read_text()):
            (passwords / role).write_text("pass:word\\ 'of' Barman\n")
        run(["chown", "-R", "postgres:", passwords])
        psql = ["psql", "-XqU", "postgres", "-h", SOCKET, "-d", "postgres"]
        run([*AS_POSTGRES, "env", f"PASSWORDS={passwords}", *psql, "-f", self.reconcile], cwd="/tmp").check_returncode()
        self.sql("select pg_create_physical_replication_slot('barman')")
        passfile = Path("/run/secrets/passfile")
        passfile.parent.mkdir(exist_ok=True)
        passfile.write_text("".join(f"{self.address}:*:*:{role}:pass\\:word\\\\ 'of' Barman\n" for role in ("barman", "streaming_barman", "barman_canary")))
        passfile.chmod(0o400)
        shutil.chown(passfile, "postgres", "postgres")

    def trial(self):
        self.first_backup()
        self.sql("create table t (n int, at timestamptz default clock_timestamp())")
        for number in range(1, 7):
            self.moments[number] = self.sql(f"begin; insert into t values ({number}) returning txid_current()::text; commit").splitlines()[0], self.sql("select pg_current_wal_lsn()")
            time.sleep(0.3)
            if number == 3:
                self.sql("select pg_create_restore_point('it''s three')")
                # Some of the WAL is archived, some only streamed.
                self.sql("select pg_switch_wal()")
                self.barman("archive-wal")
        self.times = dict(line.split("|") for line in self.sql("select n, at at time zone 'utc' from t").splitlines())
        dropped = self.sql("begin; select txid_current(); drop table t; commit").splitlines()[0]
        self.sql("select pg_switch_wal()")
        self.canary()
        time.sleep(2)
        three = self.times["3"]
        self.reaches("time", [f"--target-time={after(three)}+00"], 3)
        self.reaches("zone", [f"--target-time={after(three)} UTC"], 3)
        self.reaches("lsn", [f"--target-lsn={self.moments[4][1]}"], 4)
        self.reaches("xid", [f"--target-xid={self.moments[2][0]}"], 2)
        self.reaches("dropped", [f"--target-xid={dropped}", "--exclusive"], 6)
        self.reaches("name", ["--target-name=it's three"], 3)
        # Nothing else is written meanwhile: it has not left PostgreSQL's memory.
        self.sql("select pg_create_restore_point('just now')")
        self.reaches("just-now", ["--target-name=just now"], None)
        self.reaches("latest", [], None)
        self.refuses_others(three)
        self.survives_kill()
        self.refuses_hole()

    def first_backup(self):
        """What the crontab's line does, with nothing there before it."""
        done = run([*AS_POSTGRES, "bash", "/etc/barman/backup.sh", self.cluster, "--owed"], cwd="/tmp", timeout=120)
        if done.returncode:
            self.problem("first backup", done)
        # The backup counts once its WAL is there.
        self.sql("select pg_switch_wal()")
        time.sleep(1)

    def canary(self):
        command = next(line for line in Path("/etc/barman/crontab").read_text().splitlines() if "canary.sql" in line).split(" ", 5)[5]
        done = run([*AS_POSTGRES, "sh", "-c", command], cwd="/tmp")
        if output(done) or done.returncode or self.sql("select count(*) from barman_canary.canary where at > now() - interval '1 minute'") != "1":
            self.problem("canary", done)

    def reaches(self, name, options, rows):
        """The restored table has the rows 1 to `rows`; none where it was dropped."""
        done = self.restore(name, *options)
        if done.returncode or not (RESTORED / name).exists():
            self.problem(name, done)
            return
        # Moved elsewhere, it still runs.
        place = Path("/tmp/moved") / name
        place.parent.mkdir(exist_ok=True)
        run(["mv", RESTORED / name, place]).check_returncode()
        LOG.write_text("")
        shutil.chown(LOG, "postgres", "postgres")
        started = run([*AS_POSTGRES, BIN / "pg_ctl", "start", "-w", "-D", place, "-l", LOG, "-o", "-p 6000 -k /tmp/postgres-socket -c listen_addresses="], cwd="/tmp")
        seen = []
        for _ in range(50):
            answer = self.ask("select pg_is_in_recovery()")
            if answer.stdout == "f\n":
                seen = self.ask("select string_agg(n::text, ',' order by n) from t").stdout.strip()
                break
            time.sleep(0.2)
        run([*AS_POSTGRES, BIN / "pg_ctl", "stop", "-m", "fast", "-D", place], cwd="/tmp")
        wanted = ",".join(map(str, range(1, rows + 1))) if rows else ""
        if seen != wanted:
            self.verdict.problem(RESTORE, f"{name}: rows {seen!r}, not {wanted!r}\n{output(done)}{output(started)}{LOG.read_text()}")
        if (place / "barman_wal").exists():
            self.verdict.problem(RESTORE, f"{name}: the WAL is still there after the recovery")

    def refuses_others(self, three):
        first = self.restore_only().stdout
        if not re.search(r"any moment from \S+ \S+ to \S+ \S+ can be restored", first):
            self.verdict.problem(RESTORE, f"it does not say what can be restored: {first}")
        (RESTORED / "taken").mkdir()
        for name, options, said in [
            ("early", ["--target-time=2020-01-01 00:00:00+00"], "is too early: the first moment"),
            ("future", ["--target-time=2999-01-01 00:00:00+00"], "has not come yet"),
            ("zoneless", [f"--target-time={three}"], "has no zone"),
            ("nonsense", ["--target-time=yesterday"], "is no time"),
            ("far", ["--target-lsn=FF/0"], "is too late: the WAL reaches to LSN"),
            ("near", ["--target-lsn=0/10"], "is too early: the first LSN"),
            ("unborn", ["--target-xid=999999"], "holds no commit of transaction 999999"),
            ("unnamed", ["--target-name=nobody"], "holds no restore point nobody"),
            ("unbacked", ["--backup-id=20200101T000000"], "no usable backup 20200101T000000"),
            ("taken", [], "is there already"),
            ("../taken", [], "is no name of a directory"),
        ]:
            done = self.restore(name, *options)
            if done.returncode != 2 or said not in done.stderr:
                self.problem(f"refusal of {name}", done)
            if name != "taken" and (RESTORED / name).exists() and ".." not in name:
                self.verdict.problem(RESTORE, f"{name} was refused, and is there")

    def survives_kill(self):
        """A killed run leaves nothing under the name; the next one is not hindered by what it left."""
        killed = subprocess.Popen([*AS_POSTGRES, "python3", RESTORE, self.cluster, "killed"], cwd="/tmp", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        left = RESTORED / ".killed.restoring"
        while killed.poll() is None and not (left / "base").exists():
            time.sleep(0.01)
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        if not left.exists() or (RESTORED / "killed").exists():
            self.verdict.problem(RESTORE, "the run that was to be killed had ended: this proves nothing")
        done = self.restore("killed")
        if done.returncode or left.exists():
            self.problem("a run after a killed one", done)

    def refuses_hole(self):
        """A missing segment is named, by whatever would need it; what lies before it is still there."""
        self.barman("archive-wal")
        segments = sorted(path for path in (HOME / self.cluster / "wals").rglob("*") if re.fullmatch("[0-9A-F]{24}", path.name))
        hole = segments[-2]
        hole.unlink()
        for name, options in [("hole", []), ("behind", [f"--target-time={after(self.times['6'])}+00"])]:
            done = self.restore(name, *options)
            if done.returncode != 2 or f"WAL segment {hole.name} is missing" not in done.stderr:
                self.problem(f"restore past a hole, {name}", done)
        if f"missing: WAL segment {hole.name}" not in self.restore_only().stdout:
            self.verdict.problem(RESTORE, "the list of what can be restored does not name the missing segment")

    def restore(self, name, *options):
        return run([*AS_POSTGRES, "env", f"HOME={HOME}", "python3", RESTORE, self.cluster, name, *options], cwd="/tmp", timeout=120)

    def restore_only(self):
        return run([*AS_POSTGRES, "python3", RESTORE, self.cluster], cwd="/tmp")

    def barman(self, verb):
        return run([*AS_POSTGRES, "barman", "-c", "/etc/barman/barman.conf", "-q", verb, self.cluster], cwd="/tmp")

    def ask(self, statement):
        return run([*AS_POSTGRES, "psql", "-XAtqh", SOCKET, "-p", "6000", "-d", "postgres", "-c", statement], cwd="/tmp")

    def sql(self, statement):
        done = run([*AS_POSTGRES, "psql", "-XAtqh", SOCKET, "-d", "postgres", "-c", statement], cwd="/tmp")
        done.check_returncode()
        return done.stdout.strip()

    def problem(self, what, done):
        self.verdict.problem(RESTORE, f"{what}: exit status {done.returncode}\n{output(done)}")


def after(time_text):
    """A moment just after one of PostgreSQL's, to the microsecond."""
    head, _, fraction = time_text.partition(".")
    return f"{head}.{int(fraction.ljust(6, '0') or 0) + 1000:06d}" if int(fraction.ljust(6, "0") or 0) < 990000 else time_text


def become_barman():
    """In the images postgres and barman share a uid."""
    postgres = pwd.getpwnam("postgres")
    passwd = Path("/tmp/passwd")
    lines = Path("/etc/passwd").read_text().splitlines()
    passwd.write_text("\n".join(re.sub(r"^barman:x:\d+:\d+", f"barman:x:{postgres.pw_uid}:{postgres.pw_gid}", line) for line in lines) + "\n")
    run(["mount", "--bind", passwd, "/etc/passwd"]).check_returncode()
    for place in (HOME, RESTORED):
        place.mkdir(parents=True, exist_ok=True)
        run(["mount", "-t", "tmpfs", "tmpfs", place]).check_returncode()
        shutil.chown(place, "postgres", "postgres")
