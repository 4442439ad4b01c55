"""systemd loads the generated services and our own units, and complains about none."""

import shutil
from pathlib import Path

import quadlet
from bundle import allow_list, bind, output, run

PROVES = "systemd-analyze verify has nothing to say of the generated services and of our own units"
WEIGHT = 2


def judge(tree, verdict):
    allowed = allow_list("systemd")
    for host in tree.hosts:
        units = Path("/tmp/units") / host.name
        units.mkdir(parents=True)
        own = host.rootfs / "etc/systemd/system"
        if own.is_dir():
            shutil.copytree(own, units, dirs_exist_ok=True)
        names = [p.name for p in units.iterdir() if p.is_file()]
        for name, text in quadlet.generate(quadlet.suiting(tree, host), host)[0].items():
            (units / name).write_text(text)
            names.append(name)
        names += adopt_drop_ins(own, units, verdict)
        for name in sorted(set(names) - ADOPTED):
            verdict.judged(own / name if (own / name).exists() else host.quadlet / name)
        if not names:
            continue
        (Path("/tmp/none")).mkdir(exist_ok=True)
        scripts = host.rootfs / "etc/containerops"
        bind(scripts if scripts.is_dir() else "/tmp/none", "/etc/containerops")
        # /etc/systemd stays out: what counts are a host's own units, and those that systemd brings.
        path = f"{units}:/usr/lib/systemd/system"
        done = run(["systemd-analyze", "verify", "--man=no", *(units / n for n in sorted(names))], env={"SYSTEMD_UNIT_PATH": path, "PATH": "/usr/bin:/usr/sbin"})
        verdict.refuse_lines(host.path, output(done).replace(f"{units}/", ""), allowed)
        run(["umount", "/etc/containerops"])


ADOPTED = set()


def adopt_drop_ins(own, units, verdict):
    """Drop-ins of units that only exist at run time (scopes) are read with a unit of ours."""
    for directory in sorted(p for p in own.glob("*.d") if not (units / p.name.removesuffix(".d")).exists()):
        name = f"adopted-{len(ADOPTED)}.service"
        ADOPTED.add(name)
        (units / name).write_text("[Service]\nExecStart=/bin/true\n")
        shutil.copytree(directory, units / f"{name}.d")
        for file in sorted(directory.iterdir()):
            verdict.judged(file)
        yield name
