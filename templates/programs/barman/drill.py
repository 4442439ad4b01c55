#!/usr/bin/env python3
"""The parts of a restore drill that read Barman's archive. They run with Barman's image, without a network; `drill` on the host runs them in turn.

  restore CLUSTER POINT SCRATCH   restores into SCRATCH/POINT, and notes in SCRATCH/POINT.json what it did
  report CLUSTER SCRATCH          reports what is noted there, and in the SCRATCH/POINT.facts of drill-postgres.sh

POINT is `latest`, or `moment`: a random second within the window. Exit status: 0 good; 1 something is wrong.
"""

import json
import pathlib
import random
import shutil
import sys
import time
from datetime import datetime, timedelta, timezone

sys.dont_write_bytecode = True
import report  # lies beside this file, as the next ones do
from archive import Archive, Refused
from restore import Target, choose, export

POINTS = ["latest", "moment"]
# A canary a minute, and the seconds until it is written.
MOST_LOST = 70
# What recovery writes, and what must stay free all the same.
MARGIN, RESERVE = 1.1, 1 << 30
# Bytes that recovery gets through in a second at the very least, and the seconds that it may take anyway.
SLOWEST, PATIENCE = 4 << 20, 600

REMEDIES = {
    "wal": "What came after a missing segment can't be restored before the next full backup ends. Take it now: barman backup {cluster}",
    "space": "Make room there, or name another place in the description: scratch_path of the drill.",
    "restore": "See what it says with barman-restore {cluster} (what can be restored), and try it by hand: barman-restore {cluster} NAME",
    "backup": "The stored copy is damaged: look at its disk (dmesg, smartctl). Take a full backup now, barman backup {cluster}, and drill again; "
    "then drop the bad one: barman delete {cluster} {backup_id}",
    "recovery": "A damaged WAL segment ends recovery early, a missing library or setting hinders the start: the lines above are PostgreSQL's own.",
    "database": "Is it broken in the cluster as well? Run pg_amcheck --all --heapallindexed there. If so, reindex or restore; if not, "
    "take a full backup now: barman backup {cluster}",
    "pages": "Pages are damaged: look for the same file with pg_checksums on a stopped replica. If only the backup has it, take a full backup now: "
    "barman backup {cluster}",
    "canary": "Did Barman's cron run then, and the cluster take writes? journalctl -u barman-main. If so, recovery ended too early: WAL is damaged or missing.",
    "drill": "The drill itself broke: journalctl -u drill-{cluster} has what its containers said.",
}


class Broken(Exception):
    """Why a restore can't go on: a kind of REMEDIES, and a text."""


def problem(kind, text):
    return {"kind": kind, "text": text}


class Tracing(Archive):
    """An archive that knows which WAL segment it was reading when it stumbled."""

    reading = None

    def copy(self, name, target):
        self.reading = name
        super().copy(name, target)
        self.reading = None


# ------------------------------------------------------------------------------------------------------------------- restoring


def choose_target(archive, point):
    """Where recovery is to stop. Refuses when WAL is missing since the newest backup; holes before that are noted by the caller."""
    if not archive.backups:
        raise Broken("restore", "there is no backup yet")
    missing = archive.missing(archive.backups[-1])
    if missing:
        raise Broken("wal", f"{len(missing)} WAL segments are missing since the newest backup, {archive.backups[-1].id}: {', '.join(missing[:10])}")
    if point == "latest":
        return Target("latest")
    oldest = next(backup for backup in archive.usable() if not archive.missing(backup))
    begin = oldest.end_time.replace(microsecond=0) + timedelta(seconds=1)
    end = archive.last_commit()
    seconds = int((end - begin).total_seconds()) if end else 0
    if seconds < 1:
        raise Broken("restore", f"nothing was committed since backup {oldest.id} ended, so there is no second to choose: is the canary written?")
    return Target("time", begin + timedelta(seconds=random.randrange(seconds)))


def restore_into(archive, point, scratch, noted):
    """Restores, and notes each fact as soon as it is known."""
    target = choose_target(archive, point)
    noted["target"] = target.value.isoformat() if target.value else "latest"
    backup, segments = choose(archive, target)
    size = backup.size + len(segments) * archive.segment_size
    needed, free = int(size * MARGIN) + RESERVE, shutil.disk_usage(scratch).free
    noted |= {"backup_id": backup.id, "backup_end": backup.end_time.isoformat(timespec="seconds"), "bytes": size, "time_limit": PATIENCE + size // SLOWEST}
    if free < needed:
        raise Broken("space", f"the scratch space has {mib(free)} MiB free, and the drill needs {mib(needed)} MiB")
    made = export(archive, target, scratch / point)
    noted |= {"wal_segments": made["wal_segments"], "restore_seconds": made["seconds"]}


def restore(cluster, point, scratch):
    """The first part: says whether there is something to start."""
    noted = {"point": point, "asked_at": time.time(), "problems": []}
    archive = None
    try:
        archive = Tracing(cluster)
        restore_into(archive, point, scratch, noted)
    except Broken as broken:
        noted["problems"].append(problem(*broken.args))
    except Exception as error:  # whatever it is, the report has to tell it
        text = f"WAL segment {archive.reading} can't be read: {error}" if archive and archive.reading else str(error) or repr(error)
        noted["problems"].append(problem("restore", text))
    (scratch / f"{point}.json").write_text(json.dumps(noted), encoding="utf-8")
    return not noted["problems"]


def mib(count):
    return -(-count >> 20)


# ------------------------------------------------------------------------------------------------------------------- reporting


def gather(scratch, point):
    """What is known of one restore: its own notes, and PostgreSQL's facts."""
    try:
        found = json.loads((scratch / f"{point}.json").read_text(encoding="utf-8"))
    except OSError:
        return {"point": point, "problems": [problem("drill", "the restore broke off")]}
    facts = scratch / f"{point}.facts"
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines() if facts.exists() else []
    for key, _, value in (line.partition("\t") for line in lines):
        if key == "problem":
            found["problems"].append(problem(*value.split("\t", 1)))
        else:
            found[key] = float(value) if key.endswith("_seconds") else value
    if not found.pop("looked through", None) and not found["problems"]:
        found["problems"].append(problem("drill", "PostgreSQL's container broke off"))
    return found


def judge_canary(found, since):
    """How much was lost, by the row that is written each minute. Older backups don't have it yet."""
    if "canary" not in found:
        return
    wanted = datetime.fromisoformat(found["target"]).timestamp() if found["point"] == "moment" else found["asked_at"]
    if found["canary"] in ("", "none"):
        found["canary"] = None
        if since and wanted >= since:
            found["problems"].append(problem("canary", "the canary is missing, and the cluster has had it longer"))
        return
    at = float(found["canary"])
    lost = round(wanted - at, 1)
    if found["point"] == "latest":
        # It may have been written while the restore began.
        lost = max(0, lost)
    found["lost_seconds"] = lost
    found["canary"] = iso(at)
    if lost < 0:
        found["problems"].append(problem("canary", f"recovery went {-lost:.0f} s too far: the canary was written at {found['canary']}"))
    elif lost > MOST_LOST:
        found["problems"].append(problem("canary", f"{lost:.0f} s are lost, and {MOST_LOST} s is the most: the canary was written at {found['canary']}"))


def holes(cluster):
    """What can't be restored though it lies within the window; a later backup has mended it."""
    try:
        archive = Archive(cluster)
    except (OSError, Refused, ValueError):
        return  # The restores have stumbled over it as well, and said so.
    for backup, after in zip(archive.backups, archive.backups[1:]):
        missing = archive.missing(backup)
        if missing and missing != archive.missing(after):
            yield f"WAL segment {missing[0]} is missing since backup {backup.id}: seconds between it and the end of backup {after.id} can't be restored"


def make_report(cluster, scratch):
    """The second part: writes the reports, and says whether all is well."""
    earlier = report.read(f"drill-{cluster}.json")
    since = report.read(f"canary-{cluster}.json").get("since")
    since = datetime.fromisoformat(since).timestamp() if since else None
    restores = [gather(scratch, point) for point in POINTS]
    for found in restores:
        judge_canary(found, since)
    started, ended = min(found.get("asked_at", time.time()) for found in restores), time.time()
    is_good = not any(found["problems"] for found in restores)
    result = {
        "cluster": cluster,
        "result": "passed" if is_good else "failed",
        "started": iso(started),
        "ended": iso(ended),
        "seconds": round(ended - started, 1),
        "last_success": iso(ended) if is_good else earlier.get("last_success"),
        "restores": restores,
        "notes": list(holes(cluster)),
        "remedies": remedies(cluster, restores),
    }
    text = readable(result)
    report.write(f"drill-{cluster}.json", json.dumps(result, indent=2) + "\n")
    report.write(f"drill-{cluster}.txt", text)
    report.write(f"drill-{cluster}.prom", metrics(result))
    print(text, end="")
    return is_good


def remedies(cluster, restores):
    """What to do, each once."""
    found = [REMEDIES[broken["kind"]].format(cluster=cluster, backup_id=one.get("backup_id")) for one in restores for broken in one["problems"]]
    return list(dict.fromkeys(found))


def iso(moment):
    return datetime.fromtimestamp(moment, timezone.utc).isoformat(timespec="seconds")


def readable(result):
    """The report for people."""
    lines = [f"Restore drill of cluster {result['cluster']}: {result['result']}. {result['started']}, {result['seconds']:.0f} s", ""]
    for found in result["restores"]:
        lines += [*describe(found), ""]
    for note in result["notes"]:
        lines += [f"Note: {note}", ""]
    if result["remedies"]:
        lines += ["What to do:", *(f"  {remedy}" for remedy in result["remedies"]), ""]
    if result["result"] == "failed":
        lines.append(f"The last drill that passed: {result['last_success'] or 'none yet'}")
    return "\n".join(lines).rstrip("\n") + "\n"


def describe(found):
    """A few lines about one restore."""
    target = found.get("target", "?")
    yield "Latest state" if found["point"] == "latest" else f"A random second: {target}"
    if "backup_id" in found:
        yield f"  backup {found['backup_id']} of {found['backup_end']}, with its WAL {mib(found['bytes'])} MiB"
    if "restore_seconds" in found:
        yield f"  restored with {found['wal_segments']} WAL segments in {found['restore_seconds']:.0f} s"
    if "recovery_seconds" in found:
        yield f"  files verified in {found['verify_seconds']:.0f} s, recovered in {found['recovery_seconds']:.0f} s"
    if "check_seconds" in found:
        pages = "and all page checksums " if found.get("checksums") == "on" else ""
        yield f"  tables, indexes {pages}looked through in {found['check_seconds']:.0f} s"
    if "lost_seconds" in found:
        yield f"  canary of {found['canary']}: {found['lost_seconds']:.0f} s lost"
    elif "canary" in found:
        yield "  no canary in it: what was lost is not known"
    for broken in found["problems"]:
        yield f"  BROKEN, {broken['kind']}: {broken['text']}"


def metrics(result):
    """The report for node_exporter."""
    def of_each(key):
        return {f'restore="{found["point"]}"': found.get(key) for found in result["restores"]}

    good = result["last_success"]
    values = {
        "timestamp_seconds": ("When the last drill ended.", datetime.fromisoformat(result["ended"]).timestamp()),
        "ok": ("Whether the last drill passed.", result["result"] == "passed"),
        "last_success_timestamp_seconds": ("When the last drill that passed ended.", datetime.fromisoformat(good).timestamp() if good else None),
        "seconds": ("How long the last drill took.", result["seconds"]),
        "restored_bytes": ("Backup and WAL of a restore.", of_each("bytes")),
        "restore_seconds": ("How long a restore took.", of_each("restore_seconds")),
        "recovery_seconds": ("How long PostgreSQL took to its target.", of_each("recovery_seconds")),
        "lost_seconds": ("Seconds between the target and the newest canary.", of_each("lost_seconds")),
    }
    return report.metrics(result["cluster"], {f"containerops_drill_{name}": value for name, value in values.items()})


def main(arguments):
    match arguments:
        case ["restore", cluster, ("latest" | "moment") as point, scratch]:
            is_good = restore(cluster, point, pathlib.Path(scratch))
        case ["report", cluster, scratch]:
            is_good = make_report(cluster, pathlib.Path(scratch))
        case _:
            sys.exit(__doc__)
    sys.exit(0 if is_good else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
