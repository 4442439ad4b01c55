"""The judge that both Quadlet generators share: what podman is called with is what the description means."""

import quadlet
from intent import Container, Platform, nebula_sidecar
from podman import compare_container, compare_pod, read_environment


def judge(version, tree, verdict):
    platform = Platform(tree.description, tree.lock)
    with quadlet.Recorder() as recorder:
        for host in (host for host in tree.hosts if quadlet.suits(version, tree, host)):
            judge_host(version, platform, host, (recorder, verdict))


def judge_host(version, platform, host, recorder_and_verdict):
    recorder, verdict = recorder_and_verdict
    for file in sorted(p for p in host.quadlet.rglob("*") if p.is_file()):
        verdict.judged(file)
    services, complaints = quadlet.generate(version, host)
    for complaint in complaints:
        verdict.problem(host.quadlet, complaint)
    for place, text in platform.config_files(host.name):
        file = host.rootfs / place.lstrip("/")
        verdict.judged(file)
        verdict.differs(file, "content", text, file.read_bytes().decode() if file.exists() else None)
    for place, variables in platform.environment_files(host.name):
        file = host.rootfs / place.lstrip("/")
        verdict.judged(file)
        verdict.differs(file, "variables", variables, read_environment(file))
    calls = recorder.record(services)
    intended = {}
    for pod in platform.pods(host.name).values():
        intended[f"{pod.name}-pod.service"] = (pod, compare_pod)
        intended |= {f"{c.unit}.service": (c, compare_container) for c in pod.containers}
    for place in platform.host_endpoints(host.name):
        unit = f"host-{place.network}"
        intended[f"{unit}.service"] = (host_endpoint(unit, place), compare_container)
    for name in sorted(intended.keys() | services.keys()):
        path = host.quadlet / name
        if name not in services:
            verdict.problem(path, "there is no such service, and the description means one")
        elif name in intended:
            what, comparison = intended[name]
            comparison(version, path, what, (calls[name], verdict))
        elif not name.endswith(("-network.service", "-build.service")):
            verdict.problem(path, "there is such a service, and the description means none")


def host_endpoint(unit, place):
    """A host's own endpoint: the sidecar without a pod."""
    sidecar = nebula_sidecar(unit, "", place)
    sidecar.options.append(("--network", "host"))
    return Container(unit, "", sidecar.image, sidecar.options, sidecar.command, sidecar.notify)
