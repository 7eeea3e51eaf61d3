"""The patterns of inputs: regular expressions for a whole value; which could run for ever."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

PATTERN_LIMIT = 500
"""Characters of a pattern."""
PATTERN_VALUE_LIMIT = 4 * 1024
"""Bytes of UTF-8 in a value that a pattern is held against: matching may take its square."""
OFTEN = 10
"""What is repeated more often than this counts as repeated without end."""

_parser = importlib.import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""`\d` and `\w` mean ASCII, as they do in JSON Schema.

    Raises re.error, ValueError, OverflowError, RecursionError, and FutureWarning for what a later
    Python would read otherwise.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        return re.compile(pattern, re.ASCII)


def is_explosive(pattern: str) -> bool:
    """Whether a pattern that compiles repeats a repetition with nothing in between: `(a+)+`.

    Then a text can be divided in so many ways that a value which does not match takes time beyond
    all bounds, and nothing can stop the matching.
    """
    return any(
        repeat[1] > OFTEN and _varies(repeat[2])
        for part in _parts(_parser.parse(pattern, re.ASCII))
        for repeat in _repeats(part)
    )


def _parts(sequence: Any) -> Iterator[Any]:
    """A parsed sequence, and all sequences inside it."""
    yield sequence
    for _, argument in sequence:
        for inner in _inner(argument):
            yield from _parts(inner)


def _inner(argument: Any) -> Iterator[Any]:
    if isinstance(argument, _parser.SubPattern):
        yield argument
    elif isinstance(argument, tuple | list):
        for item in argument:
            yield from _inner(item)


def _repeats(sequence: Any) -> list[Any]:
    """`(least, most, what)` of each repetition that stands in a sequence itself."""
    return [argument for code, argument in sequence if str(code) in _REPEATS]


def _varies(sequence: Any) -> bool:
    """Whether a sequence can be a single repetition: all that stands beside it may be empty."""
    widths = [_parser.SubPattern(sequence.state, [item]).getwidth()[0] for item in sequence]
    return any(
        sum(widths) == width and _item_varies(str(code), argument)
        for (code, argument), width in zip(sequence, widths, strict=True)
    )


def _item_varies(code: str, argument: Any) -> bool:
    match code:
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, what = argument
            return (most > 1 and most > least) or _varies(what)
        case "SUBPATTERN":
            return _varies(argument[-1])
        case "BRANCH":
            return any(_varies(branch) for branch in argument[1])
    return False
