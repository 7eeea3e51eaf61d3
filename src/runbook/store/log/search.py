"""Finds log lines that contain a text or match a pattern, without reading the database.

A log is fed in chunks that may end between any two characters; each line is reported once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from runbook.errors import RequestError
from runbook.store.log.lines import MAX_LINE_BYTES

if TYPE_CHECKING:
    import re2

# Memory limit per pattern; re2 rejects patterns that need more.
_PATTERN_BYTES = 8 * 1024 * 1024


class LineMatcher(Protocol):
    def feed(self, chunk: bytes) -> list[int]:
        """The numbers of lines that match as of this chunk."""

    def finish(self) -> list[int]:
        """The remaining matches after the end of the log."""


class TextMatcher:
    """Lines that contain a text, ignoring case.

    Of an unfinished line, it only buffers a possible start of a match.
    """

    def __init__(self, text: str) -> None:
        self._text = text.casefold()
        self._line = 1
        self._tail = ""
        self._open_hit = False

    def feed(self, chunk: bytes) -> list[int]:
        folded = self._tail + chunk.decode("utf-8", "replace").casefold()
        lines = folded.count("\n")
        numbers = self._hits(folded) if self._text in folded else []
        self._open_hit = (self._open_hit and not lines) or self._line + lines in numbers[-1:]
        self._line += lines
        keep = max(folded.rfind("\n") + 1, len(folded) - len(self._text) + 1)
        self._tail = folded[keep:]
        return numbers

    def finish(self) -> list[int]:
        return []

    def _hits(self, folded: str) -> list[int]:
        lines = enumerate(folded.split("\n"), self._line)
        numbers = [number for number, line in lines if self._text in line]
        seen = self._open_hit and numbers[:1] == [self._line]
        return numbers[1:] if seen else numbers


class PatternMatcher:
    """Lines that match an re2 pattern, ignoring case.

    re2 takes linear time for any pattern, so a search can't block a server. A line that is
    unfinished after MAX_LINE_BYTES is matched up to there.

    Raises RequestError for an invalid pattern.
    """

    def __init__(self, pattern: str) -> None:
        self._pattern = _compiled(pattern)
        self._line = 1
        self._tail = b""
        self._skips = False

    def feed(self, chunk: bytes) -> list[int]:
        if self._skips:
            _rest, newline, chunk = chunk.partition(b"\n")
            if not newline:
                return []
            self._skips = False
            self._line += 1
        text = self._tail + chunk
        end = text.rfind(b"\n") + 1
        numbers = self._hits(text[:end])
        self._tail = text[end:]
        if len(self._tail) > MAX_LINE_BYTES:
            numbers += self.finish()
            self._skips = True
        return numbers

    def finish(self) -> list[int]:
        tail, self._tail = self._tail, b""
        return self._hits(tail[:MAX_LINE_BYTES])

    def _hits(self, text: bytes) -> list[int]:
        numbers: list[int] = []
        at = 0
        while at < len(text) and (match := self._pattern.search(text, at)):
            start = match.start()
            # There is no line after the last newline.
            if start == len(text) and text.endswith(b"\n"):
                break
            self._line += text.count(b"\n", at, start)
            numbers.append(self._line)
            end = text.find(b"\n", start)
            if end < 0:
                return numbers
            at = end + 1
            self._line += 1
        self._line += text.count(b"\n", at)
        return numbers


def _compiled(pattern: str) -> re2._Regexp:
    # Imported lazily, so that commands start faster.
    import re2

    options = re2.Options()
    options.case_sensitive = False
    options.never_nl = True
    options.never_capture = True
    options.log_errors = False
    options.max_mem = _PATTERN_BYTES
    try:
        return re2.compile(f"(?m){pattern}", options)
    except re2.error as error:
        reason = error.args[0].decode("utf-8", "replace").replace("(?m)", "", 1)
        raise RequestError(f"Invalid regular expression: {reason}") from None
