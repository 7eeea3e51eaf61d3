"""The steps of the toolkit's runbooks in this process, for a simulated router."""

import importlib
import json
import os
import sys

import pytest

from mikrotik.site import NAME, PASSWORD, TOOLKIT
from runbook.connectors.backups import BackupStore, folder_of, key_of
from runbook.lab.routeros.router import Router

STEPS = (
    *("check", "back_up", "validate", "clear_stale", "arm"),
    *("apply", "verify", "confirm", "record"),
)


REVERT_S = 3000
"""Nearly a minute at 60 times the speed: no busy machine takes so long for a push."""
SOON_S = 300
"""For tests that wait until the router goes back."""


class Killed(BaseException):
    """As if the process were killed: nothing catches it."""


class Bench:
    """A router, and runs whose steps are called here. Time passes fast for the router."""

    def __init__(self, folder, monkeypatch, router):
        self.folder, self.router = folder, router
        self._patch = monkeypatch
        self._runs = 0
        self.effects = []
        self.reports = []
        self.keys = {}
        self.outputs = {}
        self.calls = []
        """What was called: refs and inputs."""
        data = folder / "data"
        self.store = BackupStore(folder_of(data), key_of(data))
        (folder / "connections").mkdir()
        self._values = {
            "host": "127.0.0.1",
            "port": router.api_ssl_port,
            "username": "admin",
            "password": PASSWORD,
            "ca": router.ca,
            "ssh_port": router.ssh_port,
            "timeout": 5,
            "command_timeout": 4,
        }
        self.know()
        self.use()

    def know(self, *, name=NAME, host="127.0.0.1", **facts):
        """Have the device in the inventory, with these facts."""
        device = {"name": name, "stored": True, "facts": facts}
        found = {
            "name": "routers",
            "kind": "routeros",
            "values": self._values | {"host": host},
            "device": device,
        }
        (self.folder / "connections" / "ROUTER.json").write_text(json.dumps(found))

    def use(self):
        """What is called from now on is for this router."""
        data, monkeypatch = self.folder / "data", self._patch
        self.set(
            RUNBOOK_CONNECTIONS=str(self.folder / "connections"),
            RUNBOOK_BACKUPS=str(folder_of(data)),
            RUNBOOK_RECURSION_STACK='["mikrotik/Push.md"]',
            RUNBOOK_REQUESTED_BY="ann",
            RUNBOOK_EFFECTS="pipe",
            RUNBOOK_DRY_RUN="",
            REVERT_AFTER=str(REVERT_S),
        )
        effects = "runbook.script.effects"
        monkeypatch.setattr(f"{effects}.intend", self._intend)
        monkeypatch.setattr(f"{effects}.settle", self._settle)
        monkeypatch.setattr(f"{effects}.earlier", lambda pipe: self._earlier())
        monkeypatch.setattr(f"{effects}.expected_host_key", self._host_key)
        monkeypatch.setattr("runbook.output", self.outputs.__setitem__)
        monkeypatch.setattr("runbook.env", lambda name, value: self.set(**{name: str(value)}))
        monkeypatch.setattr("runbook.device", lambda name, **said: self.reports.append(said))
        monkeypatch.setattr("runbook.call", lambda ref, **given: self.calls.append((ref, given)))
        for name in ("progress", "summary", "plan", "mask"):
            monkeypatch.setattr(f"runbook.{name}", lambda *_, **__: None)

    def set(self, **variables):
        for name, value in variables.items():
            self._patch.setenv(name, value)

    # -- the journal of effects ----------------------------------------------------------------

    def _intend(self, pipe, key, what, probe):
        which = f"{os.environ['RUNBOOK_RUN_ID']}/{len(self.effects) + 1}"
        one = {"id": which, "key": key, "what": what, "probe": dict(probe), "at": 0, "step": 1}
        self.effects.append({**one, "state": "intended", "outcome": {}})
        return which

    def _settle(self, pipe, which, state, outcome):
        (one,) = (it for it in self.effects if it["id"] == which)
        one.update(state=state.value, outcome=dict(outcome))

    def _earlier(self):
        return [it for it in reversed(self.effects) if it["state"] in ("intended", "done")]

    def _host_key(self, pipe, host, port, key=None):
        return self.keys.get(port) or (self.keys.setdefault(port, key) if key else None)

    # -- runs ----------------------------------------------------------------------------------

    def new_run(self):
        self._runs += 1
        self.outputs.clear()
        for name in [name for name in os.environ if name.startswith("PUSH_")]:
            self._patch.delenv(name)
        self.set(RUNBOOK_RUN_ID=f"run-{self._runs}")
        return f"run-{self._runs}"

    def call(self, module, function):
        """The exit code of a step."""
        try:
            getattr(importlib.import_module(f"mikrotik_toolkit.{module}"), function)()
        except SystemExit as end:
            return end.code or 0
        return 0

    def push(self, change, steps=STEPS, *, fresh=True):
        """The exit code of a push, whose steps are called until one fails."""
        if fresh:
            self.new_run()
        self.set(CHANGE=change)
        for step in steps:
            if code := self.call("push", step):
                return code
        return 0

    def connected(self):
        """A connection to the router, as the steps have it."""
        return importlib.import_module("runbook.connectors.routeros").connect("ROUTER")

    def recover(self, **inputs):
        self.new_run()
        self.set(**{"DECISION": "automatic", **inputs})
        return self.call("push", "recover"), self.outputs["outcome"]

    def backup(self):
        self.new_run()
        return self.call("backup", "back_up")


@pytest.fixture
def bench_of(tmp_path, monkeypatch):
    started = []
    library = str(TOOLKIT / "lib")
    monkeypatch.syspath_prepend(library)

    def start(version="7.18", **options):
        given = {"clock_rate": 60, "boot_seconds": 2, "identity": NAME, **options}
        router = Router(version, password=PASSWORD, **given).start()
        started.append(router)
        for module in ("push", "restoring", "backup", "drilling"):  # before anything is patched
            importlib.import_module(f"mikrotik_toolkit.{module}")
        folder = tmp_path / f"bench-{len(started)}"
        folder.mkdir()
        monkeypatch.setattr("mikrotik_toolkit.reaching.PAUSE_S", 0.05)
        monkeypatch.setattr("mikrotik_toolkit.recovery.PAUSE_S", 0.05)
        monkeypatch.setattr("mikrotik_toolkit.recovery.GRACE_S", 0)
        monkeypatch.setattr("mikrotik_toolkit.reaching.BOOT_S", 30)
        monkeypatch.setattr("mikrotik_toolkit.guarding.AFTER_S", REVERT_S)
        return Bench(folder, monkeypatch, router)

    yield start
    for router in started:
        router.stop()
    for name in [name for name in sys.modules if name.startswith("mikrotik_toolkit")]:
        del sys.modules[name]


@pytest.fixture
def bench(bench_of):
    return bench_of(os.environ.get("ROUTEROS", "7.18"))
