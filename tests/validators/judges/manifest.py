"""The manifests name every file of the bundle, with its true size, mode and SHA-256, and no other."""

import hashlib
import json

PROVES = "manifest.json: every file named, size, mode and SHA-256 right, nothing unnamed"


def judge(tree, verdict):
    for host in tree.hosts:
        path = host.path / "manifest.json"
        verdict.judged(path)
        manifest = json.loads(path.read_text())
        verdict.differs(path, "version", 1, manifest.get("version"))
        verdict.differs(path, "host", host.name, manifest.get("host"))
        found = {}
        for file in sorted(host.path.rglob("*")):
            if file.is_symlink() or not (file.is_file() or file.is_dir()):
                verdict.problem(file, "is neither a regular file nor a directory")
            elif file.is_file() and file != path:
                content = file.read_bytes()
                mode = f"{file.stat().st_mode & 0o7777:04o}"
                found[str(file.relative_to(host.path))] = {"mode": mode, "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
        named = manifest["files"]
        for name in sorted(found.keys() | named.keys()):
            # git keeps no mode but the executable bit, so a file in a checkout may have lost others.
            verdict.differs(path, name, loosen(named.get(name)), loosen(found.get(name)))
        judge_units(host, path, manifest, verdict)


def loosen(entry):
    return entry and {**entry, "mode": "0755" if int(entry["mode"], 8) & 0o100 else "0644"}


def judge_units(host, path, manifest, verdict):
    units = manifest["units"]
    for unit, entry in units.items():
        for file in [*entry.get("restart", []), *entry.get("reload", [])]:
            if file not in manifest["files"]:
                verdict.problem(path, f"{unit} names {file}, which is no file of the bundle")
        if entry.get("on_change") not in ("restart", "operator"):
            verdict.problem(path, f"{unit}: on_change is {entry.get('on_change')!r}")
    stems = {file.stem for file in host.quadlet.glob("*.container")}
    for stem in sorted(stems):
        if f"{stem}.service" not in units:
            verdict.problem(path, f"{stem}.service is a unit of the bundle that it doesn't name")
