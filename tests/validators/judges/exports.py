"""What each export's unit runs is what the description means."""

import quadlet
from intent import Platform

PROVES = "systemd hands each export's script the described target, in UTC, and nothing else is run; Barman's unit pulls it in"
PULL = "etc/systemd/system/barman-main.service.d/10-exports.conf"


def judge(tree, verdict):
    if not tree.description_path.exists():
        return
    platform = Platform(tree.description, tree.lock)
    with quadlet.Recorder() as recorder:
        for host in tree.hosts:
            intended = dict(platform.exports(host.name))
            own = host.rootfs / "etc/systemd/system"
            found = {file.name: file for file in own.glob("export-*.service")}
            verdict.differs(host.path, "units of exports", sorted(intended), sorted(found))
            calls = recorder.record({name: file.read_text() for name, file in found.items()})
            for name in intended.keys() & found.keys():
                verdict.judged(found[name])
                seen = [(call.key, call.prefix + call.program, *call.argv) for call in calls[name]]
                verdict.differs(found[name], "what it runs", [("ExecStart", *intended[name])], seen)
            judge_pull(host, sorted(intended), verdict)


def judge_pull(host, names, verdict):
    file = host.rootfs / PULL
    text = file.read_text() if file.exists() else ""
    wanted = [word for value in quadlet.sections(text).get("Unit", {}).get("Wants", []) for word in value.split()]
    verdict.differs(file, "units that Barman's pulls in", names, sorted(wanted))
    # Where nothing is declared, nothing is pulled in.
    for judged in (file, host.quadlet / "barman-main.container"):
        if judged.exists():
            verdict.judged(judged)
