"""The router's own clock, which may run faster than ours, and how it writes times."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
UNITS = {"w": 604800.0, "d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|[wdhms])")
_CLOCK = re.compile(r"(\d+):(\d\d)(?::(\d\d(?:\.\d+)?))?")


class Clock:
    """`rate` seconds of the router pass in one of ours."""

    def __init__(self, rate: float = 1.0) -> None:
        self.rate = rate
        self._set_at = time.monotonic()
        self._set_to = datetime.now(UTC).replace(microsecond=0)
        self.booted = self._set_to

    def now(self) -> datetime:
        passed = (time.monotonic() - self._set_at) * self.rate
        return self._set_to + timedelta(seconds=passed)

    def set(self, moment: datetime) -> None:
        """Change the time of day; the uptime goes on."""
        uptime = self.now() - self.booted
        self._set_at, self._set_to = time.monotonic(), moment
        self.booted = moment - uptime

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self._set_to += timedelta(seconds=seconds)

    def boot(self) -> None:
        self.booted = self.now()

    def uptime(self) -> timedelta:
        return self.now() - self.booted

    def real_seconds(self, seconds: float) -> float:
        """How long the router's seconds take here."""
        return seconds / self.rate


def write_date(moment: datetime, *, iso: bool) -> str:
    if iso:
        return moment.strftime("%Y-%m-%d")
    return f"{MONTHS[moment.month - 1]}/{moment.day:02}/{moment.year}"


def write_moment(moment: datetime, *, iso: bool) -> str:
    return f"{write_date(moment, iso=iso)} {moment:%H:%M:%S}"


def read_date(text: str) -> datetime:
    """Both forms, whatever the version: raises ValueError."""
    if match := re.fullmatch(r"(\d{4})-(\d\d?)-(\d\d?)", text):
        year, month, day = (int(part) for part in match.groups())
        return datetime(year, month, day, tzinfo=UTC)
    if match := re.fullmatch(r"([a-z]{3})/(\d\d?)/(\d{4})", text.lower()):
        name, day_text, year_text = match.groups()
        return datetime(int(year_text), MONTHS.index(name) + 1, int(day_text), tzinfo=UTC)
    raise ValueError(text)


def read_time(text: str) -> timedelta:
    """The time of a day: raises ValueError."""
    seconds = read_duration(text)
    if seconds >= 86400:
        raise ValueError(text)
    return timedelta(seconds=seconds)


def write_time(passed: timedelta) -> str:
    seconds = int(passed.total_seconds())
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def read_duration(text: str) -> float:
    """`1d2h`, `90`, `00:01:30` or `1d 00:00:10`, in seconds: raises ValueError."""
    rest = text.strip()
    total = 0.0
    if match := _CLOCK.search(rest):
        hours, minutes, seconds = match.groups()
        total = int(hours) * 3600 + int(minutes) * 60 + float(seconds or 0)
        rest = rest[: match.start()].strip()
    if re.fullmatch(r"\d+(\.\d+)?", rest):
        return total + float(rest)
    if _PARTS.sub("", rest).strip() or not text.strip():
        raise ValueError(text)
    return total + sum(float(number) * UNITS[unit] for number, unit in _PARTS.findall(rest))


def write_duration(seconds: float) -> str:
    """`1w2d3h4m5s`, and `0s` for none."""
    whole = int(seconds)
    written = ""
    for unit in ("w", "d", "h", "m", "s"):
        size = int(UNITS[unit])
        if count := whole // size:
            written += f"{count}{unit}"
            whole -= count * size
    if milliseconds := round((seconds - int(seconds)) * 1000):
        written += f"{milliseconds}ms"
    return written or "0s"
