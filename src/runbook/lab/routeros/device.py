"""What the parts of a router know of the whole, which is in router.py."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from runbook.lab.routeros.clock import Clock
from runbook.lab.routeros.errors import RouterError
from runbook.lab.routeros.faults import Faults
from runbook.lab.routeros.grammar import Signature, Tree
from runbook.lab.routeros.menu import Menu
from runbook.lab.routeros.session import Active, Session
from runbook.lab.routeros.state import Config, Row, State
from runbook.lab.routeros.versions import Release

NOTHING = Signature()


@dataclass
class Reply:
    """What a command that isn't of a menu answers. The console shows the text, the API the rows.

    `error` comes after both.
    """

    text: str = ""
    rows: list[Row] = field(default_factory=list)
    ret: str | None = None
    error: RouterError | None = None


@dataclass(frozen=True)
class Special:
    """Such a command."""

    run: Callable[[Device, Session, Mapping[str, str]], Reply]
    signature: Signature = NOTHING
    policies: tuple[str, ...] = ()


class Rows(Protocol):
    """See operations.py."""

    def rows(self, menu: Menu) -> list[Row]: ...

    def find(self, menu: Menu, which: str) -> Row: ...

    def add(self, menu: Menu, given: Mapping[str, str], session: Session) -> str: ...

    def set(
        self, menu: Menu, which: Iterable[str], given: Mapping[str, str], session: Session
    ) -> None: ...

    def unset(self, menu: Menu, which: Iterable[str], name: str, session: Session) -> None: ...

    def remove(self, menu: Menu, which: Iterable[str], session: Session) -> None: ...

    def move(self, menu: Menu, which: Iterable[str], before: str, session: Session) -> None: ...

    def checked(self, menu: Menu, given: Mapping[str, str], *, refer: bool = True) -> Row: ...


class Timers(Protocol):
    """See scheduler.py."""

    def due(self, which: str) -> float | None: ...

    def boot(self) -> None: ...

    def refresh(self) -> None: ...

    def fire(self) -> None: ...

    def stop(self) -> None: ...

    def boot_again(self) -> None: ...


class Device(ABC):
    release: Release
    clock: Clock
    state: State
    lock: threading.RLock
    allowed: threading.Condition
    faults: Faults
    menus: dict[str, Menu]
    commands: dict[tuple[str, str], Special]
    tree: Tree
    operations: Rows
    scheduler: Timers
    factory: Config
    management: str
    client: str
    serial: str
    software_id: str
    globals: dict[str, object]
    newest: str
    checked_for_updates: str
    downloaded: str
    wanted_mode: str
    button: threading.Event
    jobs_end: threading.Event
    """Set when the router goes down: ends what it does in the background."""
    is_up: bool
    rescue: str
    """Password of the user `rescue`, who gets in whatever the configuration says; empty if none."""

    @property
    def config(self) -> Config:
        return self.state.config

    @abstractmethod
    def log(self, topics: str, message: str) -> None: ...

    @abstractmethod
    def allows(self, feature: str) -> bool: ...

    @abstractmethod
    def changed(self, *paths: str) -> None: ...

    @abstractmethod
    def active(self) -> list[Active]: ...

    @abstractmethod
    def file_id(self, name: str) -> str: ...

    @abstractmethod
    def keep(self) -> None: ...

    @abstractmethod
    def sleep(self, seconds: float, cancelled: threading.Event) -> bool: ...

    @abstractmethod
    def background(self, work: Callable[[], object], name: str) -> None: ...

    @abstractmethod
    def run_script(self, text: str, session: Session) -> list[str]: ...

    @abstractmethod
    def reboot(self, apply: Callable[[], None] | None = None) -> None: ...

    @abstractmethod
    def shutdown(self) -> None: ...

    @abstractmethod
    def reset(
        self, *, keep_users: bool, no_defaults: bool, skip_backup: bool, script: str
    ) -> None: ...
