# Runs on a host. The first line of standard input is a JSON list of network namespaces as prober.py has it; listens on all of their sockets, takes
# every connection and sends every datagram back, until standard input ends. Then prints, as a JSON list, what datagrams it heard.
import json
import os
import select
import socket
import sys

selector = select.epoll()
sockets, heard = {}, set()


def listen(protocol, address, port):
    family, kind, _, _, here = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)[0]
    listener = socket.socket(family, kind)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if address == "::":
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    try:
        listener.bind(here)
    except OSError as problem:
        raise SystemExit(f"{protocol} {address} {port}: {problem}") from problem
    if protocol == "tcp":
        listener.listen(512)
    sockets[listener.fileno()] = listener
    selector.register(listener, select.EPOLLIN)


for namespace in json.loads(sys.stdin.readline()):
    if namespace["pid"]:
        with open(f"/proc/{namespace['pid']}/ns/net") as entrance:
            os.setns(entrance.fileno(), os.CLONE_NEWNET)
    for wanted in namespace["sockets"]:
        listen(*wanted)
print("listening", flush=True)
selector.register(sys.stdin, select.EPOLLIN | select.EPOLLHUP)
while True:
    ready = [descriptor for descriptor, _ in selector.poll()]
    if sys.stdin.fileno() in ready:
        break
    for descriptor in ready:
        listener = sockets[descriptor]
        try:
            if listener.type == socket.SOCK_STREAM:
                listener.accept()[0].close()
            else:
                datagram, sender = listener.recvfrom(2048)
                heard.add(datagram.decode().strip())
                listener.sendto(datagram, sender)
        except OSError:
            # The peer is gone already, or its lock lets no answer through.
            continue
print(json.dumps(sorted(heard)))
