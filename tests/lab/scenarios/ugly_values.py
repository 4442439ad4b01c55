"""Whatever characters a value has, it arrives in the container byte for byte: environment, arguments, files, a secret."""

from lab import description


def run(lab):
    host, container, ugly = lab.hosts["db1"], "stranger-main", description.UGLY
    environment = _split(host, container, "/proc/1/environ")
    for name, value in ugly["environment"].items():
        lab.expect(f"{name}={value}" in environment, f"{name} did not arrive as {value!r}: {[text for text in environment if text.startswith(name)]}")
    arguments = _split(host, container, "/proc/1/cmdline")
    lab.expect(arguments[-len(ugly["command"]):] == ugly["command"], f"the arguments arrived as {arguments}")
    for directory, files in ugly["config_files"].items():
        for name, text in files.items():
            arrived = _read(host, container, f"{directory}/{name}")
            lab.expect(arrived == text, f"{directory}/{name} did not arrive as {text!r}: {arrived!r}")
    password = lab.passwords["pg-app"]
    lab.expect(f"PGPASSWORD={password}" in _split(host, "client-db1-main", "/proc/1/environ"), "a secret did not arrive as it is")
    lab.measure("values that arrived unchanged", len(ugly["environment"]) + len(ugly["command"]) + sum(map(len, ugly["config_files"].values())) + 1, "")


def _read(host, container, path):
    """A file of a container, each byte of it: no newline is translated on the way."""
    return host.run("podman", "exec", container, "cat", path, text=False).stdout.decode()


def _split(host, container, path):
    """The words of a file that ends each with NUL."""
    return _read(host, container, path).split("\0")[:-1]
