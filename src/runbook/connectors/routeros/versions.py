"""Versions of RouterOS, and how each writes dates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_OLD_DATE = re.compile(r"([a-z]{3})/(\d{1,2})/(\d{4})", re.IGNORECASE)
_NUMBER = re.compile(r"(\d+)\.(\d+)(?:\.(\d+))?")


@dataclass(frozen=True, slots=True, order=True)
class Version:
    """Compare it with tuples by `at_least`: a release candidate counts as its version."""

    major: int
    minor: int
    patch: int = 0

    def at_least(self, major: int, minor: int) -> bool:
        return (self.major, self.minor) >= (major, minor)

    def __str__(self) -> str:
        patch = f".{self.patch}" if self.patch else ""
        return f"{self.major}.{self.minor}{patch}"


def read_version(text: str) -> Version:
    """Of a text such as `7.16rc1 (testing)`. Raises ValueError."""
    found = _NUMBER.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a version")
    return Version(*(int(part or 0) for part in found.groups()))


def read_moment(date: str, time: str) -> datetime:
    """What `/system clock` shows, in the time of the router. Raises ValueError."""
    found = _OLD_DATE.fullmatch(date)
    day = (
        f"{int(found[3]):04}-{MONTHS.index(found[1].lower()) + 1:02}-{int(found[2]):02}"
        if found
        else date
    )
    return datetime.fromisoformat(f"{day} {time}")


def write_date(moment: datetime, *, like: str) -> str:
    """The date in the form of another one: `2024-01-15`, or before 7.10 `jan/15/2024`."""
    if _OLD_DATE.fullmatch(like):
        return f"{MONTHS[moment.month - 1]}/{moment.day:02}/{moment.year:04}"
    return moment.strftime("%Y-%m-%d")


def write_time(moment: datetime) -> str:
    return moment.strftime("%H:%M:%S")
