"""The scenarios, in the order in which a whole run takes them. Each is a file here with a function `run(lab)`, and leaves the cluster healthy."""

ORDER = ["fresh", "ugly-values", "identity", "proxies", "power-cut", "reboot", "partition", "etcd", "etcd-members", "change", "certificates", "secrets"]
