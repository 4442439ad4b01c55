# Runs on a host. Standard input holds a JSON list of network namespaces: a `pid` in each (null: where this runs) and its `sockets`, each a
# protocol, an address and a port. Tries all of them at once and prints, in the same order, whether each is `open`, `refused` or `closed`.
import errno
import json
import os
import select
import socket
import struct
import sys
import time

SECONDS = 3
ECHO = {socket.AF_INET: (socket.IPPROTO_ICMP, 8, 0), socket.AF_INET6: (socket.IPPROTO_ICMPV6, 128, 129)}
outcomes, waiting = [], {}
selector = select.epoll()


def checksum(packet):
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def begin(protocol, address, port):
    family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    if protocol == "tcp":
        probe = socket.socket(family, socket.SOCK_STREAM)
    elif protocol == "udp":
        probe = socket.socket(family, socket.SOCK_DGRAM)
    else:
        probe = socket.socket(family, socket.SOCK_RAW, ECHO[family][0])
    probe.setblocking(False)
    problem = probe.connect_ex(target)
    if problem not in (0, errno.EINPROGRESS):
        raise OSError(problem, os.strerror(problem))
    if protocol == "udp":
        probe.send(b"probe")
    elif protocol == "icmp":
        head, rest = struct.pack("!BB", ECHO[family][1], 0), struct.pack("!HH", os.getpid() & 0xFFFF, 1)
        probe.send(head + struct.pack("!H", checksum(head + rest)) + rest)
    return probe


def has_answered(protocol, probe):
    """Whether it has; a socket that carries an error raises it."""
    problem = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if problem:
        raise OSError(problem, os.strerror(problem))
    if protocol == "tcp":
        return True
    packet = probe.recv(2048)
    if protocol == "udp":
        return True
    # A raw socket has the IP header before it, and its own request comes by when it asks itself.
    start = (packet[0] & 0xF) * 4 if probe.family == socket.AF_INET else 0
    return packet[start] == ECHO[probe.family][2]


def name(problem):
    return "refused" if problem.errno == errno.ECONNREFUSED else "closed"


for namespace in json.load(sys.stdin):
    if namespace["pid"]:
        with open(f"/proc/{namespace['pid']}/ns/net") as entrance:
            os.setns(entrance.fileno(), os.CLONE_NEWNET)
    here = ["closed"] * len(namespace["sockets"])
    outcomes.append(here)
    for number, wanted in enumerate(namespace["sockets"]):
        try:
            tried = begin(*wanted)
            waiting[tried.fileno()] = (tried, wanted[0], here, number)
            selector.register(tried, select.EPOLLOUT if wanted[0] == "tcp" else select.EPOLLIN)
        except OSError as refusal:
            here[number] = name(refusal)

end = time.monotonic() + SECONDS
while waiting and time.monotonic() < end:
    for descriptor, _ in selector.poll(end - time.monotonic()):
        tried, protocol, here, number = waiting[descriptor]
        try:
            if not has_answered(protocol, tried):
                continue
            here[number] = "open"
        except OSError as refusal:
            here[number] = name(refusal)
        selector.unregister(tried)
        del waiting[descriptor]
        tried.close()
print(json.dumps(outcomes))
