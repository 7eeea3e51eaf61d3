"""What `Toolkits` is made of. Built in `bootstrap`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from runbook.core.access import Decision, Principal
from runbook.core.permissions import Permission
from runbook.core.times import Millis
from runbook.library.catalog import Catalog, Entry
from runbook.quick_dataclass import dataclass
from runbook.store.models import LastRun
from runbook.store.store import Store
from runbook.toolkits.catalogue import Catalogue
from runbook.toolkits.installation import Installation
from runbook.toolkits.switchboard import Switchboard

Result = TypeVar("Result")


class Gate(Protocol):
    """Decides who may do what."""

    def require(self, principal: Principal, permission: Permission) -> None:
        """Raises AccessDeniedError."""

    def can(self, principal: Principal, permission: Permission, resource: Entry) -> Decision:
        """Whether the principal may do it with this runbook."""


class Offload(Protocol):
    """Does work on files where it doesn't keep others waiting."""

    def __call__(self, work: Callable[[], Result], /) -> Result: ...


def at_once(work: Callable[[], Result], /) -> Result:
    return work()


@dataclass(frozen=True, slots=True)
class Parts:
    """`bundled` has the toolkits of this package, one folder each.

    `last_runs` are those of each ref, and `usable_kinds` the kinds of connections that somebody
    may use. What is passed to `offload` uses neither the store nor the log.
    """

    store: Store
    gate: Gate
    installation: Installation
    switchboard: Switchboard
    catalog: Catalog
    bundled: Path
    engine_version: str
    has_extra: Callable[[str], bool]
    usable_kinds: Callable[[Principal], Collection[str]]
    last_runs: Callable[[], Mapping[str, LastRun]]
    clock: Callable[[], Millis]
    catalogue: Catalogue | None = None
    offload: Offload = at_once
