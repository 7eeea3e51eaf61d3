"""A world of routers without sockets, in which time passes as fast as the code asks for it.

FleetPush and what recovers it run in it one thread after the other, so that a seed always leads to
the same end: whatever moment they are killed at, and whatever router is lost meanwhile.
"""

import hashlib
import importlib
import json
import sys
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from mikrotik.conftest import Killed
from mikrotik.site import TOOLKIT
from runbook.connectors.backups import Saved
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.routeros.config import Validation
from runbook.connectors.routeros.revert import PREFIX, Revert
from runbook.core.ssh.host_key import HostAddress

STEPS = ("check", "back_up", "validate", "arm", "apply", "verify", "confirm", "record")
CHANGE = "/ip address add address=10.0.0.1/24 interface=ether2"
LOST = "/ip firewall filter add chain=input action=drop"
OP_S = 0.05
BOOT_S = 20.0
LINGER_S = 6.0
EPOCH = 1_800_000_000.0


class World:
    """The clock, the routers, the disk's writes, and what kills whom."""

    def __init__(self, names, folder):
        self.now = EPOCH
        self.folder = folder
        self.routers = {name: FakeRouter(self, name) for name in names}
        self.backups = FakeStore()
        self.count, self.fatal, self.after, self.dead = 0, None, False, False
        self.watch = lambda: None
        """Called before each operation."""

    def sleep(self, seconds):
        self.now += seconds
        for router in self.routers.values():
            router.pass_time()

    def operation(self, work):
        """Something that a process may be killed before or after."""
        if self.dead:
            raise Killed
        self.sleep(OP_S)
        self.watch()
        self.count += 1
        is_fatal = self.count == self.fatal
        if is_fatal and not self.after:
            self.dead = True
            raise Killed
        result = work()
        if is_fatal:
            self.dead = True
            raise Killed
        return result

    def revive(self):
        self.count, self.fatal, self.dead = 0, None, False

    def connect(self, input_name, **_):
        router = self.routers[input_name.removeprefix("DEVICES.")]
        self.operation(lambda: None)
        router.check()
        return Connection(self, router, router.boots)


class FakeRouter:
    def __init__(self, world, name):
        self.world, self.name = world, name
        self.lines = (f"/system identity set name={name}",)
        self.files, self.timers = {}, {}
        self.booted, self.boots, self.up_at = world.now - 1000, 1, 0.0
        self.loading = None
        self.is_away = False
        """Whatever its configuration says."""
        self.when_away = "drop"

    @property
    def reachable(self):
        return not (self.is_away or LOST in self.lines) and self.world.now >= self.up_at

    def check(self):
        if not self.reachable:
            raise ConnectorError(f"{self.name} is away", ErrorCode.UNREACHABLE)

    def pass_time(self):
        for name, (due, file) in list(self.timers.items()):
            if self.world.now >= due:
                del self.timers[name]
                self.load(file, due)
        if self.loading is not None and self.world.now >= self.loading[0]:
            self.restart(*self.loading)

    def load(self, file, at):
        """It goes on for a moment as if nothing had happened."""
        self.loading = (at + LINGER_S, self.files[file])

    def restart(self, at, lines):
        self.loading = None
        self.lines = lines
        self.timers.clear()
        self.boots += 1
        self.up_at = at + BOOT_S
        self.booted = self.up_at


class Connection:
    """What `routeros.connect` returns, as far as the toolkit uses it."""

    version, board, address = "7.18", "CHR", HostAddress("192.0.2.1", 8729)
    dry_run = False

    def __init__(self, world, router, boots):
        self._world, self._router, self._boots = world, router, boots

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def close(self):
        pass

    def _do(self, work):
        """A lost router may have done it all the same."""

        def reach():
            router = self._router
            if not router.reachable or router.boots != self._boots:
                if router.when_away == "arrives" and router.boots == self._boots:
                    work()
                raise ConnectorError(f"{router.name} doesn't answer", ErrorCode.TIMEOUT)
            return work()

        return self._world.operation(reach)

    def revert_obstacles(self):
        return ()

    def validate(self, script):
        return self._do(lambda: Validation((), by_router=True))

    def export(self, **_):
        return self._do(lambda: "\n".join(self._router.lines))

    def print(self, menu, **_):
        router, moment = self._router, _moment(self._world.now)
        rows = {
            "/system/identity": lambda: [{"name": router.name}],
            "/system/clock": lambda: [dict(zip(("date", "time"), moment.split(" ")))],
            "/system/resource": lambda: [{"uptime": f"{int(self._world.now - router.booted)}s"}],
            "/file": lambda: [{"name": name} for name in router.files],
        }
        return self._do(rows[menu])

    def reverts(self):
        return self._do(
            lambda: tuple(
                Revert("*1", name, name.removeprefix(PREFIX), _moment(due), "x", 0, file)
                for name, (due, file) in self._router.timers.items()
            )
        )

    def arm_rollback(self, run_id, seconds, *, clock_may_change=False):
        name = f"{PREFIX}{run_id}"

        def arm():
            self._router.files[f"{name}.backup"] = self._router.lines
            due = float(int(self._world.now) + seconds)
            self._router.timers[name] = (due, f"{name}.backup")
            return Revert("*1", name, run_id, _moment(due), "x", 0, f"{name}.backup")

        return self._do(arm)

    def cancel_rollback(self, revert):
        was_there = self._do(lambda: self._router.timers.pop(revert.name, None)) is not None
        self.remove_file(revert.file)
        return was_there

    def apply(self, script):
        self._do(lambda: setattr(self._router, "lines", (*self._router.lines, script)))

    def put(self, name, content):
        self._do(lambda: self._router.files.__setitem__(name, tuple(json.loads(content))))

    def remove_file(self, name):
        self._do(lambda: self._router.files.pop(name, None))

    def call(self, command, values):
        assert command == "/system/backup/load"

        def load():
            if values["name"] not in self._router.files:
                raise ConnectorError("no such file", ErrorCode.NOT_FOUND, nothing_changed=True)
            self._router.load(values["name"], self._world.now)

        self._do(load)


class FakeStore:
    """Keeps each configuration of a device once."""

    def __init__(self):
        self.known = {}

    def fingerprint(self, text):
        return hashlib.sha256(text.encode()).hexdigest()

    def save(self, taken, _origin, _source, *, binary):
        lines = [line for line in taken.export.split("\n") if line]
        commit = hashlib.sha1(f"{taken.device} {lines}".encode()).hexdigest()
        self.known[taken.device, commit] = json.dumps(lines).encode()
        return Saved(commit, is_new=True)

    def binary(self, device, commit):
        return self.known[device, commit]


class Serial:
    """An executor without threads."""

    def __init__(self, _at_once):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def submit(self, work, *given):
        done = Future()
        try:
            done.set_result(work(*given))
        except BaseException as error:  # noqa: BLE001 - it is told by the future
            done.set_exception(error)
        return done


def _moment(at):
    return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=int(at))).strftime(
        "%Y-%m-%d %H:%M:%S"
    )


class Runs:
    """Runs of the toolkit's runbooks in a world."""

    def __init__(self, world, monkeypatch, **inputs):
        self.world, self._patch = world, monkeypatch
        self.outputs, self.said = {}, []
        self._runs, self._ids = 0, []
        self._handed = {}
        """What the steps of the latest push have handed over."""
        names = [*world.routers]
        self._set(
            RUNBOOK_CONNECTIONS=str(world.folder),
            RUNBOOK_BACKUPS=str(world.folder / "backups"),
            RUNBOOK_RECURSION_STACK='["mikrotik/FleetPush.md"]',
            RUNBOOK_REQUESTED_BY="ann",
            RUNBOOK_EFFECTS="pipe",
            RUNBOOK_DRY_RUN="",
            DEVICES=json.dumps(names),
            CHANGE=CHANGE,
            **{"REVERT_AFTER": "300", "PARALLEL": "2", "MARGIN": "10", **inputs},
        )
        for name in ("ROUTER", *(f"DEVICES.{name}" for name in names)):
            self.know(name, name.partition(".")[2] or names[0])
        self._use()

    def know(self, input_name, device):
        found = {"name": device, "kind": "routeros", "values": {}, "device": {"name": device}}
        (self.world.folder / f"{input_name}.json").write_text(json.dumps(found))

    def _set(self, **values):
        for name, value in values.items():
            self._patch.setenv(name, value)

    def _use(self):
        patch, world = self._patch, self.world
        clock = SimpleNamespace(
            time=lambda: world.now, monotonic=lambda: world.now, sleep=world.sleep
        )
        for name, module in list(sys.modules.items()):
            if name.startswith("mikrotik_toolkit") and hasattr(module, "time"):
                patch.setattr(module, "time", clock)
        patch.setattr("runbook.connectors.routeros.connect", self._connect)
        patch.setattr("runbook.connectors.backups.open_store", lambda: world.backups)
        patch.setattr("mikrotik_toolkit.saving.persistent", lambda _, name: name)
        patch.setattr("mikrotik_toolkit.transaction.members.ThreadPoolExecutor", Serial)
        patch.setattr("mikrotik_toolkit.transaction.members.as_completed", list)
        durable = importlib.import_module("mikrotik_toolkit.durable")
        write = durable.write
        patch.setattr(durable, "write", lambda *it: world.operation(lambda: write(*it)))
        patch.setattr("runbook.output", self.outputs.__setitem__)
        patch.setattr("runbook.env", self._hand_over)
        patch.setattr("runbook.call", self._call)
        for name in ("progress", "summary", "plan", "device"):
            patch.setattr(f"runbook.{name}", lambda *_, **__: None)
        effects = "runbook.script.effects"
        patch.setattr(f"{effects}.intend", self._intend)
        patch.setattr(f"{effects}.settle", lambda *_: None)
        patch.setattr(f"{effects}.earlier", lambda _: [*self._ids])

    def _connect(self, input_name, **_):
        if input_name == "ROUTER":
            input_name = json.loads((self.world.folder / "ROUTER.json").read_text())["name"]
        return self.world.connect(input_name)

    def _intend(self, _pipe, key, what, probe):
        one = {"id": f"{self.run_id}/1", "key": key, "what": what, "probe": dict(probe)}
        self._ids.insert(0, {**one, "state": "intended", "outcome": {}, "at": 0, "step": 1})
        return one["id"]

    def _call(self, _ref, DEVICES):  # noqa: N803 - the name of the input
        outputs = dict(self.outputs)
        if code := self.call("transaction.interrupted", "recover"):
            from runbook.errors import RunbookError

            raise RunbookError(f"ended with {code}")
        self.outputs.clear()
        self.outputs.update(outputs)

    def _hand_over(self, name, value):
        self._handed[name] = _text(value)
        self._set(**{name: _text(value)})

    # -- runs ----------------------------------------------------------------------------------

    @property
    def run_id(self):
        return f"run-{self._runs}"

    def begin(self, *, anew=True):
        """Another run; unless it is `anew`, one that goes on from the one before."""
        self._runs += 1
        self.outputs.clear()
        self._set(RUNBOOK_RUN_ID=self.run_id)
        for name in ("PUSH_MEMBERS", "PUSH_TRANSACTION", "PUSH_ENDED", "PUSH_LOOK_S"):
            self._patch.delenv(name, raising=False)
        if not anew:
            self._set(**self._handed)

    def call(self, module, function):
        try:
            getattr(importlib.import_module(f"mikrotik_toolkit.{module}"), function)()
        except SystemExit as end:
            return end.code or 0
        return 0

    def push(self, *, anew=True, steps=STEPS):
        """The exit code, and the step at which it ended."""
        self.begin(anew=anew)
        if anew:
            self._handed.clear()
        for step in steps:
            self.step = step
            if code := self.call("transaction.steps", step):
                return code
        return 0

    def resume(self):
        return self.push(anew=False, steps=STEPS[STEPS.index(self.step) :])

    def undo(self):
        self.begin(anew=False)
        return self.call("transaction.interrupted", "undo")

    def recover(self):
        self.begin()
        self._ids.clear()
        return self.call("transaction.interrupted", "recover")

    def recover_one(self, device, decision="automatic"):
        self.begin()
        self._ids.clear()
        self.know("ROUTER", device)
        self._set(DECISION=decision)
        return self.call("push", "recover")

    @property
    def outcome(self):
        return self.outputs.get("outcome")


def _text(value):
    return value if isinstance(value, str) else json.dumps(value)


def load_toolkit(monkeypatch):
    monkeypatch.syspath_prepend(str(TOOLKIT / "lib"))
    for module in ("push", "restoring", "transaction.steps", "transaction.interrupted"):
        importlib.import_module(f"mikrotik_toolkit.{module}")


def forget_toolkit():
    for name in [name for name in sys.modules if name.startswith("mikrotik_toolkit")]:
        del sys.modules[name]
