"""The sections of a runbook, and headings that resemble them.

A typo must never silently drop an access restriction: a heading that resembles Required Claims but
doesn't match it makes the runbook invalid.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from enum import StrEnum
from html import unescape
from itertools import pairwise

from runbook.core.document import Problem
from runbook.core.syntax.markdown import Block, BlockKind, Head


class SectionName(StrEnum):
    ENVIRONMENT = "Environment Requirements"
    FILES = "File System Requirements"
    CLAIMS = "Required Claims"
    POLICY = "Policy"
    SCRIPT = "Script"
    HISTORY = "History"


REQUIRED = (
    SectionName.ENVIRONMENT,
    SectionName.FILES,
    SectionName.SCRIPT,
    SectionName.HISTORY,
)

_BY_NAME = {name.lower(): name for name in SectionName}
_CLAIMS_LETTERS = "requiredclaims"
_LONGEST_NEAR_MISS = 200
_SIMILAR = 0.8
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_HEADING_TAG = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_HEADING_LINE = re.compile(r"\W*#")
_LINK_TARGET = re.compile(r"\]\([^()]*\)")
# Cyrillic and Greek letters that look like the Latin ones in these names.
_LOOKALIKES = str.maketrans(
    "\u0430\u0435\u0456\u043e\u0440\u0441\u0501\u051b\u04cf\u043c\u0455\u03b1\u03b5\u03b9\u03bf",
    "aeiopcdqlmsaeio",
)


@dataclass(frozen=True, slots=True)
class Section:
    """An H1 with a known name and the blocks below it. `line` is the heading's line."""

    name: SectionName
    line: int
    blocks: tuple[Block, ...]

    def fences(self) -> Iterator[Block]:
        return (b for b in self.blocks if b.kind is BlockKind.FENCE and not b.nested)


@dataclass(slots=True)
class Sections:
    """`claims_doubted` is set if the document may contain a restriction that can't be read."""

    title: Block | None = None
    description: str = ""
    found: dict[SectionName, Section] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    claims_doubted: bool = False


def section_named(text: str) -> SectionName | None:
    """The section with this exact name, ignoring case."""
    return _BY_NAME.get(text.lower())


def resembles_claims(text: str, *, level: int = 1) -> bool:
    """Whether a reader would take this heading for Required Claims.

    Spaces, punctuation, markup, accents, invisible characters and look-alikes are ignored. The
    check is stricter for level 1 than for other levels, where headings may legitimately mention
    claims.
    """
    if len(text) > _LONGEST_NEAR_MISS:
        return False
    letters = _letters(text)
    if level == 1 and len(letters) <= 30 and "claim" in letters and "requir" in letters:
        return True
    if not 10 <= len(letters) <= 21:  # too short or too long to be similar
        return False
    return SequenceMatcher(None, letters, _CLAIMS_LETTERS, autojunk=False).ratio() >= _SIMILAR


def read_sections(head: Head, *, stem: str | None = None) -> Sections:
    """Split the head at its H1 headings and report every incorrect heading."""
    sections = Sections()
    headings = [index for index, block in enumerate(head.blocks) if _divides(block)]
    for index, end in pairwise([*headings, len(head.blocks)]):
        _add(sections, head, head.blocks[index:end])
    for block in head.blocks:
        _check(sections, block, stem)
    if head.history_line is not None:
        sections.found[SectionName.HISTORY] = Section(SectionName.HISTORY, head.history_line, ())
    for name in REQUIRED:
        if name not in sections.found:
            hint = f"Add a heading: # {name}"
            problem = Problem(
                "missing_section",
                f"Missing required section: {name}",
                hint=hint,
                params={"section": name.value},
            )
            sections.problems.append(problem)
    return sections


def claims_problem(text: str, line: int) -> Problem:
    return Problem(
        "near_miss_of_required_claims",
        f"'{' '.join(text.split())[:80]}' looks like Required Claims, but is not",
        line,
        hint="Write # Required Claims on a separate line, or use different words",
        params={"section": SectionName.CLAIMS.value},
    )


def _divides(block: Block) -> bool:
    return block.kind is BlockKind.HEADING and block.level == 1 and not block.nested


def _add(sections: Sections, head: Head, blocks: Sequence[Block]) -> None:
    heading, content = blocks[0], tuple(blocks[1:])
    name = section_named(heading.text)
    if sections.title is None:
        sections.title = heading
        name = None if _only_titled_policy(name, content) else name
        if name is None:
            end = content[-1].end if content else heading.end
            sections.description = "\n".join(head.lines[heading.end - 1 : end - 1]).strip()
    if name is None:
        return
    if name in sections.found:
        sections.problems.append(_repeated(name, heading.line, sections.found[name].line))
        sections.claims_doubted |= name is SectionName.CLAIMS
        return
    sections.found[name] = Section(name, heading.line, content)
    if not content:
        text = f"Section '{name}' is empty"
        sections.problems.append(
            Problem("empty_section", text, heading.line, params={"section": name.value})
        )


def _only_titled_policy(name: SectionName | None, content: Sequence[Block]) -> bool:
    """Whether a first heading named Policy is just the runbook's name: it contains no YAML."""
    return name is SectionName.POLICY and not any(block.is_yaml for block in content)


def _repeated(name: SectionName, line: int, first: int) -> Problem:
    text = f"Duplicate section '{name}'; the first is on line {first}"
    return Problem(
        "repeated_section",
        text,
        line,
        hint="Merge the two sections",
        params={"section": name.value, "first_line": first},
    )


def _check(sections: Sections, block: Block, stem: str | None) -> None:
    """Report a heading at the wrong level, or one that resembles Required Claims."""
    name = section_named(block.text) if block.kind is BlockKind.HEADING else None
    if name is not None:
        if not _divides(block):
            sections.problems.append(wrong_level(name, block.line))
            sections.claims_doubted |= name is SectionName.CLAIMS
        return
    if block is sections.title and stem is not None and block.text == stem:
        return
    for text, line in _heading_texts(block):
        level = block.level if block.kind is BlockKind.HEADING else 2
        if resembles_claims(text, level=level):
            sections.problems.append(claims_problem(text, line))
            sections.claims_doubted = True
            return


def wrong_level(name: SectionName, line: int) -> Problem:
    return Problem(
        "wrong_heading_level",
        f"Section '{name}' must be a level-1 heading outside lists",
        line,
        hint=f"Write: # {name}",
        params={"section": name.value},
    )


def _heading_texts(block: Block) -> Iterator[tuple[str, int]]:
    """Texts in a block that a reader may take for headings, with their lines."""
    match block.kind:
        case BlockKind.HEADING:
            yield from ((text, block.line) for text in block.text.split("\n"))
        case BlockKind.PARAGRAPH | BlockKind.CODE:
            lines = block.text.strip("\n").split("\n")
            for offset, text in enumerate(lines):
                if len(lines) == 1 or _looks_like_heading(text):
                    yield text, block.line + offset
        case BlockKind.HTML:
            yield from _html_headings(block)


def _html_headings(block: Block) -> Iterator[tuple[str, int]]:
    shown = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), block.text)
    for offset, text in enumerate(shown.split("\n")):
        if _HEADING_TAG.search(text) or _looks_like_heading(text):
            yield _TAG.sub("", text), block.line + offset


def _looks_like_heading(text: str) -> bool:
    """Whether the text starts with `#` or a look-alike, possibly after invisible characters."""
    return bool(_HEADING_LINE.match(unicodedata.normalize("NFKC", text[:_LONGEST_NEAR_MISS])))


def _letters(text: str) -> str:
    plain = _TAG.sub("", _LINK_TARGET.sub("", unescape(text)))
    folded = unicodedata.normalize("NFKC", plain).casefold().translate(_LOOKALIKES)
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if c.isalnum())
