r"""Line ends: digests cover text with LF, so a conversion of a file breaks no chain.

Any CRs directly before an LF belong to the line end: a file converted twice may have `\r\r\n`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_END = re.compile(rb"\r*\n")
_CRS = re.compile(rb"\r+\n")


def lf(data: bytes) -> bytes:
    """The text with LF as its line end."""
    return _CRS.sub(b"\n", data) if b"\r\n" in data else data


def crlf(data: bytes) -> bytes:
    """The text with CRLF as its line end."""
    return _LINE_END.sub(b"\r\n", data)


def has_crlf(front: bytes) -> bool:
    """Whether a text uses CRLF, judging by its first line."""
    end = front.find(b"\n")
    return end > 0 and front[end - 1 : end] == b"\r"


def readings(data: bytes) -> Iterator[bytes]:
    """The texts whose digest may be recorded for these bytes.

    Earlier versions recorded digests of the bytes as they were, with any CR in output.
    """
    yield lf(data)
    if b"\r\n" in data:
        yield data
        yield data.replace(b"\r\n", b"\n")


def without_crs(data: bytes, at: int) -> int:
    """The offset without the CRs directly before it."""
    while at > 0 and data[at - 1] == 0x0D:
        at -= 1
    return at
