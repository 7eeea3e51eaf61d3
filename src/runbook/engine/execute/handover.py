"""Reads what a script hands over, during the script and after each step.

Progress, plans and values to mask come through named pipes that the engine keeps open: a line
arrives at once, and a value to mask is known before the output that contains it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from runbook.core.output.handover import (
    HANDOVER_BYTES,
    Assignments,
    Lines,
    MaskLines,
    Planned,
    Progress,
    read_env,
    read_outputs,
    read_plan,
    read_progress,
)
from runbook.engine.process.script_user import Acting, as_ourselves
from runbook.engine.process.workspace import HandOver, Workspace
from runbook.errors import RunbookError

READ_BYTES = 65_536
_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW


class HandOverError(RunbookError):
    """Values that the script handed over are unusable."""

    code = "bad_hand_over"


class Journal(Protocol):
    """Records the changes that scripts make: see EffectJournal."""

    def hear(self, line: str, folder: Path) -> None: ...

    def tell(self, path: Path) -> None: ...


class _Pipe:
    """A named pipe that scripts write lines to like to a file."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path, 0o600)
        # Also open for writing, so that it never reaches its end.
        self.descriptor = os.open(path, _FLAGS)

    def read(self) -> Iterator[bytes]:
        """The available bytes, at most a pipe's capacity, so that no writer blocks the caller."""
        with suppress(BlockingIOError):
            yield os.read(self.descriptor, READ_BYTES)

    def close(self) -> None:
        os.close(self.descriptor)


class LiveHandOver:
    """The pipes of one run: enter before the first script starts, exit after the last one.

    The thread that waits on `channels` calls `on_progress`, `on_plan` and `on_secret`, and
    tells the journal of changes.
    `read_secrets` also calls `on_secret` for each new secret, then `after_secrets` once.
    """

    def __init__(
        self,
        handover: HandOver,
        *,
        on_progress: Callable[[Progress], None],
        on_plan: Callable[[Planned], None],
        on_secret: Callable[[str], None],
        after_secrets: Callable[[], None] = lambda: None,
        journal: Journal | None = None,
        acting: Acting = as_ourselves,
    ) -> None:
        self._acting = acting
        self._handover = handover
        self._on_progress = on_progress
        self._on_plan = on_plan
        self._on_secret = on_secret
        self._after_secrets = after_secrets
        self._journal = journal
        self._progress_lines, self._plan_lines, self._effect_lines = Lines(), Lines(), Lines()
        self._mask_lines = MaskLines()
        self._pipes: list[_Pipe] = []

    def __enter__(self) -> Self:
        given = self._handover
        paths = (given.mask, given.progress, given.plan, given.effects)
        try:
            with self._acting():
                for path in paths:
                    self._pipes.append(_Pipe(path))
        except OSError as error:
            self._close()
            raise HandOverError(f"EXECUTION_DIR has no named pipes: {error.strerror}") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        while self._pipes:
            self._pipes.pop().close()

    def channels(self) -> list[tuple[int, Callable[[], object]]]:
        """Descriptors to watch, each with the function to call when it is readable."""
        mask, progress, plan, effects = self._pipes
        return [
            (mask.descriptor, self.read_secrets),
            (progress.descriptor, self._read_progress),
            (plan.descriptor, self._read_plan),
            (effects.descriptor, self._read_effects),
        ]

    def begin(self) -> None:
        """Before each script: tell it of the changes of earlier attempts."""
        if self._journal is not None:
            self._journal.tell(self._handover.earlier_effects)

    def read_secrets(self) -> None:
        """Read the values to mask. Called before any output is handled.

        Raises HandOverError for a value without an end, which can't be masked.
        """
        for data in self._pipes[0].read():
            for value in self._mask_lines.feed(data):
                self._on_secret(value)
            self._after_secrets()
        if self._mask_lines.size > HANDOVER_BYTES:
            raise HandOverError("A value in RUNBOOK_MASK is longer than 1 MiB, or has no end")

    def finish(self) -> None:
        """Read the rest after a script has ended."""
        self.read_secrets()
        for value in self._mask_lines.finish():
            self._on_secret(value)
        self._read_progress()
        self._read_plan()
        self._read_effects()
        self._tell_progress(self._progress_lines.finish())
        self._tell_plans(self._plan_lines.finish())

    def _read_progress(self) -> None:
        for data in self._pipes[1].read():
            self._tell_progress(self._progress_lines.feed(data))

    def _tell_progress(self, lines: list[str]) -> None:
        for line in lines:
            if (progress := read_progress(line)) is not None:
                self._on_progress(progress)

    def _read_plan(self) -> None:
        for data in self._pipes[2].read():
            self._tell_plans(self._plan_lines.feed(data))

    def _read_effects(self) -> None:
        """What the script says of its changes. It waits for the answer, so it says no more."""
        self.read_secrets()
        for data in self._pipes[3].read():
            for line in self._effect_lines.feed(data):
                if self._journal is not None:
                    self._journal.hear(line, self._handover.effects.parent)

    def _tell_plans(self, lines: list[str]) -> None:
        for line in lines:
            if (planned := read_plan(line)) is not None:
                self._on_plan(planned)


def take_env(workspace: Workspace) -> Assignments:
    """The variables that a step has set for later steps. Removes the file."""
    return read_env(_take(workspace, workspace.handover.env))


def take_outputs(workspace: Workspace) -> Assignments:
    return read_outputs(_take(workspace, workspace.handover.output))


def _take(workspace: Workspace, path: Path) -> bytes:
    if not os.path.lexists(path):
        return b""
    data = workspace.read_handover(path, HANDOVER_BYTES)
    workspace.discard(path)
    return data
