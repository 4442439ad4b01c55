"""What the description and its lock mean, as arguments of podman. Shares nothing with the generator, on purpose.

Below `generic`, which is what Quadlet adds by itself, stands one function per kind of pod, in the order of the design.
"""

import datetime
import json
import shlex
from dataclasses import dataclass, field

CONFIG = "/etc/containerops"
DATA = "/var/containerops/data"
NEBULA_UID = 4242
POSTGRES_UID = 5432
ETCD_UID = 2379
HAPROXY_UID = 99
ANY = "*"  # An argument whose value is not fixed by the design.


@dataclass
class Endpoint:
    """A pod's place, as the lock has it."""

    network: str
    hostname: str
    host: str
    address: str
    port: int
    bridge_address: str
    underlay: str


@dataclass
class Container:
    """One container, as podman has to be told."""

    unit: str
    pod: str
    image: str
    options: list
    command: list = field(default_factory=list)
    notify: str = "conmon"
    # Commands of the host before each start.
    before: list = field(default_factory=list)


@dataclass
class Pod:
    """One pod, as podman has to be told, and its containers."""

    name: str
    options: list
    containers: list


PATRONI_ROLES = {"superuser": "PATRONI_SUPERUSER_PASSWORD", "replication": "PATRONI_REPLICATION_PASSWORD", "rewind": "PATRONI_REWIND_PASSWORD"}


class Platform:
    """A description with its lock."""

    def __init__(self, description, lock):
        self.description, self.lock = description, lock
        self.networks = description["networks"]

    def network_of(self, entry):
        return entry.get("network") or next(iter(self.networks))

    def endpoint(self, network, placement, default):
        name = placement.get("hostname") or f"{default}.{self.networks[network]['dns_domain']}"
        entry = self.lock["networks"][network][name]
        return Endpoint(network, name, placement["host"], entry["address"], entry["port"], entry.get("bridge_address", ""), self.underlay(placement["host"]))

    def underlay(self, host):
        """What a published port is bound to: the host's own address, where the description names one."""
        address = self.description["hosts"][host].get("underlay_address")
        return f"{address}:" if address else ""

    def placed(self, kind, cluster, entries, suffix=""):
        """Host and endpoint of each member or proxy of a cluster."""
        network = self.network_of(self.description[kind][cluster])
        for entry in entries:
            entry = {"host": entry} if isinstance(entry, str) else entry
            yield entry, self.endpoint(network, entry, f"{entry['host']}.{cluster}{suffix}")

    def etcd_members(self, cluster):
        return sorted(self.placed("etcd_clusters", cluster, self.description["etcd_clusters"][cluster]["members"], "-etcd"),
                      key=lambda pair: pair[0]["host"])

    def patroni_members(self, cluster):
        entry = self.description["patroni_clusters"][cluster]
        return list(self.placed("patroni_clusters", cluster, [*entry["members"], *entry.get("read_replicas", [])]))

    def proxies(self, cluster):
        return list(self.placed("patroni_clusters", cluster, self.description["patroni_clusters"][cluster].get("proxies", []), "-proxy"))

    def backed_up(self, cluster):
        return any(source["cluster"] == cluster for server in self.description.get("barman_servers", {}).values() for source in server["sources"])

    def pods(self, host):
        """The pods that a host has to run, by name."""
        found = {}
        for name in self.description.get("etcd_clusters", {}):
            found |= {f"etcd-{name}": etcd(self, name, m, e) for m, e in self.etcd_members(name) if m["host"] == host}
        for name in self.description.get("patroni_clusters", {}):
            found |= {f"patroni-{name}": patroni(self, name, e) for m, e in self.patroni_members(name) if m["host"] == host}
            found |= {f"proxy-{name}": proxy(self, name, e) for m, e in self.proxies(name) if m["host"] == host}
        for name, server in self.description.get("barman_servers", {}).items():
            if server["host"] == host:
                found["barman"] = barman(name, server, self.endpoint(self.network_of(server), server, name))
                found |= {f"postgres-{export}": postgres(self, export, entry, self.postgres_place(name, export)) for export, entry in with_postgres(server)}
        for name, entry in self.description.get("pods", {}).items():
            if entry["host"] == host:
                found[name] = user_pod(self, name, entry)
        for pod in found.values():
            for container in pod.containers:
                container.options += self.overridden(f"{container.unit}.container")
            pod.options += self.overridden(f"{pod.name}.pod")
        return found

    def postgres_place(self, server_name, export):
        """The endpoint of an export's PostgreSQL, which is on its Barman's host."""
        server = self.description["barman_servers"][server_name]
        placement = {**server["exports"][export]["postgres"], "host": server["host"]}
        return self.endpoint(self.network_of(server), placement, f"{export}.{server_name}-export")

    def exports(self, host):
        """The command of each export's unit on a host."""
        for server in self.description.get("barman_servers", {}).values():
            for name, entry in server.get("exports", {}).items() if server["host"] == host else ():
                yield f"export-{name}.service", [f"{CONFIG}/bin/export", entry["cluster"], name, *export_options(entry)]

    def overridden(self, unit_file):
        """What the description's drop-in of a unit adds."""
        added = []
        for section in ("Container", "Pod"):
            for key, lines in self.description.get("overrides", {}).get(unit_file, {}).get(section, {}).items():
                for line in [lines] if isinstance(lines, str) else lines:
                    # Written as the unit file has it, so systemd still reads `%%` and `$$` as one.
                    added += OVERRIDES[key](line.replace("%%", "%").replace("$$", "$"))
        return added

    def config_files(self, host):
        """Where each config file of the user's lies on a host, and its content."""
        for pod_name, entry in self.description.get("pods", {}).items():
            for name, container in entry["containers"].items() if entry["host"] == host else ():
                for directory, files in container.get("config_files", {}).items():
                    for file, text in files.items():
                        yield f"{CONFIG}/{pod_name}/{name}{directory}/{file}", text

    def environment_files(self, host):
        """Where each file of a container's environment lies on a host, and its variables."""
        for name in self.description.get("etcd_clusters", {}):
            for member, place in self.etcd_members(name):
                if member["host"] == host:
                    yield etcd_initial(name), etcd_initial_variables(self, name, member, place)

    def host_endpoints(self, host):
        """The host's own endpoints, each a container in the host's network namespace."""
        for network, entry in self.description["hosts"][host].get("endpoints", {}).items():
            yield self.endpoint(network, {**entry, "host": host}, host)


def podman_args(line):
    """Words of `PodmanArgs=`; each stands for itself, so one with a value has a `=` in it."""
    return [(name, value if equals else None) for name, equals, value in (word.partition("=") for word in shlex.split(line))]


# A key that isn't here stops the judge: add it with the case that needs it.
OVERRIDES = {
    "PodmanArgs": podman_args,
    "Environment": lambda line: [("--env", word) for word in shlex.split(line)],
    "Label": lambda line: [("--label", word) for word in shlex.split(line)],
    "Ulimit": lambda line: [("--ulimit", line)],
    "Timezone": lambda line: [("--tz", line)],
    "Memory": lambda line: [("--memory", line)],
}


def generic(version, container):
    """What Quadlet adds to every container by itself. The newest one names the pod and keeps no cidfile."""
    added = [("--name", container.unit), ("--replace", None), ("--rm", None), ("--cgroups", "split"), ("--sdnotify", container.notify), ("-d", None)]
    if version == "5.4.2":
        added.append(("--cidfile", f"/run/{container.unit}.cid"))
    if container.pod:
        added.append(("--pod-id-file", f"/run/{container.pod}-pod.pod-id") if version == "5.4.2" else ("--pod", container.pod))
    return added


def generic_pod(version, name):
    """What Quadlet adds to every pod by itself."""
    added = [("--infra-conmon-pidfile", f"/run/{name}-pod.pid"), ("--exit-policy", "stop"), ("--replace", None),
             ("--infra-name", f"{name}-infra"), ("--name", name), ("--network", "underlay")]
    if version == "5.4.2":
        added.append(("--pod-id-file", f"/run/{name}-pod.pod-id"))
    return added


def env(**variables):
    return [("--env", f"{name}={value}") for name, value in variables.items()]


def volume(source, target, *flags):
    return ("-v", ":".join([source, target, *([",".join(flags)] if flags else [])]))


def config(pod, container, target, below=""):
    return volume(f"{CONFIG}/{pod}/{container}{below}", target, "ro", "Z")


def user(uid):
    return ("--user", f"{uid}:{uid}")


def stop_timeout(seconds):
    return ("--stop-timeout", str(seconds))


# Every container logs to the journal; one of a pulled image pulls it when it is missing. Those beside Nebula don't get the host's proxy.
LOGGED, MISSING = ("--log-driver", "journald"), ("--pull", "missing")
PULLED = [LOGGED, ("--http-proxy", "false"), MISSING]
BUILT = [LOGGED, ("--http-proxy", "false"), ("--pull", "never")]
CONFINED = [("--cap-drop", "all"), ("--security-opt", "no-new-privileges"), ("--read-only", None)]
SIDECAR = [
    LOGGED, MISSING, user(NEBULA_UID), ("--cap-drop", "all"), ("--cap-add", "net_admin"), ("--device", "/dev/net/tun"), ("--read-only", None), stop_timeout(10),
]


def image_of(entry, key="image"):
    """A built image's reference holds a hash that only the generator knows."""
    return entry.get(key, ANY), PULLED if key in entry else BUILT


def pod(name, place, containers, extra=()):
    sidecar = nebula_sidecar(f"{name}-nebula", name, place)
    options = [("--ip", place.bridge_address), ("--publish", f"{place.underlay}{place.port}:{place.port}/udp"), *extra]
    return Pod(name, options, [sidecar, *containers])


def nebula_sidecar(unit, pod_name, place):
    directory = volume(f"{CONFIG}/nebula/networks/{place.network}/endpoint/{place.hostname}", "/config", "ro", "Z")
    return Container(unit, pod_name, ANY, [*SIDECAR, directory], ["-config", "/config/config.yml"], notify="container")


def etcd_initial(cluster):
    """The file of what a member reads only until it has data."""
    return f"{CONFIG}/etcd-{cluster}/main/initial.env"


def etcd_initial_variables(platform, cluster, member, place):
    peers = [f"{m['host']}=http://{p.address}:2380" for m, p in platform.etcd_members(cluster)]
    return {
        "ETCD_INITIAL_ADVERTISE_PEER_URLS": f"http://{place.address}:2380",
        "ETCD_INITIAL_CLUSTER": ",".join(peers),
        "ETCD_INITIAL_CLUSTER_STATE": member.get("initial_cluster_state", "new"),
        "ETCD_INITIAL_CLUSTER_TOKEN": f"etcd-{cluster}",
    }


def etcd(platform, cluster, member, place):
    name = f"etcd-{cluster}"
    variables = env(
        ETCD_NAME=member["host"],
        ETCD_DATA_DIR="/var/lib/etcd",
        ETCD_LISTEN_PEER_URLS="http://0.0.0.0:2380",
        ETCD_LISTEN_CLIENT_URLS="http://0.0.0.0:2379",
        ETCD_ADVERTISE_CLIENT_URLS=f"http://{place.address}:2379",
        ETCD_STRICT_RECONFIG_CHECK="true",
        ETCD_AUTO_COMPACTION_MODE="periodic",
        ETCD_AUTO_COMPACTION_RETENTION="1h",
        ETCD_QUOTA_BACKEND_BYTES=str(2 << 30),
    )
    health = [("--health-cmd", '["etcdctl", "endpoint", "health", "--command-timeout=4s"]'), *health_every(30, 5)]
    return pod(name, place, [Container(
        f"{name}-main", name, platform.description["etcd_clusters"][cluster].get("image", ANY),
        [*PULLED, *CONFINED, *variables, ("--env-file", etcd_initial(cluster)), *health, volume(f"{DATA}/etcd/{cluster}", "/var/lib/etcd", "Z"),
         user(ETCD_UID), ("--entrypoint", '["etcd"]'), stop_timeout(10)])])


def health_every(interval, timeout):
    return [("--health-interval", f"{interval}s"), ("--health-timeout", f"{timeout}s"), ("--health-on-failure", "none")]


def patroni(platform, cluster, place):
    entry = platform.description["patroni_clusters"][cluster]
    name = f"patroni-{cluster}"
    image, how = image_of(entry)
    config_file = "/etc/patroni/patroni.yml"
    own = {variable: entry[f"{role}_secret"] for role, variable in PATRONI_ROLES.items()}
    secrets = [("--secret", f"{podman_secret(s)},type=env,target={variable}") for variable, s in own.items()]
    secrets.append(secret_mount(f"containerops.passwords.{cluster}", "/run/secrets/passwords", POSTGRES_UID, POSTGRES_UID, "0400"))
    volumes = [config(name, "main", "/etc/patroni"), config(name, "dynamic", "/etc/containerops"),
               config(name, "start", "/usr/local/lib/containerops"), volume(f"{DATA}/patroni/{cluster}", "/var/lib/postgresql", "Z")]
    restore = entry.get("restore_from_backup")
    if restore and restore["host"] == place.host:
        volumes.append(volume(restore["path"], "/restored", "ro", "z"))
    health = [("--health-cmd", '["bash", "/etc/patroni/liveness.sh"]'), *health_every(30, 5)]
    device = [("--device", "/dev/watchdog"), *env(CONTAINEROPS_WATCHDOG="device")] if entry.get("watchdog") == "device" else []
    return pod(name, place, [Container(
        f"{name}-main", name, image,
        [*how, *CONFINED, *env(PATRONICTL_CONFIG_FILE=config_file), *device, *secrets, *volumes, *health, ("--tmpfs", "/run/postgresql:mode=1777"),
         user(POSTGRES_UID), ("--entrypoint", '["python3","/usr/local/lib/containerops/start.py"]'), stop_timeout(120)],
        [config_file], before=[["/usr/bin/env", "chgrp", str(POSTGRES_UID), "/dev/watchdog"], ["/usr/bin/env", "chmod", "0660", "/dev/watchdog"]] if device else []), Container(
        f"{name}-keeper", name, image,
        [*how, *CONFINED, ("--secret", f"{podman_secret(entry['superuser_secret'])},type=env,target=PGPASSWORD"), config(name, "keeper", "/etc/keeper"),
         user(POSTGRES_UID), ("--entrypoint", '["python3","/etc/keeper/keeper.py"]'), stop_timeout(10)],
        [])], [("--shm-size", "1024m")])


def proxy(platform, cluster, place):
    name = f"proxy-{cluster}"
    place_of_config = "/usr/local/etc/haproxy"
    return pod(name, place, [Container(
        f"{name}-main", name, platform.description["patroni_clusters"][cluster].get("proxy_image", ANY),
        [*PULLED, *CONFINED, config(name, "main", place_of_config), user(HAPROXY_UID), ("--entrypoint", '["haproxy"]'),
         ("--stop-signal", "TERM"), stop_timeout(10)],
        ["-W", "-db", "-f", f"{place_of_config}/haproxy.cfg"])])


def barman(server_name, server, place):
    image, how = image_of(server)
    restored, reports = f"{DATA}/barman_restored", f"{DATA}/barman_reports"
    return pod("barman", place, [Container(
        "barman-main", "barman", image,
        [*how, *CONFINED, *env(HOME="/var/lib/barman", TZ="UTC"), config("barman", "main", "/etc/barman"),
         volume(f"{DATA}/barman", "/var/lib/barman", "Z"), volume(restored, restored, "z"), volume(reports, reports, "z"),
         secret_mount(f"containerops.passfile.{server_name}", "/run/secrets/passfile", POSTGRES_UID, POSTGRES_UID, "0400"),
         user(POSTGRES_UID), ("--init", None), ("--entrypoint", '["python3"]'), stop_timeout(30)],
        ["/etc/barman/crond.py", "/etc/barman/crontab"])])


def with_postgres(server):
    return [(name, entry) for name, entry in server.get("exports", {}).items() if "postgres" in entry]


def export_options(entry):
    """What barman-restore is told, in its own words; times are in UTC."""
    if "target_time" in entry:
        time = datetime.datetime.fromisoformat(entry["target_time"]).astimezone(datetime.timezone.utc)
        yield f"--target-time={time.isoformat(timespec='milliseconds' if time.microsecond else 'seconds')}"
    elif "target_lsn" in entry:
        yield f"--target-lsn={entry['target_lsn'].upper()}"
    elif "target_xid" in entry:
        yield f"--target-xid={entry['target_xid']}"
    elif "target_name" in entry:
        yield f"--target-name={entry['target_name']}"
    else:
        yield "--latest"
    if entry.get("exclusive"):
        yield "--exclusive"
    if "backup_id" in entry:
        yield f"--backup-id={entry['backup_id']}"


def postgres(platform, export, entry, place):
    """Plain PostgreSQL on what an export made: its own settings stand on the command line, so that the directory can be moved."""
    name = f"postgres-{export}"
    cluster = platform.description["patroni_clusters"][entry["cluster"]]
    image, how = image_of(cluster)
    settings = ["hba_file=/etc/postgres/pg_hba.conf", "listen_addresses=*", "port=5432", "unix_socket_directories=/run/postgresql",
                "archive_mode=off", "logging_collector=off", "log_destination=stderr"]
    program = f"/usr/lib/postgresql/{cluster.get('postgres_version', 17)}/bin/postgres"
    return pod(name, place, [Container(
        f"{name}-main", name, image,
        [*how, *CONFINED, config(name, "main", "/etc/postgres"), volume(f"{DATA}/barman_restored/{export}", "/var/lib/postgresql/data", "z"),
         ("--tmpfs", "/run/postgresql:mode=1777"), user(POSTGRES_UID), ("--entrypoint", json.dumps([program])), ("--stop-signal", "INT"), stop_timeout(120)],
        ["-D", "/var/lib/postgresql/data", *(word for setting in settings for word in ("-c", setting))])], [("--shm-size", "1024m")])


def user_pod(platform, name, entry):
    place = platform.endpoint(platform.network_of(entry), entry, name)
    used = [next(p for m, p in platform.proxies(cluster) if m["host"] == entry["host"]) for cluster in entry.get("uses", [])]
    extra = [("--add-host", f"{proxy.hostname}:{proxy.address}") for proxy in used]
    for port in entry.get("publish", []):
        address = port.get("address", "0.0.0.0")
        extra.append(("--publish", f"{address}:{port['host_port']}:{port['port']}/{port.get('proto', 'tcp')}"))
    containers = [user_container(name, stem, container, used) for stem, container in entry["containers"].items()]
    return pod(name, place, containers, extra)


def user_container(pod_name, name, entry, used):
    variables = dict(entry.get("environment", {}))
    if len(used) == 1 and not any(s.get("env") == "PGHOST" for s in entry.get("secrets", [])):
        variables.setdefault("PGHOST", used[0].address)
    options = [*PULLED, stop_timeout(10)]
    options += env(**variables)
    options += [secret(s) for s in entry.get("secrets", [])]
    options += [user_volume(pod_name, v) for v in entry.get("volumes", [])]
    options += [config(pod_name, name, directory, directory) for directory in entry.get("config_files", {})]
    options += [("--cap-add", c.lower()) for c in entry.get("capabilities", [])]
    options += [("--device", d) for d in entry.get("devices", [])]
    options += [("--sysctl", f"{key}={value}") for key, value in entry.get("sysctls", {}).items()]
    if entry.get("entrypoint"):
        options.append(("--entrypoint", json.dumps(entry["entrypoint"])))
    return Container(f"{pod_name}-{name}", pod_name, entry["image"], options, entry.get("command", []))


def user_volume(pod_name, entry):
    access = ["ro"] if entry.get("read_only") else []
    if "source" in entry:
        return volume(entry["source"], entry["mount"], *access)
    return volume(f"{DATA}/pods/{pod_name}/{entry['name']}", entry["mount"], *access, "z")


def podman_secret(name):
    return f"containerops.secret.{name}"


def secret(entry):
    if "env" in entry:
        return ("--secret", f"{podman_secret(entry['secret'])},type=env,target={entry['env']}")
    return secret_mount(podman_secret(entry["secret"]), entry["mount"], entry.get("uid", 0), entry.get("gid", 0), entry.get("mode", "0400"))


def secret_mount(name, target, uid, gid, mode):
    return ("--secret", f"{name},type=mount,target={target},uid={uid},gid={gid},mode={mode}")
