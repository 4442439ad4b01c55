"""What the rendered example (out/) says: addresses, settings and environments, so that the trial runs what a user would."""

import functools
import json
import pathlib

import yaml

OUT = pathlib.Path("/repo/out/hosts")
NAMES = ["db1", "db2", "db3"]
PROXY = OUT / "db1/rootfs/etc/containerops/proxy-app/main/haproxy.cfg"
_UNITS = "rootfs/etc/containers/systemd"


@functools.cache
def patroni(host):
    """Patroni's settings of a host."""
    return yaml.safe_load((OUT / host / "rootfs/etc/containerops/patroni-app/main/patroni.yml").read_text())


def member_address(host):
    return patroni(host)["restapi"]["connect_address"].partition(":")[0]


def etcd_environment(host):
    """The settings of a host's etcd member, from its unit and from the file that it names."""
    unit = (OUT / host / _UNITS / "etcd-main-main.container").read_text()
    lines = [line.removeprefix("Environment=") for line in unit.splitlines() if line.startswith("Environment=")]
    lines += (OUT / host / "rootfs/etc/containerops/etcd-main/main/initial.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line.startswith("ETCD_"))


def etcd_address(host):
    return etcd_environment(host)["ETCD_ADVERTISE_CLIENT_URLS"].removeprefix("http://").partition(":")[0]


def keeper_config(host):
    """What the keeper of a host's member is told: a path."""
    return str(OUT / host / "rootfs/etc/containerops/patroni-app/keeper/keeper.json")


def rewind(host):
    """What stands for pg_rewind: a path."""
    return OUT / host / "rootfs/etc/containerops/patroni-app/main/rewind.py"


def dynamic():
    """What all members share: ttl and the like."""
    return patroni(NAMES[0])["bootstrap"]["dcs"]


def restart_seconds(unit):
    """How long systemd waits before it starts a unit's container again."""
    text = (OUT / NAMES[0] / _UNITS / f"{unit}.container").read_text()
    return float(next(line for line in text.splitlines() if line.startswith("RestartSec=")).partition("=")[2])


def member_settings(host, parameters):
    """A member's settings as rendered, with these parameters of PostgreSQL, but without what the trial has no part of: passwords and the
    roles of applications. Its log says the time, which is the journal's part elsewhere.
    """
    settings = json.loads(json.dumps(patroni(host)))
    settings["log"]["format"] = "%(asctime)s %(levelname)s: %(message)s"
    del settings["bootstrap"]["post_bootstrap"]
    settings["bootstrap"]["initdb"] = [option for option in settings["bootstrap"]["initdb"] if not {"auth-local", "auth-host"} & set(option)]
    places = ("local all all", "local replication all", "host all all samenet", "host replication all samenet")
    settings["postgresql"]["pg_hba"] = [f"{place} trust" for place in places]
    settings["postgresql"]["parameters"].update(parameters)
    return settings
