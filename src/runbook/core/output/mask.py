"""Masks secrets in text that arrives in pieces.

The result doesn't depend on how the text is split: overlapping occurrences become one mask, and
only a tail that may be the start of a secret is held back until it is resolved or the text ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from runbook.core.output.secret_forms import forms, unmaskable
from runbook.core.prefix import common_length

__all__ = ["MASK", "Masker", "unmaskable"]

MASK = "***"

_PROBE = 8
"""Length of the prefix of a needle to search for first, in characters."""

Span = tuple[int, int]
"""The start and end of an occurrence, in characters."""


class _Needle:
    """One text to mask."""

    __slots__ = ("_borders", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._borders: list[int] = []

    def runs(self, text: str) -> Iterator[Span]:
        """Occurrences in `text`; overlaps by the needle's period form one run.

        Takes linear time, even for a needle such as `aaaa`.
        """
        size = len(self.text)
        start = text.find(self.text)
        period = size - self._border_table()[-1]
        while start >= 0:
            end = self._run_end(text, start + size, period)
            yield start, end
            start = text.find(self.text, end - size + 1)

    def _run_end(self, text: str, end: int, period: int) -> int:
        """The end of a series of overlapping occurrences."""
        if period == len(self.text):
            return end
        for step in (len(self.text) // period * period, period):
            suffix = self.text[-step:]
            while text.startswith(suffix, end):
                end += step
        return end

    def open_tail(self, text: str) -> int:
        """The length of the longest suffix of `text` that starts a needle longer than the probe."""
        if len(self.text) <= _PROBE:
            return 0
        tail = text[-(len(self.text) - 1) :]
        start = tail.find(self.text[:_PROBE])
        return 0 if start < 0 else self._longest_border(tail, start)

    def _longest_border(self, tail: str, start: int) -> int:
        borders, needle, length = self._border_table(), self.text, 0
        for character in tail[start:]:
            while length and needle[length] != character:
                length = borders[length - 1]
            if needle[length] == character:
                length += 1
        return length

    def _border_table(self) -> list[int]:
        """For each prefix of the needle, the length of its longest border."""
        if not self._borders:
            borders, needle, length = [0], self.text, 0
            for character in needle[1:]:
                while length and needle[length] != character:
                    length = borders[length - 1]
                if needle[length] == character:
                    length += 1
                borders.append(length)
            self._borders = borders
        return self._borders


class _Group:
    """Needles that start the same: if the start isn't in a text, none of them is.

    Most runs print nothing like them, so that all but the texts is worked out on first use.
    """

    __slots__ = ("_needles", "_start", "_texts", "longest")

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._needles: list[_Needle] = []
        self._start = ""
        self.longest = 0

    def add(self, text: str) -> None:
        self._texts.append(text)
        self._start = ""
        self.longest = max(self.longest, len(text))

    @property
    def start(self) -> str:
        if not self._start:
            first, last = min(self._texts), max(self._texts)
            self._start = first[: common_length(first, last)]
        return self._start

    @property
    def needles(self) -> list[_Needle]:
        if len(self._needles) < len(self._texts):
            self._needles = [_Needle(text) for text in self._texts]
        return self._needles


class _Needles:
    """All texts to mask in a run; shared by the maskers of its streams."""

    def __init__(self) -> None:
        self._secrets: list[str] = []
        """Secrets whose forms haven't been built yet: many runs print nothing."""
        self._known: set[str] = set()
        self._groups: dict[str, _Group] = {}
        self._starts: set[str] = set()
        self._longest_bytes = 0

    def add(self, secret: str) -> None:
        self._secrets.append(secret)

    @property
    def longest_bytes(self) -> int:
        self.build()
        return self._longest_bytes

    def build(self) -> None:
        while self._secrets:
            for form in forms(self._secrets[0]) - self._known:
                self._add_form(form)
            del self._secrets[0]

    def _add_form(self, text: str) -> None:
        self._known.add(text)
        start = text[:_PROBE]
        group = self._groups.get(start)
        if group is None:
            group = self._groups[start] = _Group()
            self._starts.clear()
        group.add(text)
        size = len(text) if text.isascii() else len(text.encode())
        self._longest_bytes = max(self._longest_bytes, size)

    def spans(self, text: str) -> list[Span]:
        """Occurrences of any needle, in order, with overlapping ones merged."""
        self.build()
        groups = [group for group in self._groups.values() if group.start in text]
        found = [one for group in groups for one in group.needles if one.text in text]
        return _merged(sorted(span for needle in found for span in needle.runs(text)))

    def open_tail(self, text: str) -> int:
        """The length of the longest suffix of `text` that is a proper prefix of a needle."""
        self.build()
        groups = [one for probe, one in self._groups.items() if probe in text[-one.longest :]]
        tails = [needle.open_tail(text) for group in groups for needle in group.needles]
        return max(self._short_tail(text), *tails, 0)

    def _short_tail(self, text: str) -> int:
        if not self._starts:
            self._starts = {start[:size] for start in self._groups for size in range(1, len(start))}
        sizes = range(min(_PROBE - 1, len(text)), 0, -1)
        return next((size for size in sizes if text[-size:] in self._starts), 0)


def _merged(spans: list[Span]) -> list[Span]:
    merged: list[Span] = []
    for start, end in spans:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class Masker:
    """Masks secrets in one stream of text; use `fork` for other streams.

    Empty and very short secrets are not masked (see `unmaskable`).
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._needles = _Needles()
        self._held = ""
        self._covered = 0
        for secret in secrets:
            self.add(secret)

    def fork(self) -> Masker:
        """A masker with the same secrets, including later ones, and an empty buffer."""
        other = Masker()
        other._needles = self._needles
        return other

    def add(self, secret: str) -> None:
        """Also mask this secret from now on, in all forks, including text still held back.

        Cheap: its forms are built when there is text to mask.
        """
        self._needles.add(secret)

    def prepare(self) -> None:
        """Build the forms of all secrets now."""
        self._needles.build()

    @property
    def longest_bytes(self) -> int:
        """The UTF-8 size of the longest masked text; 0 if there are no secrets."""
        return self._needles.longest_bytes

    @property
    def holds(self) -> bool:
        """Whether it holds text back."""
        return bool(self._held)

    def feed(self, text: str) -> str:
        """The next piece of the stream, masked as far as possible."""
        text = self._held + text
        return self._pass(text, len(text) - self._needles.open_tail(text))

    def finish(self) -> str:
        """The text held back. The masker can be reused afterwards."""
        return self._pass(self._held, len(self._held))

    def mask_text(self, text: str) -> str:
        """Mask one complete text, such as an error or a name, independent of the stream."""
        whole = self.fork()
        return whole.feed(text) + whole.finish()

    def mask_cut(self, text: str) -> str:
        """Mask a truncated text; drop an end that may be the start of a secret."""
        return self.fork().feed(text)

    def mask_value(self, value: object) -> object:
        """A JSON value with all strings masked, including keys."""
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, dict):
            return {self.mask_value(key): self.mask_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.mask_value(item) for item in value]
        return value

    def _pass(self, text: str, stop: int) -> str:
        """Return the text before `stop`. `_covered` counts held characters already masked."""
        done = self._covered
        pieces: list[str] = []
        for start, end in self._needles.spans(text):
            if start >= stop:
                break
            if start >= done:
                pieces += (text[done:start], MASK)
            done = max(done, end)
        pieces.append(text[done:stop])
        self._held, self._covered = text[stop:], max(0, done - stop)
        return "".join(pieces)
