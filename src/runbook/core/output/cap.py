"""Limits output: keeps the first and last part with a notice in between.

All sizes are in UTF-8 bytes; text is only cut between characters.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

PIECE_BYTES = 64 * 1024
"""Maximum size of a piece of output that is sent or stored."""


def utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def cut_utf8(text: str, room: int) -> str:
    """The longest prefix of `text` that fits into `room` bytes."""
    if len(text) <= room and utf8_size(text) <= room:
        return text
    return text[:room].encode("utf-8", "replace")[:room].decode("utf-8", "ignore")


def split_utf8(text: str, limit: int = PIECE_BYTES) -> Iterator[str]:
    """Pieces of at most `limit` bytes, cut after a line break if possible."""
    data = text.encode("utf-8", "replace")
    at = 0
    while len(data) - at > limit:
        end = _boundary(data, at + limit)
        end = data.rfind(b"\n", at, end) + 1 or end
        yield data[at:end].decode("utf-8")
        at = end
    if at < len(data):
        yield data[at:].decode("utf-8")


def _boundary(data: bytes, at: int) -> int:
    """`at`, moved back to a character boundary."""
    while at > 0 and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


def omission(omitted: int, limit: int, limit_name: str) -> str:
    """The notice that replaces omitted output."""
    return f"[... {omitted} bytes of output omitted: {limit_name} is {limit} ...]\n"


class ByteRing:
    """The last bytes of a stream, stored in blocks so that discarding is cheap."""

    def __init__(self) -> None:
        self._blocks: deque[bytes] = deque()
        self._open = bytearray()
        self.size = 0
        self.dropped = 0

    def add(self, data: bytes, keep: int) -> None:
        """Append, and drop the oldest blocks while `keep` bytes remain."""
        if len(data) > keep + PIECE_BYTES:
            self._drop(len(data) - keep)
            data = data[-keep:] if keep else b""
        self.size += len(data)
        self._append(data)
        while self._blocks and self.size - len(self._blocks[0]) >= keep:
            block = self._blocks.popleft()
            self.size -= len(block)
            self.dropped += len(block)

    def _append(self, data: bytes) -> None:
        """Merge small pieces: an object per byte would use more memory than the limit."""
        if not self._open and len(data) >= PIECE_BYTES // 4:
            self._blocks.append(data)
            return
        self._open += data
        if len(self._open) >= PIECE_BYTES:
            self._blocks.append(bytes(self._open))
            self._open.clear()

    def _drop(self, passing: int) -> None:
        """Discard everything, and count `passing` bytes that were never stored."""
        self.dropped += self.size + passing
        self.size = 0
        self._blocks.clear()
        self._open.clear()

    def blocks(self) -> Iterator[bytes]:
        yield from self._blocks
        if self._open:
            yield bytes(self._open)


class Tail:
    """The last `limit` bytes of a text."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._ring = ByteRing()

    def add(self, text: str) -> None:
        self._ring.add(text.encode("utf-8", "replace"), self._limit)

    @property
    def total(self) -> int:
        """The total size of the added text."""
        return self._ring.size + self._ring.dropped

    def text(self) -> str:
        data = b"".join(self._ring.blocks())
        at = max(0, len(data) - self._limit)
        while at < len(data) and data[at] & 0xC0 == 0x80:
            at += 1
        return data[at:].decode("utf-8")


class HeadTail:
    """Keeps the first and last half of a masked text for a history entry.

    Uses less memory than twice `limit_bytes` plus one piece, however much is added.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._room = limit_bytes // 2
        self._head: list[str] = []
        self._tail = Tail(limit_bytes - limit_bytes // 2)

    def feed(self, text: str) -> None:
        if self._room:
            head = cut_utf8(text, self._room)
            self._head.append(head)
            text = text[len(head) :]
            self._room = self._room - utf8_size(head) if not text else 0
        if text:
            self._tail.add(text)

    def text(self, *, omitted_before: int = 0) -> str:
        """The whole text if it is within the limit, else head, notice and tail.

        `omitted_before` counts bytes already omitted from the input.
        """
        head, tail = "".join(self._head), self._tail.text()
        omitted = self._tail.total - utf8_size(tail)
        if not omitted:
            return head + tail
        line_break = "\n" if head and not head.endswith("\n") else ""
        notice = omission(omitted + omitted_before, self._limit, "HISTORY_ENTRY_BYTES")
        return head + line_break + notice + tail
