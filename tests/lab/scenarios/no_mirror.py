"""The Debian mirror goes for good and all hosts lose their power at once: everything comes up by itself, nothing is built or pulled."""

import time

from lab.first_cluster import FirstCluster as Platform  # noqa: F401
from lab.host import Host


def run(lab):
    lab.expect(lab.builds("db3"), "db3 had built nothing, so nothing would show")
    images = lab.everywhere(_images)
    lab.sql("db1", "create table kept (host text); insert into kept values ('db1')")
    lab.relay.close()
    answer = lab.hosts["db3"].run("apt-get", "update", check=False).stderr
    lab.expect("Unable to connect" in answer, f"the mirror is still there: {answer}")

    lab.everywhere(Host.cut_power)
    start = time.monotonic()
    lab.everywhere(Host.boot)
    lab.everywhere(Host.wait)
    lab.wait_healthy()
    lab.measure("power on to healthy cluster, no mirror", time.monotonic() - start, "s")
    for host in lab.hosts:
        lab.wait_until(f"a write through {host}'s proxy", lambda host=host: lab.sql(host, f"insert into kept values ('{host}')") == "INSERT 0 1")
    lab.measure("power on to writes through every proxy", time.monotonic() - start, "s")
    kept = lab.sql("db1", "select count(*) from kept")
    lab.expect(kept == "4", f"{kept} rows, not one of before the cut and three of after it")
    for host in lab.hosts:
        lab.wait_whole(host)
        lab.expect(not lab.builds(host), f"{host} built anew: {lab.builds(host)}")
    lab.expect(lab.everywhere(_images) == images, "the images are not the same")


def _images(host):
    return host.output("podman", "images", "--all", "--no-trunc", "--format", "{{.ID}} {{.Names}}")
