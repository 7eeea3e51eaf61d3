"""Durations: `90s`, `5m`, `1h30m`, `1.5h`, or a number of seconds."""

from __future__ import annotations

import re

UNITS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
DURATION_RULE = "a number with d, h, m or s, such as 90s, 5m or 1h30m"
LONGEST_S = 366 * 86_400.0

_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,6})?"
_PARTS = re.compile("".join(f"(?:({_NUMBER}){unit})?" for unit in UNITS))


def parse_duration(text: str) -> float | None:
    """Seconds, or None if the text is not a duration or exceeds one year.

    Units appear in descending order, each once. A number without a unit is in seconds.
    """
    if re.fullmatch(_NUMBER, text):
        seconds = float(text)
    elif text and (match := _PARTS.fullmatch(text)):
        pairs = zip(match.groups(), UNITS.values(), strict=True)
        seconds = sum(float(number) * unit for number, unit in pairs if number)
    else:
        return None
    return seconds if seconds <= LONGEST_S else None
