"""Detects bidirectional control characters, which make a script look different than it is.

They are the ones from CVE-2021-42574. Direction marks, which right-to-left text needs, are allowed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook.core.document import Problem, Severity
from runbook.core.syntax.markdown import BlockKind, Head

_TURN = re.compile("[\u202a-\u202e\u2066-\u2069]")
_CODE = frozenset({BlockKind.FENCE, BlockKind.CODE})


def without_turns(text: str) -> str:
    """The text with U+FFFD in the place of such characters."""
    return _TURN.sub("\ufffd", text)


def turned_lines(head: Head) -> Iterator[Problem]:
    """A warning for each line of a code block that contains such characters."""
    for block in head.blocks:
        for number in range(block.line, block.end) if block.kind in _CODE else ():
            if found := dict.fromkeys(_TURN.findall(head.lines[number - 1])):
                yield _turned(number, found)


def _turned(line: int, characters: dict[str, None]) -> Problem:
    names = ", ".join(f"U+{ord(character):04X}" for character in characters)
    text = f"Hidden characters change the text direction: {names}"
    hint = "Remove them: they can make code look different than it is"
    return Problem(
        "hidden_direction", text, line, Severity.WARNING, hint, params={"characters": names}
    )
