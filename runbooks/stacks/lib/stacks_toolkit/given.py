"""The inputs of the runbook, read from its environment."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runbook.connectors import compose
from runbook.connectors.compose import Engine, Stack
from runbook.connectors.errors import ConnectorError, ErrorCode

ENGINE = "ENGINE"
STACKS = "/opt/stacks"


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def whole(name: str, default: int) -> int:
    given = text(name)
    return int(given) if given else default


def flag(name: str) -> bool:
    return text(name) == "true"


def invalid(message: str, code: ErrorCode = ErrorCode.INVALID) -> ConnectorError:
    return ConnectorError(message, code, nothing_changed=True)


@dataclass(frozen=True, slots=True)
class Job:
    """The stack that the inputs name, and how long to wait for it."""

    engine: Engine
    stack: Stack
    wait_s: float
    settle_s: float

    @property
    def dry_run(self) -> bool:
        return self.engine.dry_run

    def again(self) -> Job:
        """The same, with nothing known of the files: they have changed."""
        stack = Stack(self.engine, self.stack.name, self.stack.folder, self.stack.files)
        return Job(self.engine, stack, self.wait_s, self.settle_s)


@contextmanager
def opened() -> Iterator[Job]:
    """Raises ConnectorError if the stack has no Compose file, or an invalid one."""
    with compose.connect(ENGINE) as engine:
        yield job_of(engine)


def job_of(engine: Engine) -> Job:
    name = text("STACK")
    folder = Path(text("FOLDER", f"{STACKS}/{name}"))
    if not folder.is_dir():
        raise invalid(f"There is no folder {folder} on this machine", ErrorCode.NOT_FOUND)
    file = text("FILE")
    stack = engine.stack(name, folder, folder / file if file else None)
    return Job(engine, stack, whole("WAIT", 120), whole("SETTLE", 10))
