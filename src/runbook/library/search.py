"""Case-insensitive text search in runbooks, without an index."""

from __future__ import annotations

from runbook.quick_dataclass import dataclass

SHOWN_CHARACTERS = 200
_BEFORE = 60
"""Maximum number of characters shown before the match in a long line."""


@dataclass(frozen=True, slots=True)
class Match:
    """A matching line: its number, counted from 1, and the part to show."""

    line: int
    text: str


class Needle:
    """A text to find. ASCII text is searched in bytes, which is fastest."""

    def __init__(self, text: str) -> None:
        self._bytes = text.lower().encode() if text.isascii() else None
        self._folded = text.casefold()

    def is_in(self, data: bytes) -> bool:
        """Whether this UTF-8 contains the text."""
        if self._bytes is not None:
            return self._bytes in data.lower()
        return self._folded in data.decode("utf-8", "replace").casefold()

    def first_line(self, data: bytes) -> Match | None:
        """The first line that contains the text; also None if it only matches across lines."""
        text = data.decode("utf-8", "replace")
        for index, line in enumerate(_lines(text.casefold())):
            if self._folded in line:
                return Match(index + 1, self._shown(_lines(text)[index].strip()))
        return None

    def _shown(self, line: str) -> str:
        """At most SHOWN_CHARACTERS of the line, around the match."""
        if len(line) <= SHOWN_CHARACTERS:
            return line
        # Case folding may lengthen a line, so the position is approximate.
        at = min(line.casefold().find(self._folded), len(line))
        start = max(0, min(at - _BEFORE, len(line) - SHOWN_CHARACTERS))
        return line[start : start + SHOWN_CHARACTERS]


def _lines(text: str) -> list[str]:
    """Split like Markdown does: `splitlines` splits at more characters."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
