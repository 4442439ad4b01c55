# Runs on a host or in a pod's network namespace: one TCP stream, as fast as it goes.
#   receive PORT SECONDS    prints `listening`, takes one stream, and prints how many MB/s came in that time
#   send ADDRESS PORT       sends until the receiver has had enough
import socket
import sys
import time

CHUNK = 1 << 20
# The time that a stream has to find its pace; it doesn't count.
WARM_UP = 0.5


def receive(port, seconds):
    listener = socket.create_server(("", int(port)))
    listener.settimeout(20)
    print("listening", flush=True)
    stream, _ = listener.accept()
    buffer = bytearray(CHUNK)

    def take(seconds):
        start, taken = time.monotonic(), 0
        while time.monotonic() - start < seconds:
            count = stream.recv_into(buffer)
            if count == 0:
                sys.exit("the sender ended first")
            taken += count
        return taken / (time.monotonic() - start)

    take(WARM_UP)
    print(take(float(seconds)) / 1e6, flush=True)


def send(address, port):
    stream = socket.create_connection((address, int(port)), 10)
    chunk = bytes(CHUNK)
    try:
        while True:
            stream.sendall(chunk)
    except ConnectionError:
        pass


{"receive": receive, "send": send}[sys.argv[1]](*sys.argv[2:])
