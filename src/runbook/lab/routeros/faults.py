"""Faults that a test can switch on while the router runs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Faults:
    hang: bool = False
    """Connections are accepted, and nothing is ever said."""
    refuse: bool = False
    """Nothing listens."""
    drop: bool = False
    """The connection ends in the middle of a reply."""
    truncate: bool = False
    """Half of a reply or an export arrives, and looks as if it were all."""
    slow: float = 0.0
    """Seconds, by our clock, before each reply."""
    matching: str = ""
    """Only commands in which this regular expression is found: drop, truncate and slow."""

    changed: Callable[[], None] = field(default=lambda: None, repr=False)
    """Called after each change: ports open or close, and connections that hang go on."""

    def __setattr__(self, name: str, value: object) -> None:
        object.__setattr__(self, name, value)
        if name != "changed" and "changed" in self.__dict__:
            self.changed()

    def concern(self, command: str) -> bool:
        return not self.matching or bool(re.search(self.matching, command))

    def delay(self, command: str) -> float:
        return self.slow if self.concern(command) else 0.0

    def drops(self, command: str) -> bool:
        return self.drop and self.concern(command)

    def truncates(self, command: str) -> bool:
        return self.truncate and self.concern(command)
