"""Runbooks of a toolkit, executed in this process: their text and their library."""

import io
import json
import os
import re
import sys
from contextlib import chdir, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path

from runbook.core.document import InputType
from runbook.core.language.parse import parse
from runbook.errors import RunbookError
from runbook.script import commands, effects

RUNBOOKS = Path(__file__).parents[3] / "runbooks"
HANDED_OVER = ("OUTPUT", "ENV", "SUMMARY", "PROGRESS", "PLAN", "MASK", "DEVICES", "EFFECTS")
PASSWORD = "secret-word"


@dataclass
class Done:
    code: int
    printed: str
    outputs: dict
    devices: list
    plan: list
    summary: str
    masked: str
    texts: dict
    """The outputs as a caller gets them."""
    error: RunbookError | None = None

    @property
    def device(self):
        [one] = self.devices
        return one


@dataclass
class Journal:
    """The engine's side of the journal of effects, and of host keys."""

    made: list = field(default_factory=list)
    keys: dict = field(default_factory=dict)

    def intend(self, _pipe, key, what, probe):
        json.dumps(probe)
        number = f"run-1/{len(self.made) + 1}"
        made = {"id": number, "key": key, "what": what, "probe": dict(probe), "state": "intended"}
        self.made.append({**made, "outcome": {}, "at": 0, "step": 0})
        return number

    def settle(self, _pipe, number, state, outcome):
        [one] = [one for one in self.made if one["id"] == number]
        one |= {"state": state.value, "outcome": dict(outcome)}

    def earlier(self, _pipe):
        return [one for one in reversed(self.made) if one["state"] in ("intended", "done")]

    def host_key(self, _pipe, host, port, key=None):
        return self.keys.setdefault((host, port), key) if key else self.keys.get((host, port))

    @property
    def states(self):
        return [one["state"] for one in self.made]


class Bench:
    """A place for runs of one toolkit."""

    def __init__(self, monkeypatch, folder, toolkit="mikrotik"):
        self.patch = monkeypatch
        self._home = RUNBOOKS / toolkit
        self.folder = folder
        self.journal = Journal()
        self.calls = []
        """What runbooks called: ref, inputs, dry run."""
        self.answers = {}
        """What called runbooks return, or raise, by ref: a value, or a function of the inputs."""
        self._connections = folder / "connections"
        self._connections.mkdir()
        monkeypatch.syspath_prepend(self._home / "lib")
        monkeypatch.setattr(commands, "call", self._call)
        monkeypatch.setattr("runbook.call", self._call)
        for name in ("intend", "settle", "earlier"):
            monkeypatch.setattr(effects, name, getattr(self.journal, name))
        monkeypatch.setattr(effects, "expected_host_key", self.journal.host_key)

    def connect(self, name, values, *, kind="routeros", device=None):
        """A connection, or with `device` a device, that inputs can name."""
        given = {"name": f"{name}-access" if device is not None else name, "kind": kind}
        if device is not None:
            given["device"] = {"name": name, "facts": {}, **device}
        path = self._connections / f"{name}.values"
        path.write_text(json.dumps({**given, "values": values}))

    def execute(self, name, *, dry_run=False, undo=False, **inputs):
        """Execute the steps whose conditions hold, until one fails; or their Undo."""
        data = (self._home / f"{name}.md").read_bytes()
        document = parse(data, stem=name)
        assert not document.problems, document.problems
        values = self._values(document.runbook.inputs, inputs)
        space = self.folder / f"run{len(list(self.folder.glob('run*')))}"
        (space / "artifacts").mkdir(parents=True)
        self._environment(space, values, dry_run=dry_run)
        for needed in document.runbook.files_in:
            (space / Path(needed.path).name).symlink_to(self._home / needed.path)
        scripts = [
            step.undo.source if undo else step.source
            for step in document.runbook.steps
            if all(one.holds(values, {}) for one in step.conditions) and (step.undo or not undo)
        ]
        return self._executed(space, name, scripts)

    def _values(self, declared, given):
        unknown = given.keys() - {one.name for one in declared}
        assert not unknown, unknown
        values = {}
        for one in declared:
            value = given.get(one.name, one.default)
            if not one.is_shown(values):
                continue
            if value is None:
                assert one.optional, f"{one.name} is missing"
                continue
            if not isinstance(value, str):
                value = json.dumps(value)
            if one.type is InputType.CHOICE and one.choices:
                assert value in one.choices, value
            if one.pattern:
                assert re.fullmatch(one.pattern, value), value
            if one.type in (InputType.CONNECTION, InputType.DEVICE):
                kept = self._connections / f"{value}.values"
                (self._connections / f"{one.name}.json").write_text(kept.read_text())
            values[one.name] = value
        return values

    def _environment(self, space, values, *, dry_run):
        for name in list(os.environ):
            ours = name.startswith("RUNBOOK_") and name not in self.kept
            if ours or (name.isupper() and name in self._ours):
                self.patch.delenv(name)
        self._ours = set(values)
        for name in HANDED_OVER:
            self.patch.setenv(f"RUNBOOK_{name}", str(space / f".{name}"))
        for name, value in values.items():
            self.patch.setenv(name, value)
        self.patch.setenv("RUNBOOK_RUN_ID", "run-1")
        self.patch.setenv("RUNBOOK_RECURSION_STACK", "[]")
        self.patch.setenv("RUNBOOK_REQUESTED_BY", "ada")
        self.patch.setenv("RUNBOOK_ARTIFACTS", str(space / "artifacts"))
        self.patch.setenv("RUNBOOK_CONNECTIONS", str(self._connections))
        self.patch.setenv("RUNBOOK_DRY_RUN", "1" if dry_run else "")

    kept = ()
    """Variables of runs that tests set themselves."""
    _ours = frozenset()

    def _executed(self, space, name, scripts):
        printed, code, error = io.StringIO(), 0, None
        with redirect_stdout(printed), chdir(space):
            try:
                for source in scripts:
                    exec(compile(source, f"{name}.md", "exec"), {"__name__": "__main__"})
                    self._hand_over(space)
            except RunbookError as raised:
                code, error = raised.exit_code, raised
            except SystemExit as ended:
                code = ended.code if isinstance(ended.code, int) else 1 if ended.code else 0
        return Done(
            code,
            printed.getvalue(),
            _assigned(_text(space, "OUTPUT")),
            [json.loads(line) for line in _text(space, "DEVICES").splitlines()],
            _text(space, "PLAN").splitlines(),
            _text(space, "SUMMARY"),
            _text(space, "MASK"),
            _assigned(_text(space, "OUTPUT"), parsed=False),
            error,
        )

    def _hand_over(self, space):
        """The variables that a step has set, to the next ones."""
        for line in _text(space, "ENV").splitlines():
            name, _, value = line.partition("=")
            self.patch.setenv(name, value)
            self._ours = {*self._ours, name}

    def handed_over(self, what):
        """What the last run, or what was called since in this process, wrote as JSON lines."""
        path = Path(os.environ[f"RUNBOOK_{what}"])
        return [json.loads(line) for line in path.read_text().splitlines()]

    def artifact(self, name):
        """Of the last run."""
        return (Path(os.environ["RUNBOOK_ARTIFACTS"]) / name).read_text()

    def _call(self, ref, inputs=None, **more):
        options = {name: more.pop(name, None) for name in ("confirm", "quiet", "progress")}
        given = {**(inputs or {}), **more}
        self.calls.append((ref, given))
        answer = self.answers.get(ref, {})
        answer = answer(given) if callable(answer) else answer
        if isinstance(answer, Exception):
            raise answer
        assert options
        return answer


def forget(package):
    """Modules of a toolkit's library, so that the next test imports its own."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]


def _text(space, name):
    path = space / f".{name}"
    return path.read_text() if path.exists() else ""


def _assigned(text, *, parsed=True):
    """The outputs, with JSON as such if it is parsed."""
    values, lines = {}, iter(text.splitlines())
    for line in lines:
        name, _, value = line.partition("=")
        if "<<" in name or ("<<" in line and "=" not in line):
            name, _, end = line.partition("<<")
            value = "\n".join(iter(lines.__next__, end))
        values[name] = _json(value) if parsed else value
    return values


def _json(value):
    try:
        # 7.20 is a version.
        return json.loads(value, parse_float=str)
    except ValueError:
        return value
