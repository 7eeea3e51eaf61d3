"""The toolkit against a Proxmox VE. Runs are executed in this process, scripts in their own."""

import shutil
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from pve import TEMPLATE, running_lab
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.connections.connections import NewConnection
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest, FormValues
from runbook.engine.wakeups import Role
from runbook.host.identity import process_identity
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind

TOOLKIT = Path(__file__).parents[3] / "runbooks/proxmox"
SLOTS = 32
ANN = Principal("ann", Origin.API, {"roles": ["admin"]}, "192.0.2.1", grants=ALL_GRANTS)
CONTAINER = {
    "NODE": "pve1",
    "STORAGE": "local-lvm",
    "TEMPLATE": f"local:vztmpl/{TEMPLATE}",
    "HOSTNAME": "web-1",
}
MACHINE = {"NODE": "pve1", "STORAGE": "local-lvm", "NAME": "db-1", "SOURCE": "empty"}


def environment(folder):
    """The settings of an engine with the toolkit in its runbooks."""
    for name in ("runbooks", "execution"):
        (folder / name).mkdir(exist_ok=True)
    shutil.copytree(TOOLKIT, folder / "runbooks/proxmox", dirs_exist_ok=True)
    return {
        "RUNBOOKS_DIR": str(folder / "runbooks"),
        "EXECUTION_DIR": str(folder / "execution"),
        "DATA_DIR": str(folder / "data"),
        "PATH": "/usr/bin:/bin",
    }


@dataclass
class Ran:
    """A run that has ended, and what it said."""

    run: object
    store: object

    @property
    def code(self):
        return self.run.result.return_code

    def text(self, stream=EventType.STDOUT):
        events = self.store.events.after(self.run.id, limit=10_000)
        return "".join(event.text for event in events if event.type is stream)

    @property
    def errors(self):
        return self.text(EventType.STDERR)

    @property
    def plan(self):
        found = self.data(EventType.PLAN)
        return [one["text"] for one in found if "text" in one]

    @property
    def effects(self):
        return [(one.key, one.state.value) for one in self.store.effects.of(self.run.id)]

    @property
    def undo(self):
        """The run that has undone it by itself."""
        return next((one for one in self.store.runs.reruns(self.run.id)), None)

    def data(self, kind):
        return [
            e.data for e in self.store.events.after(self.run.id, limit=10_000) if e.type is kind
        ]

    @property
    def outputs(self):
        return self.run.result.outputs


class Kit:
    """Executes the runbooks of the toolkit."""

    def __init__(self, engine, lab):
        self.engine, self.store = engine, engine.store
        self._lab = lab
        self.connect()

    def connect(self, **changes):
        """Make the connection to the lab, with other values if given."""
        connections = self.engine.connections
        if connections.list(ANN):
            connections.remove("lab", ANN)
        connections.add(NewConnection("lab", "proxmox", self._lab.values | changes, {}), ANN)

    def offered(self, ref, path, row=None, **inputs):
        """The choices of an input while someone fills in the form."""

        def here(submit):
            run = submit(None)
            self.engine.execute(self.store.runs.claim("w", root_slots=0, form_slots=1), "w", Stop())
            return run

        self.engine.choices.executing = here
        values = FormValues({"PROXMOX": "lab"} | inputs, row)
        found = self.engine.runbooks.choices(f"proxmox/{ref}.md", ANN, path, values)
        assert found.problem is None, found.problem
        return [choice.value for choice in found.choices]

    def submit(self, ref, *, dry=False, **inputs):
        values = {"PROXMOX": "lab"} | inputs
        request = ExecuteRequest(env_vars=values, dry_run=dry, confirm=inputs.get("NAME"))
        run = self.engine.submit(f"proxmox/{ref}.md", ANN, request).run
        assert not run.status.terminal, run.result.errors
        return run

    def execute(self, ref, **inputs):
        run = self.submit(ref, **inputs)
        self.execute_next()
        return self.ended(run)

    def rerun(self, action, ran, **inputs):
        request = ExecuteRequest(env_vars=inputs)
        run = getattr(self.engine, action)(ran.run, ANN, request).run
        self.execute_next()
        return self.ended(run)

    def execute_next(self, stop=None):
        """Execute the oldest run, and the one by which it undoes itself."""
        claimed = self.store.runs.claim("w", root_slots=SLOTS)
        thread = threading.Thread(target=self.engine.execute, args=(claimed, "w", stop or Stop()))
        thread.start()
        while thread.is_alive():
            thread.join(0.05)
            for child in self.store.runs.reruns(claimed.run.id):
                if found := self.store.runs.claim("w", root_slots=SLOTS, only=child.id):
                    self.engine.execute(found, "w", Stop())

    def ended(self, run):
        return Ran(self.store.runs.get(run.id), self.store)


@pytest.fixture
def lab(tmp_path):
    folder = tmp_path / "pve"
    folder.mkdir()
    with running_lab(folder) as lab:
        yield lab


@pytest.fixture
def kit(lab, tmp_path, sqlite_template, monkeypatch):
    given = environment(tmp_path)
    (tmp_path / "data").mkdir()
    shutil.copy(sqlite_template, tmp_path / "data/runbook.db")
    engine = build_engine(Settings.load(given), Role.FOLLOWER)
    engine.store.workers.register(
        Worker(
            id="w",
            kind=WorkerKind.LOCAL,
            slots=SLOTS,
            started_at=0,
            beat_at=0,
            **process_identity(),
        )
    )
    yield Kit(engine, lab)
    engine.parts.wakeups.close()
    engine.store.close()


@pytest.fixture
def container():
    return dict(CONTAINER)


@pytest.fixture
def machine():
    return dict(MACHINE)
