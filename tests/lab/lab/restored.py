"""Looks into a restored directory: PostgreSQL started from it on Barman's host, without Patroni and without a network."""

import re

from .host import Failed

RESTORED = "/var/containerops/data/barman_restored"
_START = """\
set -e
podman run --detach --quiet --replace --name restored --network=none --pull=never --user=5432:5432 --cap-drop=all --read-only --tmpfs=/run/postgresql:mode=1777 \
    --volume="$1:$1" --entrypoint="/usr/lib/postgresql/17/bin/postgres" "$2" -D "$1" >/dev/null
for _ in $(seq 600); do
    if [ "$(podman exec restored psql -XAtqU postgres -d postgres -c 'select pg_is_in_recovery()' 2>/dev/null)" = f ]; then exit; fi
    [ "$(podman inspect --format '{{.State.Running}}' restored)" = true ] || break
    sleep 0.1
done
podman logs restored >&2
exit 1
"""


class Restored:
    """A context manager: the export NAME, running."""

    def __init__(self, lab, name, host="db3"):
        self._host, self._directory = lab.hosts[host], f"{RESTORED}/{name}"
        unit = self._host.read("/etc/containers/systemd/patroni-app-main.container")
        self._image = re.search(r"^Image=(.*)$", unit, re.MULTILINE).group(1)

    def __enter__(self):
        self._host.run("sh", "-c", _START, "sh", self._directory, self._image)
        return self

    def sql(self, statement, database="app"):
        """What a statement answers, as the superuser."""
        return self._host.output("podman", "exec", "restored", "psql", "-XAtqU", "postgres", "-d", database, "-v", "ON_ERROR_STOP=1", "-c", statement)

    def __exit__(self, *_):
        self._host.run("podman", "rm", "--force", "--time=10", "restored", check=False)
        self._host.run("rm", "-rf", self._directory)


def restore(lab, name, *options, cluster="app", host="db3"):
    """Runs `barman-restore` to its end; returns what it said."""
    done = lab.hosts[host].run("barman-restore", cluster, name, *options, check=False, timeout=600)
    if done.returncode:
        raise Failed(f"barman-restore {cluster} {name} {options}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stderr


def wait_for_backup(lab, seconds=360, cluster="app", host="db3"):
    """Waits until there is a backup whose WAL is all there; returns how long that took."""
    return lab.wait_until(f"a good backup of {cluster}", lambda: lab.hosts[host].run("barman-restore", cluster, check=False).returncode == 0, seconds, every=2)[1]


def wait_green(lab, seconds=180, cluster="app", host="db3"):
    """Waits until `barman check` finds nothing."""
    def is_green():
        done = lab.hosts[host].run("barman", "check", cluster, check=False)
        lab.expect(done.returncode == 0, done.stdout)
        return True

    lab.wait_until("barman check is green", is_green, seconds, every=2)
