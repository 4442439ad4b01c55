"""Certificates are renewed and the CA is rotated under load; wrong ones are refused before anything changes; a blocked one is cut off."""

import time

from .change import containers

_ENDPOINTS = "/etc/containerops/nebula/networks/internal/endpoint"


def run(lab):
    renew(lab)
    refuse(lab)
    block(lab)
    rotate(lab)


def under_load(lab, what, change):
    """Does something under a write load and beside an open session: neither notices, and no container restarts."""
    before = {host: containers(lab, host) for host in lab.hosts}
    session = lab.session("db2")
    with lab.load("db3") as load:
        time.sleep(2)
        load.mark()
        change()
        time.sleep(5)
    lab.measure(f"{what}: gap in writes", load.account.gap, "s")
    lab.expect(load.account.lost == 0 and not load.account.errors, f"{what}: {load.account}")
    lab.expect(session.works(), f"{what}: an open session died")
    session.close()
    lab.expect({host: containers(lab, host) for host in lab.hosts} == before, f"{what}: a container was restarted")


def renew(lab):
    """Every certificate is signed anew, and its key stays."""
    def change():
        said = lab.certify("--within", "366", "--days", "400").stdout
        lab.expect("0 of" not in said and "signed" in said, f"nothing was renewed: {said}")
        lab.deliver_certificates()
        for host, text in lab.activate_each().items():
            lab.expect("reload" in text and "restart" not in text, f"renewal on {host}:\n{text}")

    under_load(lab, "renewal of all", change)


def refuse(lab):
    """A missing, a foreign and an expired certificate are named together, and nothing changes."""
    before = containers(lab, "db1")
    endpoints = lab.endpoints()
    lab.operate("nebula-cert", "ca", "-name", "another", "-out-crt", "foreign.crt", "-out-key", "foreign.key")
    wrong = {"client-db1.example.internal": "foreign", "db1.app-proxy.example.internal": "ca/internal/ca-1"}
    for hostname, ca in wrong.items():
        lab.operate("nebula-cert", "sign", "-ca-crt", f"{ca}.crt", "-ca-key", f"{ca}.key", "-name", hostname, "-ip", endpoints[hostname]["address"] + "/24",
                    "-duration", "2s", "-out-crt", f"{hostname}.crt", "-out-key", f"{hostname}.key")
        lab.hosts["db1"].write(f"{_ENDPOINTS}/{hostname}/pki/host.crt", (lab.directory / f"{hostname}.crt").read_text())
    lab.hosts["db1"].run("rm", f"{_ENDPOINTS}/stranger.example.internal/pki/host.crt")
    time.sleep(3)
    done = lab.activate("db1", check=False)
    lab.expect(done.returncode == 2, f"wrong certificates: activate ended with {done.returncode}\n{done.stdout}{done.stderr}")
    for words in ["stranger.example.internal lacks host.crt", "client-db1.example.internal: the certificate is of a CA that", "db1.app-proxy.example.internal: the certificate expired"]:
        lab.expect(words in done.stderr, f"activate did not say “{words}”:\n{done.stderr}")
    lab.expect(containers(lab, "db1") == before, "a refused activate restarted something")
    lab.deliver_certificates()
    lab.activate("db1")


def block(lab):
    """An endpoint whose certificates are on the blocklist, the one before the renewal too, reaches nobody; a new one lets it in again."""
    calendar = lab.certify("--check").stdout
    fingerprints = [line.split()[4] for line in calendar.splitlines() if "client-db2.example.internal" in line]
    lab.expect(len(fingerprints) == 2, f"the calendar does not show the client's two certificates:\n{calendar}")
    lab.description["networks"]["internal"]["blocklist"] = fingerprints
    lab.render()
    lab.deliver()
    start = time.monotonic()
    lab.activate_each()
    lab.wait_until("the blocked client is cut off", lambda: lab.sql("db2", "select 1", check=False) == "", 60)
    lab.measure("blocked on three hosts after", time.monotonic() - start, "s")
    lab.expect(lab.sql("db3", "select 1") == "1", "a client that isn't blocked is cut off")
    lab.certify()
    lab.deliver_certificates()
    lab.activate_each()
    lab.wait_until("the client is back", lambda: lab.sql("db2", "select 1", check=False) == "1", 60)


def rotate(lab):
    """Trust both CAs, sign with the second, drop the first."""
    network = lab.description["networks"]["internal"]
    start = time.monotonic()
    for phase in [{"epoch": 1, "trusted_epochs": [1, 2]}, {"epoch": 2, "trusted_epochs": [1, 2]}, {"epoch": 2, "trusted_epochs": [2]}]:
        network.update(phase)
        under_load(lab, f"CA rotation, epoch {phase['epoch']}, trusted {phase['trusted_epochs']}", lab.apply)
    lab.measure("CA rotated in three phases", time.monotonic() - start, "s")
