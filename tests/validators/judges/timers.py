"""systemd elapses a drill's timer at the very minutes that cron fields name; each timer runs what it is for, and is there at boot."""

import re
from datetime import datetime, timedelta, timezone

from bundle import output, run

PROVES = "systemd elapses each drill's timer when its cron schedule is due, and at no other time; each source has its check; boot starts them"
BEGIN = datetime(2027, 1, 1, tzinfo=timezone.utc)
DAYS = 400
FIELDS = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def judge(tree, verdict):
    if not tree.description_path.exists():
        return
    for server in tree.description.get("barman_servers", {}).values():
        host = next(host for host in tree.hosts if host.name == server["host"])
        units = host.rootfs / "etc/systemd/system"
        wanted = {f"{kind}-{source['cluster']}.timer" for source in server["sources"] for kind in ("backup-check", *(["drill"] if "drill" in source else []))}
        verdict.differs(units, "timers", wanted, {path.name for path in units.glob("*.timer")})
        boot = units / "timers.target.d/10-containerops.conf"
        verdict.differs(boot, "started at boot", wanted, set(" ".join(lines(boot, "Wants")).split()))
        verdict.judged(boot)
        for source in server["sources"]:
            judge_check(units, source["cluster"], verdict)
            if "drill" in source:
                judge_drill(units, source, verdict)


def lines(file, key):
    """What a unit file assigns to a key."""
    return re.findall(rf"^{key}=(.*)$", file.read_text(), flags=re.M) if file.exists() else []


def judge_check(units, cluster, verdict):
    timer, service = (units / f"backup-check-{cluster}.{kind}" for kind in ("timer", "service"))
    for file, key, value in ((timer, "OnActiveSec", "300"), (timer, "OnUnitInactiveSec", "300"), (service, "Type", "oneshot"),
                             (service, "ExecStart", f"/etc/containerops/bin/backup-check {cluster}")):
        verdict.judged(file)
        verdict.differs(file, key, [value], lines(file, key))


def judge_drill(units, source, verdict):
    cluster, drill = source["cluster"], source["drill"]
    timer, service = (units / f"drill-{cluster}.{kind}" for kind in ("timer", "service"))
    scratch = drill.get("scratch_path", "/var/containerops/data/barman_scratch")
    for file, key, value in ((timer, "Persistent", "true"), (service, "Type", "oneshot"), (service, "ExecStart", f"/etc/containerops/bin/drill {cluster}"),
                             (service, "RequiresMountsFor", scratch), (service, "TimeoutStartSec", "infinity")):
        verdict.judged(file)
        verdict.differs(file, key, [value], lines(file, key))
    expected = due(drill["schedule"])
    verdict.differs(timer, f"when `{drill['schedule']}` is due", expected, elapses(timer, len(expected), verdict))


def due(schedule):
    """The first minutes from BEGIN on, at most 200, by cron's own rule for its two day fields."""
    fields = schedule.split()
    minutes, hours, days, months, weekdays = (numbers(field, *limits) for field, limits in zip(fields, FIELDS, strict=True))
    found = []
    for number in range(DAYS):
        day = BEGIN + timedelta(days=number)
        by_day, by_weekday = day.day in days, day.isoweekday() in weekdays or day.isoweekday() % 7 in weekdays
        is_day = by_day and by_weekday if "*" in (fields[2], fields[4]) else by_day or by_weekday
        if day.month in months and is_day:
            found += [(day + timedelta(hours=hour, minutes=minute)).strftime("%F %T") for hour in sorted(hours) for minute in sorted(minutes)]
    return found[:200]


def numbers(field, low, high):
    found = set()
    for part in field.split(","):
        first, last, step = re.fullmatch(r"(\*|\d+)(?:-(\d+))?(?:/(\d+))?", part).groups()
        begin = low if first == "*" else int(first)
        end = int(last) if last else high if first == "*" or step else begin
        found.update(range(begin, end + 1, int(step or 1)))
    return found


def elapses(timer, count, verdict):
    """The times of all `OnCalendar=` lines together, each once."""
    found = set()
    for event in re.findall(r"^OnCalendar=(.*)$", timer.read_text(), flags=re.M):
        base = f"--base-time={BEGIN - timedelta(seconds=1):%F %T} UTC"
        done = run(["systemd-analyze", "calendar", f"--iterations={count}", base, event], env={"TZ": "UTC", "PATH": "/usr/bin", "LC_ALL": "C"})
        if done.returncode:
            verdict.problem(timer, output(done))
        found.update(re.findall(r"(?:Next elapse|Iteration #\d+): \w+ (\S+ \S+) UTC", done.stdout))
    return sorted(found)[:count]
