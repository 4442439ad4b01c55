"""Makes the dynamic configuration of the running cluster what dynamic.json says; run on any member, at any time.

What Patroni's own commands keep there (`patronictl pause`) stays. Names what it changed on standard output.
Exits with 1 when the cluster can't be asked.
https://patroni.readthedocs.io/en/latest/rest_api.html#config-endpoint
"""

import json
import sys
import urllib.request

URL = "http://127.0.0.1:8008/config"
KEPT = ["pause"]


def flat(value, path=""):
    """Every leaf by its path."""
    if isinstance(value, dict) and value:
        return {leaf: one for key, below in value.items() for leaf, one in flat(below, f"{path}.{key}").items()}
    return {path.lstrip("."): value}


def main():
    with open("/etc/containerops/dynamic.json", encoding="utf-8") as file:
        wanted = json.load(file)
    with urllib.request.urlopen(URL, timeout=10) as answer:
        current = json.load(answer)
    wanted |= {key: current[key] for key in KEPT if key in current}
    if wanted == current:
        return
    request = urllib.request.Request(URL, json.dumps(wanted).encode(), {"Content-Type": "application/json"}, method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
    before, after = flat(current), flat(wanted)
    for path in sorted(before.keys() | after.keys()):
        if before.get(path) != after.get(path):
            print(f"{path}: {json.dumps(before.get(path))} -> {json.dumps(after.get(path))}")


try:
    main()
except OSError as error:
    sys.exit(f"apply.py: the cluster can't be asked: {error}")
