"""Three empty hosts become a cluster that takes writes through every proxy; a second `activate` changes nothing.

The bring-up itself is measured before each first scenario of a run; what it left is looked at here.
"""


def run(lab):
    for host in lab.hosts:
        lab.sql(host, f"create table if not exists fresh (host text); insert into fresh values ('{host}')")
    written = lab.sql("db1", "select string_agg(host, ' ' order by host) from fresh")
    lab.expect(written == "db1 db2 db3", f"not every proxy took a write: {written}")
    lab.sql("db1", "drop table fresh")

    for name, host in lab.hosts.items():
        units = host.output("systemctl", "list-units", "--all", "--plain", "--no-legend", "*-pod.service", "*-nebula.service", "*-main.service",
                            "host-*.service", "containerops-*")
        not_active = [line for line in units.splitlines() if line.split()[2] != "active"]
        lab.expect(units and not not_active, f"{name} has units that are not active: {not_active}")
        lab.wait_whole(name)
        restarts = host.output("systemctl", "show", "--property", "Id,NRestarts", *[line.split()[0] for line in units.splitlines()])
        lab.measure(f"restarts on {name}", sum(int(line.partition("=")[2]) for line in restarts.splitlines() if line.startswith("NRestarts")), "")

    before = {name: _processes(host) for name, host in lab.hosts.items()}
    for name, answer in lab.everywhere(lambda host: lab.activate(host.name)).items():
        lab.expect("Nothing to do" in answer.stdout, f"the second activate on {name} did something:\n{answer.stdout}")
    lab.expect({name: _processes(host) for name, host in lab.hosts.items()} == before, "the second activate restarted something")


def _processes(host):
    """The containers and when they started."""
    return host.output("podman", "ps", "--format", "{{.Names}} {{.ID}}", "--sort", "names")
