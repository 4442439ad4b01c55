"""The scenarios, in the order in which a whole run takes them. Each is a file here with a function `run(lab)`, and leaves the cluster healthy.

Scenarios share the hosts of `lab.platform.Platform`. A module that has a `Platform` of its own gets that one's hosts instead.
"""

ORDER = ["fresh", "backup", "ugly-values", "identity", "proxies", "throughput", "power-cut", "reboot", "partition", "etcd", "etcd-members", "change", "certificates", "secrets",
         "moments", "dropped", "rebuilt", "plain", "runbook", "drill", "first-cluster", "no-mirror"]

# What runs only when it is named, or with --full.
BESIDE = ["campaign"]

# What measures speed, and so has this machine to itself.
ALONE = {"throughput"}
