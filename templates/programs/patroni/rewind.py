#!/usr/bin/env python3
"""pg_rewind as Patroni calls it, without the WAL that the member has already or does not need.

usage: rewind.py ARGUMENTS OF PG_REWIND…

Ends with pg_rewind's status and prints what it prints. pg_rewind copies the primary's whole pg_wal, where `wal_keep_size` may hold gigabytes, for
one row that differs. What the member needs of it is little: from the fork on the primary's, before the fork its own, which is the same byte for
byte. So pg_rewind is led to the primary through a door of ours, in the one query that lists the primary's files these names are left out:

- segments before the fork that the member has, or that lie before the checkpoint from which it will replay;
- segments behind the primary's last one, which wait there to be written.

pg_rewind removes what is not in that list, so the member's own segments from before the fork get a second name meanwhile, and the first one back.

Where something is not as it is known here (TLS to the primary, other words of pg_rewind), pg_rewind does what it always does.

A rewind that fails may leave a directory that is neither the old one nor the new one, and Patroni would start PostgreSQL on it. So after a failure
behind that query its control file gets another name, which PostgreSQL can't start without; and the keeper is told, which heals the member.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading

# Another address than the member's own, and its port: the line of the password file holds for both.
DOOR = "127.0.0.2"
SEGMENT = re.compile(r"[0-9A-F]{24}")
# How the query begins that lists the files of the primary, since PostgreSQL 9.5. Its columns are path, size, isdir and link_target.
LISTS_FILES = b"WITH RECURSIVE files (path, filename, size, isdir) AS ("
SSL_REQUEST, GSS_REQUEST = 80877103, 80877104
# Seconds that pg_rewind's words, which it wrote before its query, may be on their way.
PATIENCE = 10


def say(words):
    """Writes one line to where pg_rewind writes."""
    print("rewind.py:", words, file=sys.stderr, flush=True)


def number(lsn):
    """An LSN as a number of bytes."""
    high, low = lsn.split("/")
    return (int(high, 16) << 32) + int(low, 16)


class Directory:
    """What pg_rewind says of the member's data directory, and its WAL."""

    def __init__(self, path, program):
        self._path, self.wal = path, os.path.join(path, "pg_wal")
        home = os.path.dirname(path.rstrip("/"))
        self._kept, self._failed = os.path.join(home, "rewind-wal"), os.path.join(home, "rewind-failed")
        # Whether pg_rewind has come so far that it may have changed something.
        self.is_changed = False
        self._waldump = os.path.join(os.path.dirname(program), "pg_waldump")
        self._fork = self._checkpoint = None
        self._is_known = threading.Event()

    def hear(self, line):
        """Takes note of a line of pg_rewind."""
        if match := re.search(r"servers diverged at WAL location ([0-9A-F]+/[0-9A-F]+) on timeline", line):
            self._fork = match[1]
        if match := re.search(r"rewinding from last common checkpoint at ([0-9A-F]+/[0-9A-F]+) on timeline (\d+)", line):
            self._checkpoint = match[1], match[2]
        if self._fork and self._checkpoint:
            self._is_known.set()

    def keep(self):
        """Keeps the member's segments from before the fork. Returns the segments that it has and needs no copy of, and the two between which it needs
        what it does not have: the one of its redo and the one of the fork, each without a timeline; None where that isn't known."""
        if not self._is_known.wait(PATIENCE):
            return None
        size = self._segment_size()
        if size is None:
            return None
        fork, redo = self._place(number(self._fork), size), self._place(number(self._redo()), size)
        owned = sorted(name for name in os.listdir(self.wal) if SEGMENT.fullmatch(name) and name[8:] < fork
                       and os.path.getsize(os.path.join(self.wal, name)) == size)
        shutil.rmtree(self._kept, ignore_errors=True)
        os.mkdir(self._kept, 0o700)
        for name in owned:
            os.link(os.path.join(self.wal, name), os.path.join(self._kept, name))
        return owned, redo, fork

    def begin(self):
        """Takes back what an earlier rewind left."""
        if os.path.exists(self._failed):
            os.unlink(self._failed)
        self.give_back()

    def give_back(self):
        """Gives what was kept its name back, where it has none any more. What a rewind left that was killed is of use as long as the directory is the same one."""
        if not os.path.isdir(self._kept):
            return
        if os.stat(os.path.join(self._path, "PG_VERSION")).st_ctime > os.stat(self._kept).st_mtime:
            shutil.rmtree(self._kept)
            return
        for name in os.listdir(self._kept):
            try:
                os.link(os.path.join(self._kept, name), os.path.join(self.wal, name))
            except FileExistsError:
                pass
        wal = os.open(self.wal, os.O_RDONLY)
        os.fsync(wal)
        os.close(wal)
        shutil.rmtree(self._kept)

    def note(self, status):
        """Tells the keeper how the rewind ended, and PostgreSQL, by taking its control file's name away, not to start on half of a rewind."""
        if status == 0:
            return
        control = os.path.join(self._path, "global/pg_control")
        if self.is_changed and os.path.exists(control):
            os.replace(control, control + ".rewind-failed")
        with open(self._failed, "w", encoding="utf-8"):
            pass

    def _segment_size(self):
        sizes = {os.path.getsize(os.path.join(self.wal, name)) for name in os.listdir(self.wal) if SEGMENT.fullmatch(name)}
        return sizes.pop() if len(sizes) == 1 else None

    def _redo(self):
        """Where replay begins: the redo of the checkpoint that pg_rewind found."""
        lsn, timeline = self._checkpoint
        said = subprocess.run([self._waldump, "-p", self.wal, "-t", timeline, "-s", lsn, "-n", "1"], capture_output=True, text=True, check=True).stdout
        return re.search(r"CHECKPOINT_\w+ redo ([0-9A-F]+/[0-9A-F]+);", said)[1]

    @staticmethod
    def _place(lsn, size):
        """The name of the segment that holds an LSN, without its timeline."""
        high, low = divmod(lsn // size, (1 << 32) // size)
        return f"{high:08X}{low:08X}"


def filtered(query, owned, redo, fork):
    """The query that lists the primary's files, without the WAL that is not needed."""
    names = ",".join(owned)
    place = 'pg_catalog.substr(path, 16) COLLATE pg_catalog."C"'
    last = "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()), 9)"
    return (f"SELECT path, size, isdir, link_target FROM ({query}) AS listed (path, size, isdir, link_target) WHERE path IS NULL OR NOT ("
            f"path OPERATOR(pg_catalog.~) '^pg_wal/[0-9A-F]{{24}}$' AND ({place} < '{redo}' OR pg_catalog.substr(path, 8) = ANY ('{{{names}}}'::pg_catalog.text[]) AND {place} < '{fork}' "
            f"OR CASE WHEN pg_catalog.pg_is_in_recovery() THEN false ELSE {place} > {last} END))").encode()


class Door:
    """Where pg_rewind connects to; leads to the primary, and changes the one query on its way."""

    def __init__(self, port, primary, directory):
        self._primary, self._directory = primary, directory
        self._listener = socket.create_server((DOOR, port))
        self.received = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                server = socket.create_connection(self._primary, timeout=10)
            except OSError as error:
                say(f"{self._primary[0]}: {error}")
                return
            with server:
                server.settimeout(None)
                for one in (client, server):
                    one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                is_open = self._greet(client, server)
                back = threading.Thread(target=self._pass, args=(server, client), daemon=True)
                back.start()
                try:
                    self._messages(client, server) if is_open else self._pass(client, server)
                except OSError:
                    pass
                back.join()

    @staticmethod
    def _greet(client, server):
        """Passes the beginning on, up to what no byte names the kind of. Returns whether what follows can be read."""
        while True:
            length = _exactly(client, 4)
            rest = _exactly(client, struct.unpack("!I", length)[0] - 4)
            server.sendall(length + rest)
            if struct.unpack("!I", rest[:4])[0] not in (SSL_REQUEST, GSS_REQUEST):
                return True
            answer = server.recv(1)
            client.sendall(answer)
            if answer in (b"S", b"G"):
                return False

    def _messages(self, client, server):
        while True:
            head = _exactly(client, 5)
            kind, length = head[:1], struct.unpack("!I", head[1:])[0]
            body = _exactly(client, length - 4)
            if kind == b"Q" and body.startswith(LISTS_FILES):
                self._directory.is_changed = True
                body = self._changed(body)
            server.sendall(kind + struct.pack("!I", len(body) + 4) + body)

    def _changed(self, body):
        """The query without the WAL that is not needed, or as it is where that isn't known."""
        try:
            known = self._directory.keep()
        except (OSError, subprocess.SubprocessError, TypeError) as error:
            say(f"the whole of the primary's WAL is copied: {error}")
            return body
        if known is None:
            say("the whole of the primary's WAL is copied: pg_rewind did not say where the fork is")
            return body
        owned, redo, fork = known
        say(f"copies WAL from segment {fork} on; {len(owned)} segments before it stay as they are")
        return filtered(body.rstrip(b"\0").decode(), owned, redo, fork) + b"\0"

    def _pass(self, source, target):
        try:
            while data := source.recv(1 << 18):
                target.sendall(data)
                self.received += len(data)
        except OSError:
            pass
        finally:
            for one in (source, target):
                try:
                    one.shutdown(socket.SHUT_RDWR)
                except OSError:
                    # It is closed already.
                    pass


def _exactly(source, length):
    """So many bytes; fails with OSError at an early end."""
    read = b""
    while len(read) < length:
        more = source.recv(length - len(read))
        if not more:
            raise OSError("the connection was closed")
        read += more
    return read


def program():
    """The pg_rewind that this stands for: of Patroni's `bin_dir`, which this program takes the place of."""
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "patroni.yml"), encoding="utf-8") as file:
        found = re.search(r"""^\s*["']?bin_dir["']?:\s*["']?([^"',\s]+)""", file.read(), re.MULTILINE)
    return os.path.join(found[1] if found else "", "pg_rewind")


def value_of(arguments, *names):
    """The value of an option that is given as two arguments or with `=`; None without it."""
    for place, one in enumerate(arguments):
        for name in names:
            if one == name and place + 1 < len(arguments):
                return place + 1, arguments[place + 1]
            if name.startswith("--") and one.startswith(name + "="):
                return place, one[len(name) + 1:]
    return None, None


def main():
    real = program()
    arguments = sys.argv[1:]
    place, source = value_of(arguments, "--source-server")
    _, data = value_of(arguments, "-D", "--target-pgdata")
    host = re.search(r"(?:^|\s)host=([0-9.]+)(?:\s|$)", source or "")
    if not host or not data or "hostaddr=" in source:
        os.execvp(real, [real, *arguments])
    port = int((re.search(r"(?:^|\s)port=(\d+)(?:\s|$)", source) or [0, "5432"])[1])
    directory = Directory(data, real)
    directory.begin()
    try:
        door = Door(port, (host[1], port), directory)
    except OSError as error:
        say(f"the whole of the primary's WAL is copied: {error}")
        os.execvp(real, [real, *arguments])
    led = f"{source} hostaddr={DOOR}"
    arguments[place] = f"--source-server={led}" if arguments[place].startswith("--source-server=") else led
    process = subprocess.Popen([real, *arguments], stderr=subprocess.PIPE, text=True, errors="replace")
    for one in (signal.SIGTERM, signal.SIGINT):
        signal.signal(one, lambda number, _: process.send_signal(number))
    for line in process.stderr:
        directory.hear(line)
        print(line, end="", file=sys.stderr, flush=True)
    status = process.wait()
    directory.give_back()
    directory.note(status)
    say(f"{door.received / (1 << 20):.0f} MiB came from the primary")
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
