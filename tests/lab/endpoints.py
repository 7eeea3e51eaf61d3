"""Both endpoints of the lab in this process, seen as one: every request has a place in a row."""

import json
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from netbox.endpoint import loopback
from pve import running_lab
from runbook.lab.ipam.sample import fill
from runbook.lab.ipam.server import Answer

ADDRESSES = "ipam/ip-addresses"
MACHINES = "virtualization/virtual-machines"
INTERFACES = "virtualization/interfaces"
TIME_SCALE, CREATE_S = 0.02, 15
"""Seconds of the cluster, which are shorter here: a creation takes 0.3 s."""


@dataclass(frozen=True)
class Request:
    """`change` counts those that change something since the watch began; `reads` those after it."""

    change: int
    reads: int
    method: str
    path: str

    def __str__(self):
        return f"{self.method} {self.path}"


class Failure(StrEnum):
    """How a request fails."""

    REFUSED = "refused"
    """An error, and nothing is done."""
    BROKEN = "broken"
    """It is done, and the answer is an error."""
    TASK = "task failed"
    """Proxmox VE accepts it, but its task fails."""


class Endpoints:
    """`watch` is called with each request and whether it has been handled already."""

    def __init__(self, netbox, ipam, pve):
        self.netbox, self.ipam, self.pve = netbox, ipam, pve
        fill(ipam.database)
        pve.pve.time_scale = TIME_SCALE
        pve.pve.ct_secs["create"] = CREATE_S
        self._lock = threading.Lock()
        self._watch = None
        self._failing = None
        self._handle_ipam, self._handle_pve = ipam.answer, pve.pve._answer
        ipam.answer, pve.pve._answer = self._of_ipam, self._of_pve

    def watch(self, watch=lambda request, handled: None, failing=lambda request: None):
        """Begin to count. `failing` says for each request how it fails, if it does."""
        with self._lock:
            self._change = self._reads = 0
            self._watch, self._failing = watch, failing

    def rest(self):
        with self._lock:
            self._watch = self._failing = None

    def _seen(self, method, path):
        with self._lock:
            if self._watch is None:
                return None
            if method == "GET":
                self._reads += 1
            else:
                self._change, self._reads = self._change + 1, 0
            return Request(self._change, self._reads, method, path)

    def _tell(self, seen, handled):
        watch = self._watch
        if seen is not None and watch is not None:
            watch(seen, handled)

    def _failure(self, seen):
        failing = self._failing
        return failing(seen) if seen is not None and failing is not None else None

    def _of_ipam(self, request):
        seen = self._seen(request.method, request.path)
        failure = self._failure(seen)
        if failure is not None and failure is not Failure.BROKEN:
            return Answer(500, {"error": "injected", "exception": "Injected"})
        self._tell(seen, handled=False)
        answer = self._handle_ipam(request)
        self._tell(seen, handled=True)
        return answer if failure is None else Answer(500, {"error": "injected"})

    async def _of_pve(self, request, handler, generic, node):
        from fakepve.server import error, ok

        seen = self._seen(request.method, request.path.removeprefix("/api2/json"))
        failure = self._failure(seen)
        if failure is Failure.REFUSED:
            return error(500, "injected")
        if failure is Failure.TASK:
            match = generic or self.pve.pve.resolve(request, "/api2/json")
            return ok(await self.pve.pve._failed_task(request, node, "injected", match))
        self._tell(seen, handled=False)
        answer = await self._handle_pve(request, handler, generic, node)
        self._tell(seen, handled=True)
        return answer if failure is None else error(500, "injected")

    # -- what there is -------------------------------------------------------------------------

    def state(self):
        """All that a run could leave behind."""
        database = self.ipam.database
        return {
            "addresses": sorted(self.ipam.addresses().items()),
            "machines": sorted(row["name"] for row in database.rows(MACHINES)),
            "interfaces": sorted(row["name"] for row in database.rows(INTERFACES)),
            "guests": sorted(self.pve.guests()),
            "locks": [str(one.config["lock"]) for one in self.guests() if one.config.get("lock")],
            "disks": self.pve.disks(),
        }

    def guests(self):
        return [*self.pve.pve.vms, *self.pve.pve.cts]

    def addresses(self):
        return self.ipam.database.rows(ADDRESSES)

    def machines(self):
        return self.ipam.database.rows(MACHINES)

    def connections(self):
        """What connects to them, as the API takes it."""
        netbox = {"url": self.netbox.url, "token": self.netbox.token}
        return (
            {"name": "ipam", "kind": "netbox", "values": netbox},
            {"name": "pve", "kind": "proxmox", "values": self.pve.values},
        )


@contextmanager
def running_endpoints(folder):
    folder.mkdir()
    with loopback() as (netbox, ipam), running_lab(folder) as pve:
        yield Endpoints(netbox, ipam, pve)


def difference(before, after):
    """What one state has and the other hasn't, in words."""
    return [
        f"{name}: {json.dumps(before[name])} became {json.dumps(after[name])}"
        for name in before
        if before[name] != after[name]
    ]
