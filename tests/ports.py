"""Ports of the loopback for the servers of tests, which run in several processes at once.

One that the kernel chooses is free again once it is known: until the server binds it, any outgoing
connection of the machine may get it, and any other test. The kernel gives nobody those below its
range. A name in the abstract namespace, which lasts as long as this process, keeps others from
choosing the same one.
"""

import random
import socket
from pathlib import Path

LOWEST = 10_000
RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
TRIES = 1000

_kept = []


def free_port():
    """A port that no other test gets, and no outgoing connection."""
    first_of_kernel = int(RANGE.read_text().split()[0])
    if first_of_kernel < LOWEST + TRIES:
        return _port_of_kernel()
    for port in random.sample(range(LOWEST, first_of_kernel), TRIES):
        name = _reserved(port)
        if name is not None and _can_bind(port):
            _kept.append(name)
            return port
    raise AssertionError("no free port")


def _port_of_kernel():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _reserved(port):
    """What keeps the port for this process, unless another one has it."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        name.bind(f"\0runbook-test-port-{port}")
    except OSError:
        name.close()
        return None
    return name


def _can_bind(port):
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
