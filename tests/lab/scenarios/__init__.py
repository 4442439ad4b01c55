"""The scenarios, in the order in which a whole run takes them. Each is a file here with a function `run(lab)`, and leaves the cluster healthy.

Scenarios share the hosts of `lab.platform.Platform`. A module that has a `Platform` of its own gets that one's hosts instead.
"""

ORDER = ["fresh", "backup", "ugly-values", "identity", "proxies", "throughput", "power-cut", "reboot", "partition", "stale-promotion", "etcd", "etcd-members", "change", "certificates", "secrets",
         "moments", "dropped", "rebuilt", "plain", "runbook", "drill", "upgrade", "campaign", "figures", "stalls", "first-cluster", "no-mirror"]

# What only a run with `--full` takes, and one that names it.
FULL = {"upgrade", "campaign", "figures", "stalls"}

# What measures speed, and so has this machine to itself.
ALONE = {"throughput"}
