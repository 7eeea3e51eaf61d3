"""Finding a text in runbooks, whatever its case, without an index to keep."""

from __future__ import annotations


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
