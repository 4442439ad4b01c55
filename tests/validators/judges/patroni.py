"""Patroni validates each configuration, with listeners standing in for etcd."""

import json
import shutil
import socket
import threading
from pathlib import Path

from bundle import allow_list, output, run
from patroni_config import configs, dynamic_configs
from scratch import make_binaries

PROVES = "patroni --validate-config has nothing to say of any configuration, beside a stand-in for etcd"
WEIGHT = 6


def judge(tree, verdict):
    allowed = allow_list("patroni")
    seen = set()
    for host in tree.hosts:
        for file, content in configs(host, verdict):
            verdict.judged(file)
            for address in content["etcd3"]["hosts"]:
                listen(address)
            make_binaries(content["postgresql"].get("bin_dir", ""))
            place_program(file, content["postgresql"].get("bin_name", {}).get("pg_rewind"))
            validate(file, file, (verdict, allowed))
            # Patroni has no check of its own for what is applied to a running cluster, but one for what a new one gets.
            for dynamic, settings in dynamic_configs(file, content):
                if dynamic == file:
                    continue
                verdict.judged(dynamic)
                # It is the same for every member of a cluster.
                if (content["scope"], str(settings)) not in seen:
                    seen.add((content["scope"], str(settings)))
                    Path("/tmp/dynamic.yml").write_text(json.dumps(content | {"bootstrap": {"dcs": settings}}))
                    validate(dynamic, "/tmp/dynamic.yml", (verdict, allowed))


def place_program(file, path):
    """Puts the program that stands for pg_rewind where its container has it: beside the configuration."""
    if path:
        place = Path(path)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file.parent / place.name, place)


def validate(file, place, verdict_and_allowed):
    verdict, allowed = verdict_and_allowed
    done = run(["patroni", "--validate-config", "-i", place])
    verdict.refuse_lines(file, output(done), allowed)
    if done.returncode and not output(done).strip():
        verdict.problem(file, f"exit status {done.returncode}")


LISTENERS = {}


def listen(address):
    """Answers on an etcd member's address, which lo gets."""
    if address in LISTENERS:
        return
    host, port = address.rsplit(":", 1)
    run(["ip", "address", "add", f"{host}/32", "dev", "lo"])
    listener = socket.create_server((host, int(port)), backlog=16)
    LISTENERS[address] = listener
    threading.Thread(target=serve, args=(listener,), daemon=True).start()


def serve(listener):
    while True:
        listener.accept()[0].close()
