"""A served installation with the lab's toolkits, and a caller of its API."""

import json
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx

import databases
from integration.conftest import Beside, Server
from lab.endpoints import Endpoints, running_endpoints
from patience import PATIENCE_S
from pve import TEMPLATE
from runbook.store.models import RunFilter
from runbook.store.store import Store
from torture import remains
from young_workers import WORKER, YoungWorkers

PROVISION, TEARDOWN = "lab/Provision.md", "lab/Teardown.md"
TOOLKITS = ("proxmox", "netbox", "lab")
NAME = "web-1"
NICS = [
    {"BRIDGE": "vmbr0", "VLAN": 20, "PREFIX": "10.10.20.0/24", "PREFIX6": "2001:db8:20::/64"},
    {"BRIDGE": "vmbr1", "PREFIX": "10.10.30.0/24", "ADDRESS": "10.10.30.77"},
]
SYSTEMS = {"PROXMOX": "pve", "NETBOX": "ipam"}
INPUTS = {
    **SYSTEMS,
    "NODE": "pve1",
    "CLUSTER": "lab",
    "NAME": NAME,
    "TEMPLATE": f"local:vztmpl/{TEMPLATE}",
    "STORAGE": "local-lvm",
    "NICS": NICS,
}


class Stage:
    """The server, and both endpoints."""

    def __init__(self, server, endpoints: Endpoints, url):
        self.server, self.endpoints = server, endpoints
        self.workers = YoungWorkers(server)
        self.store = Store(url)
        beside = Beside(server)
        for slug in TOOLKITS:
            for action in ("install", "enable"):
                done = beside.run("toolkit", action, slug)
                assert done.returncode == 0, done.stderr
        self._client = server.client("ann", ("admin", "operator"))
        self._client.timeout = httpx.Timeout(2 * PATIENCE_S, read=20 * PATIENCE_S)
        for one in endpoints.connections():
            self._said(self._client.post("/api/connections", json=one))

    def close(self):
        self._client.close()
        self.store.close()

    # -- runs ----------------------------------------------------------------------------------

    def provision(self):
        """Submit it; returns the ID of the run."""
        return self._start(f"/api/runbooks/{PROVISION}/execute", env_vars=INPUTS)

    def tear_down(self):
        given = {**SYSTEMS, "MACHINE": NAME}
        return self._start(f"/api/runbooks/{TEARDOWN}/execute", env_vars=given, confirm=NAME)

    def rerun(self, action, run_id):
        return self._start(f"/api/runs/{run_id}/{action}")

    def ended(self, run_id):
        """The run once it has ended; its stream of events ends with it."""
        while True:
            path = f"/api/runs/{run_id}/events"
            with self._client.stream("GET", path) as stream:
                for _ in stream.iter_bytes():
                    pass
            run = self._said(self._client.get(f"/api/runs/{run_id}"))
            if not run["active"]:
                return run

    def events(self, run_id, kind):
        """Those of a run that has ended."""
        lines = self._client.get(f"/api/runs/{run_id}/events").text.split("\n")
        found = [json.loads(line[5:]) for line in lines if line.startswith("data:")]
        return [event for event in found if event["type"] == kind]

    def log(self, run_id):
        return self._client.get(f"/api/runs/{run_id}/log").text

    def _start(self, path, **body):
        headers = {"Prefer": "respond-async"}
        return self._said(self._client.post(path, json=body, headers=headers))["run_id"]

    def _said(self, reply):
        assert reply.status_code < 300, f"{reply.status_code} {reply.text}"
        return reply.json()

    # -- records -------------------------------------------------------------------------------

    def provisions(self, since):
        """The runs of Provision from this one on, newest first."""
        found = []
        for run in self.store.runs.page(RunFilter(refs=frozenset({PROVISION})), limit=50).runs:
            found.append(run)
            if run.id == since:
                break
        return found

    def effects(self, runs):
        return [effect for run in runs for effect in self.store.effects.of(run.id)]

    def left(self):
        """What runs have left on this machine, in words; nothing is left when all have ended."""
        active = remains.eventually(
            lambda: [
                f"active: {run.id}"
                for run in self.store.runs.page(RunFilter(active=True), limit=50).runs
            ]
        )
        processes = remains.eventually(
            lambda: remains.shown(remains.processes(self.server.folder, marked=True))
        )
        folders = remains.eventually(lambda: [it.name for it in self.server.execution.iterdir()])
        return [*active, *processes, *folders]


class Killer:
    """Kills the worker at a moment, once. `due(request, handled)` says when."""

    def __init__(self, stage, due, delay_s=0.0):
        self._stage = stage
        self._server = stage.server
        stage.workers.make_room()
        self._victim = stage.server.worker
        self._due, self._delay_s = due, delay_s
        self._lock = threading.Lock()
        self._timer = None
        self.at = None

    def see(self, request, handled):
        with self._lock:
            if self.at is not None or not self._due(request, handled):
                return
            self.at = request
        if self._delay_s:
            self._timer = threading.Timer(self._delay_s, self._kill)
            self._timer.start()
        else:
            self._kill()

    def _kill(self):
        self._stage.workers.kill(self._victim)

    def end(self):
        """Wait until the supervisor has started another worker, if one was killed."""
        if self._timer is not None:
            self._timer.join()
        if self.at is not None:
            self._victim.wait(PATIENCE_S)
            none = remains.eventually(
                lambda: [] if self._server.children(WORKER) else ["no other worker"]
            )
            assert not none, none
            self._server.wait_ready()


@contextmanager
def set_up(folder: Path, database):
    """A stage in a folder, on this database: sqlite or postgresql."""
    with ExitStack() as ends:
        settings = {}
        if database == "postgresql":
            url = ends.enter_context(databases.shared_server().database())
            settings["DATABASE_URL"] = url.replace("postgresql:", "postgresql+psycopg:")
        endpoints = ends.enter_context(running_endpoints(folder / "endpoints"))
        served = Server(folder / "served", **settings)
        ends.callback(served.stop)
        served.start()
        of_file = f"sqlite:///{served.data}/runbook.db"
        stage = Stage(served, endpoints, settings.get("DATABASE_URL", of_file))
        ends.callback(stage.close)
        yield stage
