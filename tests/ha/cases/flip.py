"""HAProxy's check flips from one server to the other while clients connect, as at a switchover: no client may be left without an answer.

The proxy runs with the rendered settings, at the rendered addresses. Behind it stand-ins: Patroni's REST interface that says who is the
primary, and PostgreSQL that is refused on the old primary and greets on the new one.
"""

import http.server
import socket
import subprocess
import threading
import time

from trial import rendered
from trial.host import Host, address_on_switch, own_switch

CLIENTS = 60
# Longer than HAProxy takes to mark a server down or up, and than its retries of a connection.
ANSWER = 10
PORT = 5432
GREETING = b"R"


def with_(case):
    """With the rendered settings nobody hangs."""
    hanging = flips(case, rendered.PROXY.read_text())
    case.measure("clients that hang", hanging, f"of {CLIENTS}")
    case.expect(hanging == 0, f"{hanging} of {CLIENTS} clients got no answer within {ANSWER} s")


def without(case):
    """With retries in the primary's listener, as before. Returns how many clients hang."""
    settings = rendered.PROXY.read_text()
    case.expect(settings.count("    retries 0\n") == 1, f"no `retries 0` in {rendered.PROXY.name}: nothing to take out")
    hanging = flips(case, settings.replace("    retries 0\n", "    retries 2\n"))
    case.measure("clients that hang", hanging, f"of {CLIENTS}")
    return hanging


def flips(case, settings):
    """Runs one flip, and returns how many clients hang."""
    own_switch()
    addresses = [rendered.member_address(name) for name in rendered.NAMES]
    address_on_switch(addresses[0].rpartition(".")[0] + ".254")
    for address in addresses:
        address_on_switch(address)
    proxy_host = Host(case, "proxy", addresses[0].rpartition(".")[0] + ".253")
    file = proxy_host.directory / "haproxy.cfg"
    file.write_text(settings)
    old, new = addresses[:2]
    primary = [old]
    for address in addresses:
        serve_checks(address, primary)
    greet(new)
    case.say(proxy_host.run("haproxy", "-v").partition(" ")[2].partition(" 20")[0])
    clients = []
    with open(proxy_host.directory / "haproxy.log", "ab") as log:
        proxy = subprocess.Popen(proxy_host.enter("haproxy", "-W", "-db", "-f", file), stdout=log, stderr=log, start_new_session=True)
    try:
        wait_for_primary(case, proxy_host, old)
        case.say(f"{CLIENTS} clients connect, the old primary refuses them")
        for _ in range(CLIENTS):
            clients.append(Client(proxy_host.addresses[0]))
            clients[-1].start()
            time.sleep(0.02)
        time.sleep(1)
        primary[0] = new
        case.say("the check flips")
        end = time.monotonic() + ANSWER + 10
        while time.monotonic() < end and not all(client.is_served or client.waits() > ANSWER for client in clients):
            time.sleep(0.2)
        hanging = [client for client in clients if not client.is_served and client.waits() > ANSWER]
        served = sum(client.is_served for client in clients)
        closed = sum(client.refused for client in clients)
        case.say(f"{served} clients were served by the new primary, {len(hanging)} hang, {closed} times a connection was closed")
        case.expect(served + len(hanging) == CLIENTS, f"{CLIENTS - served - len(hanging)} clients were neither served nor left hanging")
        return len(hanging)
    finally:
        for client in clients:
            client.is_done = True
        proxy.kill()
        proxy.wait()
        proxy_host.remove()


class Client(threading.Thread):
    """Connects until it is greeted, as a driver does; what is closed is tried again."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self._address, self._since = address, None
        self.is_served, self.is_done, self.refused = False, False, 0

    def waits(self):
        """How long it has had a connection without an answer."""
        since = self._since
        return time.monotonic() - since if since else 0.0

    def run(self):
        while not self.is_served and not self.is_done:
            self._since = time.monotonic()
            try:
                with socket.create_connection((self._address, PORT), timeout=3 * ANSWER) as connection:
                    self.is_served = connection.recv(1) == GREETING
            except TimeoutError:
                return
            except OSError:
                pass
            if not self.is_served:
                self.refused += 1
                self._since = None
                time.sleep(0.1)


def serve_checks(address, primary):
    """Patroni's REST interface of a member, for the proxy's checks."""

    class Check(http.server.BaseHTTPRequestHandler):
        def do_OPTIONS(self):
            is_primary = primary[0] == address
            self.send_response(200 if {"/primary": is_primary, "/replica": not is_primary}.get(self.path, True) else 503)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer((address, 8008), Check)
    # The proxy gives up a check that is late.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()


def greet(address):
    """PostgreSQL of the new primary: says a byte to everybody, and holds the connection."""
    listener = socket.create_server((address, PORT), backlog=200)
    held = []

    def accept():
        while True:
            connection, _ = listener.accept()
            connection.send(GREETING)
            held.append(connection)

    threading.Thread(target=accept, daemon=True).start()


def wait_for_primary(case, proxy_host, address):
    """Waits until the proxy has that server up and the others down, by its own page."""
    def is_seen():
        try:
            with socket.create_connection((proxy_host.addresses[0], 7000), timeout=1) as page:
                page.sendall(b"GET /;csv HTTP/1.0\r\n\r\n")
                lines = page.makefile("r").read().splitlines()
        except OSError:
            return False
        states = {tuple(line.split(",")[:2]): line.split(",")[17] for line in lines if line.startswith("primary,db")}
        return sorted(states.values()) == ["DOWN", "DOWN", "UP"]

    case.wait_until(f"the proxy sees {address} as the primary", is_seen, 60)
