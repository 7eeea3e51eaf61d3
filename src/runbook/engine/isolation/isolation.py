"""How scripts are kept apart from the engine, from one another and from the system."""

from __future__ import annotations

import dataclasses
import json
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from runbook import log
from runbook.engine.isolation.isolated import Isolated, Mode, RunLimits
from runbook.engine.isolation.sandbox import Sandbox, View
from runbook.engine.process.script_user import Acting, ScriptUser, as_ourselves
from runbook.engine.process.start import Confinement
from runbook.engine.process.workspace import ARTIFACTS
from runbook.errors import ConfigurationError
from runbook.quick_dataclass import dataclass
from runbook.script.limits import DEVICE_BACKUPS

if TYPE_CHECKING:
    from runbook.engine.isolation.cgroups import Cgroups
    from runbook.engine.isolation.probing import Answer

CACHE = "bwrap.json"
STATE = "isolation.json"
KEYS = "keys"
PROBE = "runbook-probe-"
PRIVATE = "tmp"
"""The folder below a run's that its scripts see as /tmp."""


class Wanted(StrEnum):
    """The setting ISOLATION."""

    AUTO = "auto"
    """Sandboxes, if they work."""
    PROCESS = "process"
    BWRAP = "bwrap"


@dataclass(frozen=True, slots=True)
class Plan:
    """What the settings ask for."""

    wanted: Wanted
    view: View
    data_dir: Path
    execution_dir: Path
    user: ScriptUser | None = None
    limits: RunLimits = RunLimits()


class Isolation:
    """Decides at the first script, or when `settle` is called. Thread-safe."""

    def __init__(self, plan: Plan, make_key: Callable[[Path], object] = lambda _path: None) -> None:
        """`make_key` creates a key, if it is missing."""
        self._plan = plan
        self._make_key = make_key
        self._lock = threading.Lock()
        self._isolated: Isolated | None = None
        self._sandbox: Sandbox | None = None
        self._cgroups: Cgroups | None = None

    @property
    def acting(self) -> Acting:
        return self._plan.user.acting if self._plan.user else as_ourselves

    @property
    def user(self) -> ScriptUser | None:
        return self._plan.user

    def settle(self, *, fresh: bool = False, stored: bool = True) -> Isolated:
        """Find out what works here; with `fresh`, without the cached answer.

        Unless `stored`, nothing is changed. Raises ConfigurationError if a sandbox is required and
        doesn't work.
        """
        with self._lock:
            if self._isolated is None or fresh:
                self._isolated = self._settled(fresh, stored)
            return self._isolated

    def _settled(self, fresh: bool, stored: bool) -> Isolated:
        plan = self._plan
        user = plan.user.name if plan.user else ""
        unlimited = self._make_cgroups(stored)
        if plan.user is not None and stored:
            self._prepare_backups()
        if plan.wanted is Wanted.PROCESS:
            return Isolated(Mode.PROCESS, user=user, unlimited=unlimited)
        answer = self._answer(fresh, stored)
        if answer.problem and plan.wanted is Wanted.BWRAP:
            raise ConfigurationError(
                f"ISOLATION=bwrap doesn't work here: {answer.problem}. Fix it, or set "
                "ISOLATION=process"
            )
        if answer.problem:
            return Isolated(Mode.PROCESS, answer.problem, user, unlimited)
        if stored:
            self._prepare_backups()
        self._sandbox = Sandbox(plan.view, answer.nested)
        return Isolated(Mode.BWRAP, user=user, unlimited=unlimited)

    def _answer(self, fresh: bool, stored: bool) -> Answer:
        from runbook.engine.isolation.probing import Answer, cached, circumstances, store

        plan, sandbox = self._plan, Sandbox(self._plan.view)
        try:
            prefix = plan.user.prefix() if plan.user else []
        except FileNotFoundError as error:
            return Answer(str(error))
        key, file = circumstances(sandbox, prefix), plan.data_dir / CACHE
        answer = None if fresh else cached(file, key)
        if answer is None:
            as_root = plan.user is None and os.geteuid() == 0
            answer = self._probe(sandbox, prefix, as_root)
            if stored:
                store(file, key, answer)
        return answer

    def _probe(self, sandbox: Sandbox, prefix: Sequence[str], as_root: bool) -> Answer:
        """In a directory like that of a run."""
        from runbook.engine.isolation.probing import Answer, probe

        try:
            self._plan.execution_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix=PROBE, dir=self._plan.execution_dir) as name:
                directory = Path(name)
                if self._plan.user is not None:
                    self._plan.user.own(directory)
                return probe(sandbox, directory, prefix, as_root=as_root)
        except OSError as error:
            return Answer(f"EXECUTION_DIR can't be used: {error.strerror}")

    def _make_cgroups(self, enabled: bool) -> str:
        """Returns why limits of whole runs don't apply."""
        limits = self._plan.limits
        if not limits.controllers:
            return ""
        from runbook.engine.isolation import cgroups

        try:
            found = cgroups.find_hierarchies(limits, enabled)
            if enabled:
                cgroups.remove_stale(found)
            self._cgroups = cgroups.Cgroups(found, limits)
        except cgroups.CgroupError as error:
            return str(error)
        return ""

    def _prepare_backups(self) -> None:
        """Make the store of backups, which scripts can't make in a sandbox or as another user."""
        folder, key = self._backups
        user = self._plan.user
        with suppress(OSError):
            folder.mkdir(mode=0o700, exist_ok=True)
            self._make_key(key)
            if user is not None and folder.stat().st_uid != user.uid:
                user.own(key)
                for path, folders, files in os.walk(folder, topdown=False):
                    for name in (*folders, *files):
                        user.own(Path(path, name))
                user.own(folder)

    @property
    def _backups(self) -> tuple[Path, Path]:
        data_dir = self._plan.data_dir
        return data_dir / DEVICE_BACKUPS, data_dir / KEYS / DEVICE_BACKUPS

    @contextmanager
    def confine(
        self, run_id: str, directory: Path, hidden: Path, *, socket: str, backups: bool
    ) -> Iterator[Confinement]:
        """What one script is put into. `hidden` is the engine's folder in the run's directory.

        `socket` is the one for calls; with `backups`, the script may use the store of backups.
        Raises OSError.
        """
        self.settle()
        user = [] if self._plan.user is None else self._plan.user.prefix()
        if self._cgroups is None:
            yield self._confinement(user, directory, hidden, socket, backups)
            return
        with self._cgroups.group(run_id) as group:
            yield self._confinement([*group, *user], directory, hidden, socket, backups)

    def _confinement(
        self, prefix: Sequence[str], directory: Path, hidden: Path, socket: str, backups: bool
    ) -> Confinement:
        if self._sandbox is None:
            return Confinement(prefix)
        temporary = hidden / PRIVATE
        with self.acting():
            temporary.mkdir(mode=0o700, exist_ok=True)
        store, key = self._backups
        used = [store] if backups and store.is_dir() and key.is_file() else []
        shown = [Path(socket).parent] if socket and os.path.exists(socket) else []  # noqa: PTH110
        return Confinement(
            prefix,
            self._sandbox.command(
                directory,
                temporary,
                shown=[*shown, key] if used else shown,
                writable=[hidden, directory / ARTIFACTS, *used],
            ),
        )


def no_isolation() -> Isolation:
    """Scripts are processes of the engine's user."""
    return Isolation(Plan(Wanted.PROCESS, View(), Path(os.devnull), Path(os.devnull)))


def publish(isolated: Isolated, data_dir: Path) -> None:
    """Log how this server isolates scripts, and tell the other processes."""
    from runbook.engine.isolation.probing import write_json

    write_json(data_dir / STATE, dataclasses.asdict(isolated))
    log.event("isolation.mode", mode=isolated.mode.value, user=isolated.user)
    for note in isolated.notes():
        log.warning("isolation.limited", code=note.code, reason=note.params["reason"])


def published(data_dir: Path) -> Isolated | None:
    """How the worker of this server isolates scripts; None if it hasn't said so yet."""
    try:
        stored = json.loads((data_dir / STATE).read_text())
        texts = (str(stored[name]) for name in ("reason", "user", "unlimited"))
        return Isolated(Mode(stored["mode"]), *texts)
    except (OSError, ValueError, KeyError, TypeError):
        return None
