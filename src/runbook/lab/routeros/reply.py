"""What a command that isn't of a menu answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook.lab.routeros.console.parser import Signature
from runbook.lab.routeros.errors import RouterError
from runbook.lab.routeros.session import Session
from runbook.lab.routeros.state import Row

if TYPE_CHECKING:
    from runbook.lab.routeros.router import Router


@dataclass
class Reply:
    """The console shows the text, the API sends the rows. `error` comes after both."""

    text: str = ""
    rows: list[Row] = field(default_factory=list)
    ret: str | None = None
    error: RouterError | None = None


@dataclass(frozen=True)
class Special:
    run: Callable[[Router, Session, Mapping[str, str]], Reply]
    signature: Signature = Signature()
    policies: tuple[str, ...] = ()
