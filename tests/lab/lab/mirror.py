"""The hosts' way to the Debian mirror: an HTTP proxy on the switch that leads to the mirror of this machine's apt and nowhere else."""

import socket
import subprocess
import threading
import urllib.parse

from . import places, switch

_PORT = 3128
PROXY = f"http://{switch.ADDRESS}:{_PORT}"


class Relay:
    """Relays while it isn't closed. Every connection ends at the mirror, whatever it asks for."""

    def __init__(self):
        find = ["bash", "-c", '. "$1" && find_mirror', "bash", places.ROOT / "tests/debian.sh"]
        url = urllib.parse.urlsplit(subprocess.run(find, stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
        self._mirror = url.hostname, url.port or (443 if url.scheme == "https" else 80)
        self._listener = switch.listen(_PORT)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        """Takes the way to the mirror away."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client):
        with client, socket.create_connection(self._mirror) as mirror:
            head = client.recv(65536)
            if head.startswith(b"CONNECT "):
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                # A server of HTTP/1.1 takes what a proxy is asked as it is.
                mirror.sendall(head)
            back = threading.Thread(target=_pump, args=(mirror, client), daemon=True)
            back.start()
            _pump(client, mirror)
            back.join()


def _pump(source, target):
    """Copies until the source ends, and ends the target."""
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
