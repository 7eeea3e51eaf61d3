"""Detects fences that truncate a script or swallow the sections after them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import zip_longest

from runbook.core.document import Language, Problem, Severity
from runbook.core.language.steps import LANGUAGES
from runbook.core.syntax.heredocs import open_heredoc
from runbook.core.syntax.markdown import Block, BlockKind
from runbook.core.syntax.section_names import SectionName, resembles_claims
from runbook.core.syntax.sections import Section, Sections

_SHELLS = frozenset({Language.ZSH, Language.BASH})
_POLICY_HEADING = re.compile(
    rf" {{0,3}}#[ \t]+{SectionName.POLICY}(?:[ \t]+#+)?[ \t]*", re.IGNORECASE
)


def check_fences(sections: Sections, blocks: Iterable[Block]) -> None:
    """Report every unclosed fence, and every fence that contains another opening fence.

    Such a fence may have swallowed a section, even Required Claims.
    """
    known = {block for section in sections.found.values() for block in section.blocks}
    for block in blocks:
        if block.kind is not BlockKind.FENCE or block.nested:
            continue
        if not block.closed:
            text = "The code block is not closed"
            hint = f"Add a closing line: {block.marker}"
            sections.problems.append(Problem("unclosed_fence", text, block.line, hint=hint))
        elif (inner := _inner_fence(block)) is not None:
            hides_claims = _hides_claims(block)
            sections.claims_doubted |= hides_claims
            severe = hides_claims or _hides_policy(block) or block in known
            sections.problems.append(_unclosed(block, inner, severe=severe))


def _unclosed(block: Block, inner: int, *, severe: bool) -> Problem:
    return Problem(
        "unclosed_fence",
        f"Line {inner} opens a code block inside the one opened on line {block.line}",
        block.line,
        Severity.ERROR if severe else Severity.WARNING,
        hint=f"Close the outer block first, or open it with {block.marker}{block.marker[0]}",
        params={"inner_line": inner},
    )


def _hides_policy(block: Block) -> bool:
    return any(_POLICY_HEADING.fullmatch(line) for line in block.text.split("\n"))


def _hides_claims(block: Block) -> bool:
    lines = block.text.split("\n")
    return any(line.lstrip().startswith("#") and resembles_claims(line) for line in lines)


def check_cuts(section: Section, problems: list[Problem]) -> None:
    """Report a script that ends inside a here-document.

    If another fence follows, its author put a fence into the here-document, which closed the
    script's block: only the first half would run.
    """
    fences = list(section.fences())
    for block, following in zip_longest(fences, fences[1:]):
        if LANGUAGES.get(block.word) not in _SHELLS or not block.closed:
            continue
        if (heredoc := open_heredoc(block.text)) is not None:
            cut = following is not None and not following.info
            line = block.line + 1 + heredoc.line
            problems.append(_cut(block) if cut else _never_closed(block, heredoc.word, line))


def _cut(block: Block) -> Problem:
    text = f"The script ends inside a heredoc: line {block.end - 1} closes its code block"
    hint = f"Open the script's block with a longer fence: {block.marker}{block.marker[0]}"
    return Problem("script_cut", text, block.line, hint=hint, params={"inner_line": block.end - 1})


def _never_closed(block: Block, word: str, line: int) -> Problem:
    text = f"The heredoc is never closed: no line below it consists of {word} only"
    hint = f"Add that line to the script's block, which begins on line {block.line}"
    return Problem("heredoc_not_closed", text, line, hint=hint, params={"delimiter": word})


def _inner_fence(block: Block) -> int | None:
    """The line inside a block that opens a fence of the same kind and at least the same length."""
    char, length = block.marker[0], len(block.marker)
    opener = re.compile(rf"^ {{0,3}}{char}{{{length},}}[ \t]*\w[^`\n]*$", re.MULTILINE)
    match = opener.search(block.text)
    return block.line + 1 + block.text.count("\n", 0, match.start()) if match else None
