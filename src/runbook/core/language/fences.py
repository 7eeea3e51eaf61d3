"""Detects fences that truncate a script or swallow the sections after them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise

from runbook.core.document import Problem, Severity
from runbook.core.language.steps import LANGUAGES
from runbook.core.syntax.markdown import Block, BlockKind
from runbook.core.syntax.sections import Section, SectionName, Sections, resembles_claims

_HEREDOC = re.compile(r"(?<![<\d(])<<-?[ \t]*(['\"\\]?)([A-Za-z_]\w*)\1(?![\w(])")
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
    """Report a script that ends inside a heredoc, with another fence after it.

    Its author put a fence into the heredoc, which closed the script's block: only the first half
    would run.
    """
    fences = list(section.fences())
    for block, following in pairwise(fences):
        if block.word in LANGUAGES and _open_heredoc(block.text) and not following.info:
            text = f"The script ends inside a heredoc: line {block.end - 1} closes its code block"
            hint = f"Open the script's block with a longer fence: {block.marker}{block.marker[0]}"
            problems.append(
                Problem(
                    "script_cut", text, block.line, hint=hint, params={"inner_line": block.end - 1}
                )
            )


def _open_heredoc(source: str) -> bool:
    lines = source.split("\n")
    last = {line.strip(): number for number, line in enumerate(lines)}
    return any(
        last.get(match.group(2), -1) <= number
        for number, line in enumerate(lines)
        for match in _HEREDOC.finditer(line)
        if "((" not in line[: match.start()]  # arithmetic
    )


def _inner_fence(block: Block) -> int | None:
    """The line inside a block that opens a fence of the same kind and at least the same length."""
    char, length = block.marker[0], len(block.marker)
    opener = re.compile(rf"^ {{0,3}}{char}{{{length},}}[ \t]*\w[^`\n]*$", re.MULTILINE)
    match = opener.search(block.text)
    return block.line + 1 + block.text.count("\n", 0, match.start()) if match else None
