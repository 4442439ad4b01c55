"""Nebula reads every config.yml, beside certificates made for the occasion."""

import shutil
from pathlib import Path

import yaml

from bundle import allow_list, bind, output, run

PROVES = "nebula -test accepts every config.yml beside certificates made for the occasion, without a warning"


def judge(tree, verdict):
    allowed = allow_list("nebula")
    description, lock = tree.description, tree.lock
    for host in tree.hosts:
        for file in host.files("config.yml"):
            if "/nebula/networks/" not in str(file):
                continue
            verdict.judged(file)
            network, hostname = file.parent.parent.parent.name, file.parent.name
            address = lock["networks"][network][hostname]["address"]
            prefix = description["networks"][network]["cidr"].partition("/")[2]
            judge_config(file, (hostname, f"{address}/{prefix}"), (verdict, allowed))


def judge_config(file, identity, verdict_and_allowed):
    verdict, allowed = verdict_and_allowed
    pki = yaml.safe_load(file.read_text())["pki"]
    # The sidecar mounts the endpoint's directory, so the paths inside tell where.
    base = Path(pki["cert"]).parent.parent
    verdict.differs(file, "pki", {key: str(base / "pki" / name) for key, name in (("ca", "ca.crt"), ("cert", "host.crt"), ("key", "host.key"))},
                    {key: pki.get(key) for key in ("ca", "cert", "key")})
    endpoint = Path("/tmp/endpoint")
    shutil.rmtree(endpoint, ignore_errors=True)
    shutil.copytree(file.parent, endpoint)
    make_certificates(endpoint / "pki", *identity)
    bind(endpoint, base)
    done = run(["nebula", "-test", "-config", base / file.name])
    if done.returncode:
        verdict.problem(file, output(done))
    else:
        verdict.refuse_lines(file, output(done), allowed)
    run(["umount", base])


def make_certificates(pki, name, address):
    pki.mkdir(exist_ok=True)
    ca = Path("/tmp/ca")
    if not ca.is_dir():
        ca.mkdir()
        run(["nebula-cert", "ca", "-name", "judge", "-out-crt", ca / "ca.crt", "-out-key", ca / "ca.key"]).check_returncode()
    shutil.copy(ca / "ca.crt", pki / "ca.crt")
    run(["nebula-cert", "sign", "-ca-crt", ca / "ca.crt", "-ca-key", ca / "ca.key", "-name", name, "-ip", address,
         "-out-crt", pki / "host.crt", "-out-key", pki / "host.key"]).check_returncode()
