"""Headings, and lines that look like headings, that resemble a section but aren't one.

A typo must never silently drop a rule: a near miss of Required Claims or Policy makes the runbook
invalid, and one of another section is a warning.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterator, Sequence

from runbook.core.document import Problem, Severity
from runbook.core.syntax.markdown import Block, BlockKind
from runbook.core.syntax.section_names import (
    LONGEST_NEAR_MISS,
    SectionName,
    is_spelled_like,
    meant_section,
    resembled_section,
    resembles_claims,
    section_named,
)
from runbook.quick_dataclass import dataclass

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_TAG = re.compile(r"<[^<>]*>")
_HEADING_TAG = re.compile(r"<h[1-6]\b", re.IGNORECASE)
_HTML_HEADING = re.compile(r"<h([1-6])\b[^<>]*>(.*?)(?:</h\1\s*>|\Z)", re.IGNORECASE | re.DOTALL)
_OPEN_HEADING = re.compile(r"<h[1-6]\b[^<>]*>\s*\Z", re.IGNORECASE)
_STRONG_TAG = re.compile(r"<(?:b|strong|big|u)\b", re.IGNORECASE)
_POLICY_KEY = re.compile(
    r"^(?:timeout|locks|on_busy|concurrency|retry|on_failure|queue|dry_run|confirm|success_codes)\s*:",
    re.MULTILINE,
)
_HEADING_LINE = re.compile(r"\W*#")
_MARKED = re.compile(r"(\*{1,3}|_{1,3})(?=\S).*(?<=\S)\1:?|<(\w+)[^<>]*>.*</\2\s*>:?")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A text that readers may take for a heading.

    `level` is 2 for lines that aren't headings in Markdown. `marked`: it looks like a heading, by
    `#`, by emphasis or by an HTML tag. `yaml` is the text of the YAML block that follows in its
    section, for other lines directly below it. `in_script`: steps have names of their own there.
    """

    text: str
    line: int
    level: int
    nested: bool
    marked: bool
    yaml: str | None
    in_script: bool

    @property
    def is_section_like(self) -> bool:
        """Whether it is at the place of a section's heading."""
        return self.marked and not self.nested and (self.level == 1 or not self.in_script)


def near_misses(
    blocks: Sequence[Block], found: Collection[SectionName], *, title: Block | None
) -> Iterator[Problem]:
    """One problem for each block that has such a line.

    `found` are the sections that the document has. The `title` may only not resemble Required
    Claims.
    """
    in_script = False
    for index, block in enumerate(blocks):
        if block.kind is BlockKind.HEADING and block.level == 1 and not block.nested:
            in_script = section_named(block.text) is SectionName.SCRIPT
        if block.kind is BlockKind.HEADING and section_named(block.text):
            continue
        for candidate in _candidates(blocks, index, in_script=in_script):
            if resembles_claims(candidate.text, level=candidate.level):
                yield claims_problem(candidate.text, candidate.line)
            elif block is title or (problem := _problem_of(candidate, found)) is None:
                continue
            else:
                yield problem
            break


def is_doubt(problem: Problem) -> bool:
    """Whether there may be a restriction that can't be read."""
    return problem.code == "near_miss_of_required_claims"


def claims_problem(text: str, line: int) -> Problem:
    return Problem(
        "near_miss_of_required_claims",
        f"'{_shown(text)}' looks like Required Claims, but is not",
        line,
        hint="Write # Required Claims on a separate line, or use different words",
        params={"section": SectionName.CLAIMS.value},
    )


def _section_problem(candidate: _Candidate, name: SectionName) -> Problem:
    severe = name is SectionName.POLICY and _is_severe(candidate, name)
    return Problem(
        "near_miss_of_section",
        f"'{_shown(candidate.text)}' looks like the section {name}, but is not",
        candidate.line,
        Severity.ERROR if severe else Severity.WARNING,
        hint=f"Write # {name} on a separate line, or use different words",
        params={"section": name.value},
    )


def _is_severe(candidate: _Candidate, name: SectionName) -> bool:
    """Whether the author surely meant a Policy: then its rules must not be ignored."""
    if candidate.level == 1 or candidate.yaml is not None:
        return True
    return is_spelled_like(candidate.text, name)


def _shown(text: str) -> str:
    return " ".join(text.split())[:80]


def _problem_of(candidate: _Candidate, found: Collection[SectionName]) -> Problem | None:
    placed = candidate.yaml is not None and not candidate.nested
    name = resembled_section(candidate.text) if candidate.marked or placed else None
    if name is not None and (candidate.is_section_like or placed or _names_policy(candidate, name)):
        return _section_problem(candidate, name)
    if not placed or (candidate.in_script and candidate.level > 1):
        return None
    meant = meant_section(candidate.text)
    if meant is None or meant in found:
        return None
    if meant is SectionName.CLAIMS:
        return claims_problem(candidate.text, candidate.line)
    if meant is SectionName.POLICY and not _POLICY_KEY.search(candidate.yaml or ""):
        return None
    return _section_problem(candidate, meant)


def _names_policy(candidate: _Candidate, name: SectionName) -> bool:
    return name is SectionName.POLICY and is_spelled_like(candidate.text, name)


# -- candidates ----------------------------------------------------------------------------------


def _candidates(blocks: Sequence[Block], index: int, *, in_script: bool) -> Iterator[_Candidate]:
    block = blocks[index]
    heading = block.kind is BlockKind.HEADING
    yaml = _following_yaml(blocks, index)
    opened = index > 0 and _opens_heading(blocks[index - 1])
    for text, line, marked in _texts(block):
        yield _Candidate(
            text=text,
            line=line,
            level=block.level if heading else 2,
            nested=block.nested,
            marked=marked or opened,
            yaml=yaml,
            in_script=in_script,
        )


def _following_yaml(blocks: Sequence[Block], index: int) -> str | None:
    """The YAML block below a level-1 heading, or directly below any other line."""
    block = blocks[index]
    level_1 = block.kind is BlockKind.HEADING and block.level == 1
    for at in range(index + 1, len(blocks)):
        later = blocks[at]
        if later.is_yaml and not later.nested:
            return later.text
        if later.kind is BlockKind.HEADING or not (level_1 or later.kind is BlockKind.HTML):
            return None
    return None


def _opens_heading(block: Block) -> bool:
    return block.kind is BlockKind.HTML and _OPEN_HEADING.search(block.text) is not None


def _texts(block: Block) -> Iterator[tuple[str, int, bool]]:
    """Texts that readers may take for headings: their lines, and whether they look like one."""
    match block.kind:
        case BlockKind.HEADING:
            yield from ((text, block.line, True) for text in block.text.split("\n"))
        case BlockKind.PARAGRAPH | BlockKind.CODE:
            yield from _lines_like_headings(block)
        case BlockKind.HTML:
            yield from _html_headings(block)


def _lines_like_headings(block: Block) -> Iterator[tuple[str, int, bool]]:
    lines = block.text.strip("\n").split("\n")
    table = len(lines) > 1 and "|" in block.text
    alone = not table and sum(any(char.isalnum() for char in text) for text in lines) == 1
    code = block.kind is BlockKind.CODE
    for offset, text in enumerate(lines):
        heading = _looks_like_heading(text)
        if alone or heading:
            marked = _is_emphasized(text.strip()) or (heading and (alone or not code))
            yield text, block.line + offset, marked


def _is_emphasized(text: str) -> bool:
    return len(text) <= LONGEST_NEAR_MISS and _MARKED.fullmatch(text) is not None


def _html_headings(block: Block) -> Iterator[tuple[str, int, bool]]:
    shown = _COMMENT.sub(lambda match: "\n" * match.group().count("\n"), block.text)
    for match in _HTML_HEADING.finditer(shown):
        inner = _TAG.sub("", match[2])
        blank = len(inner) - len(inner.lstrip())
        line = block.line + shown.count("\n", 0, match.start(2)) + inner.count("\n", 0, blank)
        yield " ".join(inner.split()), line, True
    texts = [_TAG.sub("", text) for text in shown.split("\n")]
    alone = sum(any(char.isalnum() for char in text) for text in texts) == 1
    strong = alone and _STRONG_TAG.search(shown) is not None
    for offset, (raw, text) in enumerate(zip(shown.split("\n"), texts, strict=True)):
        heading = _HEADING_TAG.search(raw) is not None or _looks_like_heading(raw)
        if heading or (alone and text.strip()):
            yield text, block.line + offset, heading or strong


def _looks_like_heading(text: str) -> bool:
    """Whether the text starts with `#` or a look-alike, possibly after invisible characters."""
    return bool(_HEADING_LINE.match(unicodedata.normalize("NFKC", text[:LONGEST_NEAR_MISS])))
