"""The network between this machine and an engine's namespace: a pair of devices.

Without `egress`, only this machine reaches the engine. With it, containers reach what this machine
reaches: until the end, packets are forwarded, with rules that carry the device's name.
"""

import ipaddress
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path

from docker_engine.missing import NotAvailableError

DEVICES = Path("/sys/class/net")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
NETWORKS = list(ipaddress.ip_network("10.214.0.0/22").subnets(new_prefix=30))


class Link:
    """`here` and `there` are the addresses of the two ends."""

    def __init__(self, number):
        self.device = f"rbde{number}"
        self.here, self.there = map(str, NETWORKS[number].hosts())
        self.network = str(NETWORKS[number])


@contextmanager
def linked(pid, iptables, *, egress):
    """Connects the network namespace of a process, as long as a `with` takes."""
    link = _added(pid)
    with ExitStack() as stack:
        stack.callback(_remove, link)
        _ip("addr", "add", f"{link.here}/30", "dev", link.device)
        _ip("link", "set", link.device, "up")
        inside = ["nsenter", "--net", "--target", str(pid)]
        _do([*inside, "ip", "link", "set", "lo", "up"])
        _do([*inside, "ip", "addr", "add", f"{link.there}/30", "dev", "eth0"])
        _do([*inside, "ip", "link", "set", "eth0", "up"])
        if egress:
            _do([*inside, "ip", "route", "add", "default", "via", link.here])
            stack.enter_context(_forwarded(link, iptables))
        yield link


def _added(pid):
    for number in range(len(NETWORKS)):
        link = Link(number)
        if (DEVICES / link.device).exists():
            continue
        peer = ["peer", "name", "eth0", "netns", str(pid)]
        try:
            _ip("link", "add", link.device, "type", "veth", *peer)
        except NotAvailableError:
            if (DEVICES / link.device).exists():
                continue  # another engine was faster
            raise
        return link
    raise NotAvailableError("All networks for engines are taken")


def _remove(link):
    """The kernel may have removed it already, with the namespace."""
    subprocess.run(["ip", "link", "delete", link.device], check=False, capture_output=True)


@contextmanager
def _forwarded(link, iptables):
    before = FORWARD.read_text()
    note = ["-m", "comment", "--comment", link.device]
    rules = [
        ["nat", "POSTROUTING", "-s", link.network, "!", "-o", link.device, "-j", "MASQUERADE"],
        ["filter", "FORWARD", "-i", link.device, "-j", "ACCEPT"],
        ["filter", "FORWARD", "-o", link.device, "-j", "ACCEPT"],
    ]
    with ExitStack() as stack:
        for table, chain, *rule in rules:
            iptables("-w", "-t", table, "-I", chain, *rule, *note)
            stack.callback(iptables, "-w", "-t", table, "-D", chain, *rule, *note)
        stack.callback(FORWARD.write_text, before)
        FORWARD.write_text("1")
        yield


def _ip(*arguments):
    _do(["ip", *arguments])


def _do(command):
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True)
    except FileNotFoundError as missing:
        raise NotAvailableError(f"{missing.filename} is missing") from None
    if done.returncode:
        raise NotAvailableError(f"{' '.join(command)}: {done.stderr.strip()}")
