"""Finding a text in runbooks, whatever its case, without an index to keep."""

from __future__ import annotations

from dataclasses import dataclass

SHOWN_CHARACTERS = 200
_BEFORE = 60
"""So much of a long line is shown before the text that was found."""


@dataclass(frozen=True, slots=True)
class Match:
    """A line that holds what was sought: its number, from 1, and what of it can be shown."""

    line: int
    text: str


class Needle:
    """A text to be found. An ASCII text is looked for in bytes, which is done at memory speed."""

    def __init__(self, text: str) -> None:
        self._bytes = text.lower().encode() if text.isascii() else None
        self._folded = text.casefold()

    def is_in(self, data: bytes) -> bool:
        """Whether the text stands in this UTF-8."""
        if self._bytes is not None:
            return self._bytes in data.lower()
        return self._folded in data.decode("utf-8", "replace").casefold()

    def first_line(self, data: bytes) -> Match | None:
        """The first line that holds the text; None too where it only goes over lines."""
        text = data.decode("utf-8", "replace")
        for index, line in enumerate(_lines(text.casefold())):
            if self._folded in line:
                return Match(index + 1, self._shown(_lines(text)[index].strip()))
        return None

    def _shown(self, line: str) -> str:
        """At most SHOWN_CHARACTERS of the line, those around the text."""
        if len(line) <= SHOWN_CHARACTERS:
            return line
        # Folding may make a line longer: then the place is about right.
        at = min(line.casefold().find(self._folded), len(line))
        start = max(0, min(at - _BEFORE, len(line) - SHOWN_CHARACTERS))
        return line[start : start + SHOWN_CHARACTERS]


def _lines(text: str) -> list[str]:
    """As Markdown counts them: `splitlines` knows more ends."""
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
