"""Others' text in our terminal: colours pass, whatever else controls a terminal is shown.

Output, names and reasons come from scripts and from other people. Cursor movements, titles,
clipboard writes, C1 controls and changes of the writing direction could forge what is read.
"""

from __future__ import annotations

import re

RESET = "\x1b[0m"

_SGR = r"\x1b\[[0-9;:]{0,64}m"
# Controls but tab and newline; marks that change the writing direction; separators of lines.
_CONTROL = "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
_SPECIAL = re.compile(f"{_SGR}|\r\n|{_CONTROL}")
_ANY_CONTROL = re.compile(f"[\t\n]|{_CONTROL}")
_UNFINISHED = re.compile(r"(?:\x1b(?:\[[0-9;:]{0,64})?|\r)\Z")
_NAMES = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}


def escaped(text: str) -> str:
    """For one line or one cell: no control character is left, newline and tab included."""
    return _ANY_CONTROL.sub(lambda match: _shown(match.group()), text)


def _shown(character: str) -> str:
    number = ord(character)
    return _NAMES.get(character) or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")


class OutputEscaper:
    """Makes a stream of output safe, piece by piece.

    `colour` keeps SGR sequences, which set colours and weights; without it they are left out.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._held = ""
        self._coloured = False

    def feed(self, text: str) -> str:
        """What can be shown now. A sequence that may go on in the next piece is held back."""
        text = self._held + text
        unfinished = _UNFINISHED.search(text)
        end = unfinished.start() if unfinished else len(text)
        self._held = text[end:]
        return _SPECIAL.sub(self._replace, text[:end])

    def finish(self) -> str:
        """The rest, and the end of any colour that was left on."""
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
