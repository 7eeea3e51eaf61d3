"""The names of sections, and texts that resemble one.

Spaces, punctuation, markup, accents, invisible characters and look-alikes don't count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from difflib import SequenceMatcher
from enum import StrEnum
from html import unescape


class SectionName(StrEnum):
    ENVIRONMENT = "Environment Requirements"
    FILES = "File System Requirements"
    CLAIMS = "Required Claims"
    POLICY = "Policy"
    SCRIPT = "Script"
    HISTORY = "History"


LONGEST_NEAR_MISS = 200
_CLAIMS_LETTERS = "requiredclaims"
_SIMILAR = 0.8
_BY_NAME = {name.lower(): name for name in SectionName}
_TAG = re.compile(r"<[^<>]*>")
_LINK_TARGET = re.compile(r"\]\([^()]*\)")
_ATTRIBUTES = re.compile(r"\{[^{}]*\}\s*\Z")
_NUMBER = re.compile(r"\A\d+|\d+\Z")
# Cyrillic and Greek letters that look like the Latin ones in these names.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u0456\u043e\u0440\u0441\u0501\u051b\u04cf\u043c\u0455\u03b1\u03b5\u03b9\u03bf",
    "aeiopcdqlmsaeio",
)
_FORMS: Mapping[SectionName, tuple[str, ...]] = {
    SectionName.POLICY: ("policy", "policies"),
    SectionName.SCRIPT: ("script", "scripts"),
    SectionName.HISTORY: ("history", "histories"),
    SectionName.ENVIRONMENT: ("environmentrequirements", "environmentrequirement"),
    SectionName.FILES: ("filesystemrequirements", "filesystemrequirement", "filerequirements"),
}
# Headings that mean a section if a YAML block follows them.
_MEANINGS: Mapping[SectionName, re.Pattern[str]] = {
    SectionName.CLAIMS: re.compile(
        r"(?:\w{0,12}claims?\w{0,8}|(?:required?|allowed|needed)(?:role|group|permission|scope)s?"
        r"|(?:role|group|permission|scope)s?(?:required|allowed|needed)|roles?)"
    ),
    SectionName.POLICY: re.compile(r"\w{0,12}polic(?:y|ies)\w{0,8}"),
    SectionName.ENVIRONMENT: re.compile(r"environment(?:variables?)?|inputs?|variables?"),
    SectionName.FILES: re.compile(r"files?|filesystem|inputfiles?"),
}


def section_named(text: str) -> SectionName | None:
    """The section with this exact name, ignoring case."""
    return _BY_NAME.get(text.lower())


def resembles_claims(text: str, *, level: int = 1) -> bool:
    """Whether a reader would take this heading for Required Claims.

    The check is stricter for level 1 than for other levels, where headings may legitimately mention
    claims.
    """
    if len(text) > LONGEST_NEAR_MISS:
        return False
    letters = letters_of(text)
    if level == 1 and len(letters) <= 30 and "claim" in letters and "requir" in letters:
        return True
    if not 10 <= len(letters) <= 21:  # too short or too long to be similar
        return False
    return SequenceMatcher(None, letters, _CLAIMS_LETTERS, autojunk=False).ratio() >= _SIMILAR


def resembled_section(text: str) -> SectionName | None:
    """The section, other than Required Claims, whose name a text is except for a small mistake."""
    if len(text) > LONGEST_NEAR_MISS:
        return None
    letters = letters_of(text)
    for name, forms in _FORMS.items():
        if any(_is_close(letters, form) for form in forms):
            return name
    return None


def is_spelled_like(text: str, name: SectionName) -> bool:
    """Whether a text has just the letters of a section's name."""
    return len(text) <= LONGEST_NEAR_MISS and letters_of(text) == letters_of(name)


def meant_section(text: str) -> SectionName | None:
    """The section that a heading means if a YAML block follows it."""
    letters = letters_of(text) if len(text) <= LONGEST_NEAR_MISS else ""
    return next((name for name, form in _MEANINGS.items() if form.fullmatch(letters)), None)


def letters_of(text: str) -> str:
    """The letters of a heading in lowercase, without a number before or after them."""
    plain = _ATTRIBUTES.sub("", _TAG.sub("", _LINK_TARGET.sub("", unescape(text))))
    folded = unicodedata.normalize("NFKC", plain).casefold().translate(_LOOKALIKES)
    letters = "".join(c for c in unicodedata.normalize("NFKD", folded) if c.isalnum())
    return _NUMBER.sub("", letters)


def _is_close(letters: str, name: str) -> bool:
    """Whether there are at most one mistake in a short name, three in a long one."""
    most = 1 if len(name) < 12 else 3
    return abs(len(letters) - len(name)) <= most and _distance(letters, name) <= most


def _distance(some: str, other: str) -> int:
    """The number of letters that were added, dropped, changed, or swapped with the next one."""
    before: list[int] = []
    last = list(range(len(other) + 1))
    for row, letter in enumerate(some, start=1):
        current = [row]
        for column, wanted in enumerate(other, start=1):
            cost = min(last[column] + 1, current[-1] + 1, last[column - 1] + (letter != wanted))
            swapped = row > 1 and column > 1 and some[row - 2] == wanted
            if swapped and other[column - 2] == letter:
                cost = min(cost, before[column - 2] + 1)
            current.append(cost)
        before, last = last, current
    return last[-1]
