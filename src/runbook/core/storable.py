"""Text that every database takes: without NUL, and without lone surrogates."""

from __future__ import annotations

from collections.abc import Mapping


def encoded(text: str) -> bytes:
    """A lone surrogate, which UTF-8 has no bytes for, becomes a question mark."""
    return text.encode("utf-8", "replace")


def storable(text: str) -> str:
    """The text with question marks for what no database takes."""
    return encoded(text).decode("utf-8").replace("\0", "?")


def is_storable(value: object) -> bool:
    """Whether a JSON value has only text that every database takes, however deep it is."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or storable(value) == value)
    if isinstance(value, Mapping):
        return all(is_storable(name) and is_storable(item) for name, item in value.items())
    if isinstance(value, list | tuple):
        return all(map(is_storable, value))
    return True


def storable_value(value: object) -> object:
    """A JSON value with question marks for what no database takes."""
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): storable_value(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(item) for item in value]
    return value
