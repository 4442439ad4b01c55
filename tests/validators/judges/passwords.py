"""Ugly passwords pass through the bundle's own loader into Podman's secrets, and a composed passfile lets the real psql in."""

import base64
import json
import os
from pathlib import Path

from bundle import output, run
from scratch import PASSWORDS, Server

PROVES = "the secrets loader keeps ugly passwords byte for byte, and libpq logs in with the passfiles that it composes"
WEIGHT = 30
LOADER = "etc/containerops/bin/load-secrets"
TABLE = "etc/containerops/secrets.json"
STORE = Path("/tmp/secrets")
FAKE_PODMAN = r'''#!/bin/sh
# Keeps secrets in a directory, as podman would.
store=/tmp/secrets verb=$2 label= name= from= show=false
shift 2
while [ $# -gt 0 ]; do
    case $1 in
    --label | -l) label=$2; shift ;;
    --format) shift ;;
    --showsecret) show=true ;;
    --*) ;;
    *) if [ -z "$name" ]; then name=$1; else from=$1; fi ;;
    esac
    shift
done
case $verb in
create)
    jq -Rs . <"$([ "$from" = - ] && echo /dev/stdin || echo "$from")" >/tmp/secret.json || exit 1
    jq --arg name "$name" --arg label "$label" '[{SecretData: ., Spec: {Name: $name, Labels: (if $label == "" then {} else ([$label | split("=") | {key: .[0], value: .[1]}] | from_entries) end)}}]' \
        /tmp/secret.json >"$store/$name"
    echo "$name" >>/tmp/created
    ;;
inspect)
    [ -e "$store/$name" ] || { echo "Error: no secret with name or id \"$name\"" >&2; exit 125; }
    if $show; then cat "$store/$name"; else jq 'map(del(.SecretData))' "$store/$name"; fi
    ;;
ls) ls "$store" ;;
rm) rm "$store/$name" ;;
exists) [ -e "$store/$name" ] ;;
*) echo "the stand-in for podman knows no secret $verb" >&2; exit 125 ;;
esac
'''


def judge(tree, verdict):
    hosts = [host for host in tree.hosts if (host.rootfs / TABLE).exists()]
    if not hosts:
        return
    stand_in = Path("/tmp/fake-podman")
    stand_in.write_text(FAKE_PODMAN)
    stand_in.chmod(0o755)
    run(["mount", "--bind", stand_in, "/usr/bin/podman"]).check_returncode()
    hba = Path("/tmp/pg_hba.conf")
    hba.write_text("local all all trust\nhost all all all scram-sha-256\n")
    hba.chmod(0o644)
    with Server(hba_file=hba, listen_addresses="*") as server:
        seen = set()
        for round_, host in enumerate(hosts):
            verdict.judged(host.rootfs / TABLE)
            # Hosts with the same table and loader have nothing new to tell.
            content = (host.rootfs / TABLE).read_bytes() + (host.rootfs / LOADER).read_bytes()
            if content in seen:
                continue
            seen.add(content)
            judge_host(host, round_, (server, verdict))


def judge_host(host, round_, server_and_verdict):
    server, verdict = server_and_verdict
    script, table = host.rootfs / LOADER, host.rootfs / TABLE
    entries = json.loads(table.read_text())["secrets"]
    # In the example, what goes into a passfile gets every kind of ugliness; elsewhere one is enough.
    thorough = verdict.tree.name in ("example", "out") and any("passfile" in entry for entry in entries)
    for turn in range(len(PASSWORDS) if thorough else 1):
        passwords = deliver(entries, turn + round_ + 1)
        run(["rm", "-rf", STORE])
        STORE.mkdir()
        loaded = run(["sh", script, table])
        if loaded.returncode or loaded.stderr:
            verdict.problem(script, f"exit status {loaded.returncode}: {output(loaded)}")
            return
        for entry in entries:
            judge_entry(table, entry, passwords, (server, verdict))
    Path("/tmp/created").write_text("")
    again = run(["sh", script, table])
    verdict.differs(script, "secrets written again though nothing changed", "", Path("/tmp/created").read_text() + again.stderr)


def sources(entries):
    for entry in entries:
        lines = entry.get("passfile") or entry.get("passwords")
        for source in [line["password"] for line in lines] if lines else [entry["value"]]:
            yield source["source"], source.get("json_key")


def settable(password):
    """What is left of a password where Patroni 4.0 has to set it."""
    return "".join(letter for letter in password if " " <= letter <= "~").replace("$$", "$")


def deliver(entries, turn):
    """Writes a password to each source: files with one newline at the end, as editors leave them."""
    passwords, files = {}, {}
    patronis = set(sources([entry for entry in entries if entry.get("for_patroni")]))
    for number, place in enumerate(sorted(set(sources(entries)), key=str)):
        password = PASSWORDS[(number + turn) % len(PASSWORDS)]
        passwords[place] = settable(password) if place in patronis else password
        if place[1] is None:
            files[place[0]] = passwords[place] + "\n"
        else:
            files.setdefault(place[0], {})[place[1]] = passwords[place]
    for path, content in files.items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content if isinstance(content, str) else json.dumps(content))
    return passwords


def judge_entry(table, entry, passwords, server_and_verdict):
    server, verdict = server_and_verdict
    path = STORE / entry["name"]
    if not path.exists():
        verdict.problem(table, f"secret {entry['name']} was not made")
        return
    content = json.loads(path.read_text())[0]["SecretData"]
    if "value" in entry:
        verdict.differs(table, f"secret {entry['name']}", passwords[entry["value"]["source"], entry["value"].get("json_key")], content)
        return
    if "passwords" in entry:
        meant = "".join(f"{line['role']} {base64.b64encode(password_of(line, passwords).encode()).decode()}\n" for line in entry["passwords"])
        verdict.differs(table, f"secret {entry['name']}", meant, content)
        return
    passfile = Path("/tmp/passfile")
    passfile.write_text(content)
    passfile.chmod(0o600)
    for line in entry["passfile"]:
        judge_login(table, line, password_of(line, passwords), (server, verdict))


def password_of(line, passwords):
    return passwords[line["password"]["source"], line["password"].get("json_key")]


def judge_login(table, line, password, server_and_verdict):
    server, verdict = server_and_verdict
    address, user = line["address"], line["user"]
    run(["ip", "address", "add", f"{address}/32", "dev", "lo"])
    server.make_role(user, password)
    login = ["psql", "-XAtqw", "-h", address, "-U", user, "-d", "postgres", "-c", "select 'in'"]
    env = {"PATH": os.environ["PATH"], "PGPASSFILE": "/tmp/passfile", "LC_ALL": "C.UTF-8"}
    done = run(login, env=env)
    if done.stdout != "in\n":
        verdict.problem(table, f"{user} at {address} can't log in with password {password!r}: {done.stderr}")
    server.make_role(user, "another")
    if run(login, env=env).stdout == "in\n":
        verdict.problem(table, f"{user} at {address} logs in with any password: this judge proves nothing")
