"""docs/first-cluster.md, each command as it is printed, makes a cluster of three bare Debian hosts; a host builds its images from the mirror.

What leads to the cluster is typed when the hosts are brought up; here is what the page says to look at then.
"""

from lab.first_cluster import LOOKING, FirstCluster as Platform  # noqa: F401


def run(lab):
    lab.follow(lambda command: command.heading == LOOKING)
    for host in lab.hosts:
        lab.sql(host, f"create table if not exists first (host text); insert into first values ('{host}')")
        lab.wait_whole(host)
    written = lab.sql("db1", "select string_agg(host, ' ' order by host) from first")
    lab.expect(written == "db1 db2 db3", f"not every proxy took a write: {written}")
    lab.sql("db1", "drop table first")
    lab.expect(len(lab.builds("db3")) == 2, f"db3 did not build its two images: {lab.builds('db3')}")
