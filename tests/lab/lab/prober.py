# Runs on a host. Standard input holds a JSON list of network namespaces: a `pid` in each (null: where this runs) and its `sockets`, each a
# protocol, an address and a port. Tries all of them at once and prints, in the same order, whether each is `open`, `refused` or `closed`.
import errno
import itertools
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
# A raw socket hears answers to others' requests as well, before it is connected.
requests = itertools.count()
selector = select.epoll()


def checksum(packet):
    total = sum(struct.unpack(f"!{len(packet) // 2}H", packet))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


def begin(protocol, address, port):
    """A socket that tries, and by what it knows its answer."""
    family, _, _, _, target = socket.getaddrinfo(address, port, type=socket.SOCK_DGRAM)[0]
    if protocol == "tcp":
        probe = socket.socket(family, socket.SOCK_STREAM)
    elif protocol == "udp":
        probe = socket.socket(family, socket.SOCK_DGRAM)
    else:
        probe = socket.socket(family, socket.SOCK_RAW, ECHO[family][0])
    request = struct.pack("!HH", os.getpid() & 0xFFFF, next(requests) & 0xFFFF)
    probe.setblocking(False)
    problem = probe.connect_ex(target)
    if problem not in (0, errno.EINPROGRESS):
        raise OSError(problem, os.strerror(problem))
    if protocol == "udp":
        probe.send(b"probe")
    elif protocol == "icmp":
        head = struct.pack("!BB", ECHO[family][1], 0)
        probe.send(head + struct.pack("!H", checksum(head + request)) + request)
    return probe, request


def has_answered(protocol, probe, request):
    """Whether it has; a socket that carries an error raises it."""
    problem = probe.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if problem:
        raise OSError(problem, os.strerror(problem))
    if protocol == "tcp":
        return True
    packet = probe.recv(2048)
    if protocol == "udp":
        return True
    # A raw socket has the IP header before it.
    start = (packet[0] & 0xF) * 4 if probe.family == socket.AF_INET else 0
    return packet[start] == ECHO[probe.family][2] and packet[start + 4 : start + 8] == request


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
            tried, request = begin(*wanted)
            waiting[tried.fileno()] = (tried, wanted[0], request, here, number)
            selector.register(tried, select.EPOLLOUT if wanted[0] == "tcp" else select.EPOLLIN)
        except OSError as refusal:
            here[number] = name(refusal)

# What came in time counts, however late a busy machine lets this read it.
end = time.monotonic() + SECONDS
while waiting:
    events = selector.poll(max(0, end - time.monotonic()))
    if not events:
        break
    for descriptor, _ in events:
        tried, protocol, request, here, number = waiting[descriptor]
        try:
            if not has_answered(protocol, tried, request):
                continue
            here[number] = "open"
        except OSError as refusal:
            here[number] = name(refusal)
        selector.unregister(tried)
        del waiting[descriptor]
        tried.close()
print(json.dumps(outcomes))
