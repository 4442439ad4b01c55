"""A scratch PostgreSQL 17, from the data directory that the tree holds ready."""

import subprocess
from pathlib import Path

from bundle import bind, run

BIN = Path("/usr/lib/postgresql/17/bin")
AS_POSTGRES = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
DATA = Path("/tmp/postgres")
SOCKET = Path("/tmp/postgres-socket")

# What a password may hold, all of it.
PASSWORDS = (
    """it's "quoted" `id` $(id) ${HOME} $$ %n 100%% *""",
    r"  back\slash \\ two \: colon: and@at #hash ;semi" + "\ttab  ",
    "zażółć €uro 𝄞 日本 " + "a" * 300 + ":\\",
    "-n",
)


def make_data():
    if not DATA.exists():
        subprocess.run(["cp", "-a", "/opt/scratch-postgres/data", DATA], check=True)
        SOCKET.mkdir()
        subprocess.run(["chown", "postgres:", SOCKET], check=True)


class Server:
    """A server that is up within the `with`."""

    def __init__(self, **settings):
        self.settings = {"unix_socket_directories": SOCKET, "listen_addresses": "", "fsync": "off"} | settings

    def __enter__(self):
        make_data()
        options = " ".join(f"-c {key}='{value}'" for key, value in self.settings.items())
        self.ctl("start", "-w", "-l", "/tmp/postgres.log", "-o", options)
        return self

    def __exit__(self, *_):
        self.ctl("stop", "-m", "immediate")

    def ctl(self, verb, *argv):
        Path("/tmp/postgres.log").touch()
        subprocess.run(["chown", "postgres:", "/tmp/postgres.log"], check=True)
        done = subprocess.run([*AS_POSTGRES, BIN / "pg_ctl", verb, "-D", DATA, *argv], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/tmp", check=False)
        if done.returncode:
            raise RuntimeError(f"pg_ctl {verb}: {Path('/tmp/postgres.log').read_text()}")

    def query(self, sql):
        """The rows as lists of texts."""
        done = run(["psql", "-XAtq", "-F", "\x1f", "-h", SOCKET, "-U", "postgres", "-d", "postgres", "-v", "ON_ERROR_STOP=1"], input=sql)
        done.check_returncode()
        return [line.split("\x1f") for line in done.stdout.splitlines()]

    def make_role(self, name, password):
        """A role that may log in, made or changed; the password's own quotes are the only thing to mind."""
        quoted = "'" + password.replace("'", "''") + "'"
        self.query("set standard_conforming_strings = on;\n"
                   f"select 'create role \"{name}\" login' where not exists (select from pg_roles where rolname = '{name}') \\gexec\n"
                   f"alter role \"{name}\" password {quoted};\n")


def check_settings(settings):
    """What the server says against these settings; an empty text when it takes them."""
    make_data()
    argv = [*AS_POSTGRES, BIN / "postgres", "-D", DATA, "-C", "port"]
    for key, value in settings.items():
        argv += ["-c", f"{key}={value}"]
    done = run(argv, cwd="/tmp")
    return done.stderr if done.returncode else ""


def make_binaries(directory):
    """Other majors than the tree's are served by its own programs: what counts is the configuration."""
    if directory and not Path(directory).exists():
        bind(BIN, directory)
