"""How the text of a setting is read.

A reader returns the value, or raises ValueError with what is wrong. It's plain code because
importing Pydantic takes a tenth of a command's time.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runbook.core.environ import not_passed

Reader = Callable[[str], object]

_MOST_DIGITS = 4300
"""More than that is slow, which Python refuses."""
_TRUE = frozenset({"true", "1", "yes", "on"})
_FALSE = frozenset({"false", "0", "no", "off"})


class Secret:
    """A value that isn't shown by accident."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def get_secret_value(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "Secret(**********)"


def setting(read: Reader, default: object, description: str) -> Any:
    """A field of the settings. A function as its default is called for each instance."""
    metadata = {"read": read, "description": description}
    if callable(default):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def switch(text: str) -> bool:
    word = text.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true, 1, yes, on, false, 0, no or off")


def integer(*, above: int | None = None, low: int | None = None, high: int | None = None) -> Reader:
    """An integer in a range: greater than `above`, from `low` or to `high`."""

    def read(text: str) -> int:
        digits = text.strip()
        if not re.fullmatch(r"[+-]?\d+(_\d+)*(\.0+)?", digits, re.ASCII):
            raise ValueError(
                "Input should be a valid integer, unable to parse string as an integer"
            )
        if len(digits) > _MOST_DIGITS:
            raise ValueError("Unable to parse input string as an integer, exceeded maximum size")
        value = int(digits.partition(".")[0])
        _check_range(value, above, low)
        if high is not None and value > high:
            raise ValueError(f"Input should be less than or equal to {high}")
        return value

    return read


def number(*, above: float | None = None, low: float | None = None) -> Reader:
    """A number greater than `above`, or from `low`."""

    def read(text: str) -> float:
        try:
            value = float(text if text.isascii() else "")
        except ValueError:
            raise ValueError(
                "Input should be a valid number, unable to parse string as a number"
            ) from None
        _check_range(value, above, low)
        return value

    return read


def _check_range(value: float, above: float | None, low: float | None) -> None:
    if above is not None and not value > above:
        raise ValueError(f"Input should be greater than {above}")
    if low is not None and not value >= low:
        raise ValueError(f"Input should be greater than or equal to {low}")


def one_of(*words: str) -> Reader:
    def read(text: str) -> str:
        if text not in words:
            *others, last = (repr(word) for word in words)
            raise ValueError(f"Input should be {', '.join(others)} or {last}")
        return text

    return read


def paths(text: str) -> tuple[Path, ...]:
    found = tuple(Path(name) for name in names(text))
    for path in found:
        if not path.is_absolute():
            raise ValueError(f"{path} must be an absolute path")
    return found


def log_level(text: str) -> str:
    return str(_LEVEL(text.upper()))


_LEVEL = one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def networks(text: str) -> tuple[str, ...]:
    import ipaddress

    found = names(text)
    for name in found:
        ipaddress.ip_network(name, strict=False)
    return found


def passed_names(text: str) -> tuple[str, ...]:
    found = names(text)
    for name in found:
        reason = not_passed(name)
        if reason is not None:
            raise ValueError(f"can't include {name}: {reason}")
    return found
