"""Words and sentences of the binary API."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

LARGEST = 1 << 26
"""A longer word ends the connection."""
_FORMS = (
    (0x80, 0x00, 1),
    (0x4000, 0x8000, 2),
    (0x200000, 0xC00000, 3),
    (0x10000000, 0xE0000000, 4),
)
_READ = ((0x80, 0x00, 0), (0xC0, 0x80, 1), (0xE0, 0xC0, 2), (0xF0, 0xE0, 3), (0xFF, 0xF0, 4))


class WireError(Exception):
    """What was read is no sentence."""


def length(size: int) -> bytes:
    for limit, mark, width in _FORMS:
        if size < limit:
            return (size | mark).to_bytes(width, "big")
    return b"\xf0" + size.to_bytes(4, "big")


def sentence(words: Iterable[str]) -> bytes:
    encoded = [word.encode() for word in words]
    return b"".join(length(len(word)) + word for word in encoded) + b"\x00"


def read_length(read: Callable[[int], bytes]) -> int:
    first = read(1)[0]
    for mask, mark, more in _READ:
        if first & mask == mark:
            rest = read(more) if more else b""
            return int.from_bytes(bytes([first & ~mask & 0xFF]) + rest, "big")
    raise WireError(f"control byte {first:#x}")


def read_sentence(read: Callable[[int], bytes]) -> list[str]:
    words = []
    while size := read_length(read):
        if size > LARGEST:
            raise WireError(f"a word of {size} bytes")
        words.append(read(size).decode("utf-8", "replace"))
    return words


@dataclass
class Request:
    command: str
    tag: str = ""
    attributes: dict[str, str] = field(default_factory=dict)
    queries: list[str] = field(default_factory=list)


def parse(words: list[str]) -> Request:
    request = Request(words[0])
    for word in words[1:]:
        if word.startswith(".tag="):
            request.tag = word[5:]
        elif word.startswith("?"):
            request.queries.append(word[1:])
        elif word.startswith(("=", ".")):
            name, _, value = word.removeprefix("=").partition("=")
            request.attributes[name] = value
        else:
            raise WireError(f"unknown word {word}")
    return request
