"""The description that the lab's hosts run: every service on three hosts, a client beside each proxy, and one pod that may nothing and is told everything."""

import json

from . import images, places, switch

NETWORK = "internal"
CLUSTER = "app"
HOSTS = ["db1", "db2", "db3"]
# The UDP port beside the switch that `stranger` calls when it starts.
CALLED = 4445

# Every kind of character that some format on the way could stumble over.
AWKWARD = "q\"uo'te$HOME %s%% \\back:slash@ #1{x};&|<>`id` *"
# Patroni 4.0 can't set a password beyond ASCII for the three roles that are its own.
PATRONIS_OWN = {"pg-superuser", "pg-replication", "pg-rewind"}

# Values that no format may change on their way into a container: those that every judge sees as well.
_HOSTILE = json.loads((places.ROOT / "tests/cases/hostile/cluster.json").read_text())["pods"]["web"]["containers"]["main"]
UGLY = {key: _HOSTILE[key] for key in ["environment", "command", "config_files"]}
# Administrators read Patroni's list and the proxies' statistics. They may dial one port of `stranger` more than it accepts.
_ADMINS = {
    "outbound": [
        {"port": "8008", "group": f"patroni-{CLUSTER}"},
        {"port": "7000", "group": f"proxy-{CLUSTER}"},
        {"port": "9100-9101", "host": "stranger.example.internal"},
        {"port": "any", "proto": "udp", "host": "stranger.example.internal"},
    ]
}
# From its first moment on, for two seconds.
_CALL_OUT = f"for _ in {{1..100}}; do echo stranger >/dev/udp/{switch.ADDRESS}/{CALLED}; sleep 0.02; done 2>/dev/null; exec python3 -c 'import signal; signal.pause()' \"$@\""


def password_of(secret):
    """The first password of a secret."""
    return f"{secret} {AWKWARD}" + ("" if secret in PATRONIS_OWN else " ä€😀")


def client(host, image=images.CLIENT):
    """A pod that sleeps until a scenario runs something in it."""
    return {
        "host": host,
        "groups": ["app-client"],
        "uses": [CLUSTER],
        "containers": {
            "main": {
                "image": image,
                "entrypoint": ["sleep"],
                "command": ["infinity"],
                "environment": {"PGUSER": "app", "PGDATABASE": "app", "PGCONNECT_TIMEOUT": "5"},
                "secrets": [{"secret": "pg-app", "env": "PGPASSWORD"}],
            }
        },
    }


def base():
    """The description as a dictionary, to be changed by scenarios."""
    secrets = ["pg-superuser", "pg-replication", "pg-rewind", "pg-barman", "pg-app"]
    return {
        "version": 1,
        "networks": {NETWORK: {"cidr": "10.2.57.0/24", "dns_domain": "example.internal", "lighthouses": ["db1", "db3"]}},
        "hosts": {host: {"address": switch.address_of(host), "endpoints": {NETWORK: {"groups": ["admin"], "firewall": _ADMINS}}} for host in HOSTS},
        "secrets": {name: {"source": f"/etc/lab-secrets/{name}"} for name in secrets},
        "etcd_clusters": {"main": {"members": list(HOSTS)}},
        "patroni_clusters": {
            CLUSTER: {
                "etcd_cluster": "main",
                "members": ["db1", "db2"],
                "read_replicas": ["db3"],
                "backup_replicas": ["db3"],
                "proxies": list(HOSTS),
                "client_groups": ["app-client"],
                "patroni_api_groups": ["admin"],
                "superuser_secret": "pg-superuser",
                "replication_secret": "pg-replication",
                "rewind_secret": "pg-rewind",
                "barman_secret": "pg-barman",
                "roles": {"app": {"secret": "pg-app"}},
                "databases": {"app": {"owner": "app"}},
                "synchronous_mode": "on",
                # A shorter loop than the newest edition's, as platforms of the first one have it: what waits for a round waits half as long.
                "ttl": 20,
                "loop_wait": 5,
                "retry_timeout": 5,
                "postgres_config": {"parameters": {"shared_buffers": "64MB", "max_connections": 200}},
            }
        },
        "barman_servers": {
            "barman": {
                "host": "db3",
                "sources": [{"cluster": CLUSTER, "frequency": "30 3 * * *", "minimum_redundancy": 1, "recovery_window": 30}],
            }
        },
        "pods": {
            **{f"client-{host}": client(host) for host in HOSTS},
            "stranger": {
                "host": "db1",
                "firewall": {"inbound": [{"port": "9100", "group": "admin"}, {"port": "5514", "proto": "udp", "cidr": "10.2.57.0/28"}]},
                "containers": {"main": {"image": images.CLIENT, "entrypoint": ["bash", "-c", _CALL_OUT, "stranger"], **UGLY}},
            },
        },
    }
