"""Input patterns: regular expressions for a whole value, and which of them could run forever."""

from __future__ import annotations

import importlib
import re
import warnings
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

PATTERN_LIMIT = 500
"""Maximum length of a pattern, in characters."""
PATTERN_VALUE_LIMIT = 4 * 1024
"""In UTF-8 bytes. Longer values aren't matched against a pattern, which may take quadratic time."""
OFTEN = 10
"""Repeat counts above this are treated as unbounded."""

_parser = importlib.import_module("re._parser")
_REPEATS = frozenset({"MAX_REPEAT", "MIN_REPEAT"})


@lru_cache(maxsize=512)
def compiled(pattern: str) -> re.Pattern[str]:
    r"""Compile with ASCII `\d` and `\w`, as in JSON Schema.

    Raises re.error, ValueError, OverflowError, RecursionError, and FutureWarning for syntax that a
    later Python version may interpret differently.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        return re.compile(pattern, re.ASCII)


def is_explosive(pattern: str) -> bool:
    """Whether a valid pattern contains nested repetition with nothing in between: `(a+)+`.

    Such a pattern can split a text in exponentially many ways, so a value that doesn't match can
    take forever, and matching can't be interrupted.
    """
    return any(
        repeat[1] > OFTEN and _varies(repeat[2])
        for part in _parts(_parser.parse(pattern, re.ASCII))
        for repeat in _repeats(part)
    )


def _parts(sequence: Any) -> Iterator[Any]:
    """A parsed sequence and all sequences inside it."""
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
    """`(min, max, item)` for each repetition directly in a sequence."""
    return [argument for code, argument in sequence if str(code) in _REPEATS]


def _varies(sequence: Any) -> bool:
    """Whether a sequence can consist of a single repetition: everything else in it may be empty."""
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
