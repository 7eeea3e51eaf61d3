"""Makes text of other people safe for the terminal: keeps colors, escapes other controls.

Output, names and reasons come from scripts and from other people. Cursor movements, titles,
clipboard writes, C1 controls and text direction changes could forge what the user sees.
"""

from __future__ import annotations

import re

RESET = "\x1b[0m"

_SGR = r"\x1b\[[0-9;:]{0,64}m"
# Controls except tab and newline, text direction changes, and line separators.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
_SPECIAL = re.compile(f"{_SGR}|\r\n|{_CONTROL}")
_ANY_CONTROL = re.compile(f"[\t\n]|{_CONTROL}")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,64})?|\r)\Z")
_NAMES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def escaped(text: str) -> str:
    """The text on one line, with all control characters escaped, including newline and tab."""
    return _ANY_CONTROL.sub(lambda match: _shown(match.group()), text)


def _shown(character: str) -> str:
    number = ord(character)
    return _NAMES.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


class OutputEscaper:
    """Makes a stream of output safe, chunk by chunk.

    `colour` keeps SGR sequences, which set colors and weights; otherwise they are removed.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._held = ""
        self._coloured = False

    def feed(self, text: str) -> str:
        """The safe text. Withholds a sequence that may continue in the next chunk."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return _SPECIAL.sub(self._replace, text[:end])

    def finish(self) -> str:
        """The withheld text, and a reset if a color is still on."""
        rest = "".join(_shown(c) if c < " " else c for c in self._held)
        self._held = ""
        return rest + (RESET if self._coloured else "")

    def _replace(self, match: re.Match[str]) -> str:
        found = match.group()
        if found == "\r\n":
            return "\n"
        if len(found) == 1:
            return _shown(found)
        if not self._colour:
            return ""
        self._coloured = found not in (RESET, "\x1b[m")
        return found
