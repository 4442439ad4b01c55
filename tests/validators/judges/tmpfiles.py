"""systemd-tmpfiles makes what each line of tmpfiles.d says, with its mode and owner."""

from pathlib import Path

from bundle import output, run

PROVES = "systemd-tmpfiles makes every directory with the mode and owner that its line gives"


def judge(tree, verdict):
    for host in tree.hosts:
        for file in sorted((host.rootfs / "etc/tmpfiles.d").glob("*.conf")):
            verdict.judged(file)
            root = Path("/tmp/tmpfiles") / host.name
            target = root / "etc/tmpfiles.d" / file.name
            target.parent.mkdir(parents=True)
            target.write_bytes(file.read_bytes())
            done = run(["systemd-tmpfiles", "--create", f"--root={root}", file.name])
            if done.returncode or output(done).strip():
                verdict.problem(file, output(done))
            judge_lines(file, root, verdict)
        judge_volumes(tree, host, verdict)


def judge_volumes(tree, host, verdict):
    """The user's own directories are there as the description has them."""
    pods = tree.description.get("pods", {}) if tree.description_path.exists() else {}
    root = Path("/tmp/tmpfiles") / host.name
    for pod, entry in pods.items():
        for container in entry["containers"].values() if entry["host"] == host.name else ():
            for volume in (v for v in container.get("volumes", []) if "name" in v):
                path = f"/var/containerops/data/pods/{pod}/{volume['name']}"
                made = root / path.lstrip("/")
                stat = made.stat() if made.is_dir() else None
                wanted = (int(volume.get("mode", "0750"), 8), volume.get("uid", 0), volume.get("gid", 0))
                verdict.differs(host.path, f"mode, uid and gid of {path}", wanted, stat and (stat.st_mode & 0o7777, stat.st_uid, stat.st_gid))


def judge_lines(file, root, verdict):
    for line in file.read_text().splitlines():
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        kind, path, mode, uid, gid = [*words, "-", "-", "-"][:5]
        if kind not in ("d", "D"):
            continue
        made = root / path.lstrip("/")
        if not made.is_dir():
            verdict.problem(file, f"{path} was not made")
            continue
        stat = made.stat()
        if mode != "-":
            verdict.differs(file, f"mode of {path}", int(mode.lstrip("~:"), 8), stat.st_mode & 0o7777)
        for what, wanted, seen in (("uid", uid, stat.st_uid), ("gid", gid, stat.st_gid)):
            wanted = wanted.lstrip("~:")
            # An account of the host's would have to be there before the directories are.
            verdict.differs(file, f"{what} of {path}", wanted if wanted.isdigit() else "a number" if wanted != "-" else "0", str(seen))
