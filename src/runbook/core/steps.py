"""The steps of a runbook's Script section, and fences that cut a script short."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

from runbook.core.document import Language, Problem, Severity, Step
from runbook.core.markdown import Block, BlockKind
from runbook.core.sections import Section, Sections, resembles_claims

LANGUAGES: Mapping[str, Language] = {
    "sh": Language.ZSH,
    "zsh": Language.ZSH,
    "bash": Language.BASH,
    "python": Language.PYTHON,
}
_HEREDOC = re.compile(r"(?<![<\d(])<<-?[ \t]*(['\"\\]?)([A-Za-z_]\w*)\1(?![\w(])")


def read_steps(section: Section, name: str, problems: list[Problem]) -> tuple[Step, ...]:
    """The steps: the block above the first H2 alone, else one for each H2 that has a block."""
    groups = list(_by_heading(section.blocks))
    _check_cuts(section, problems)
    above = _scripts(groups[0][1])
    if above:
        _warn_unread(above[1:], groups[1:], problems)
        return (_step(name, None, above[0], problems),)
    steps = []
    for heading, blocks in groups[1:]:
        scripts = _scripts(blocks)
        name, line = (heading.text, heading.line) if heading else ("", 0)
        steps += [_step(name, line, script, problems) for script in scripts[:1]]
        for extra in scripts[1:]:
            text = f"Step '{name}' has two script blocks; the first is on line {scripts[0].line}"
            hint = "Give each block its own heading: ## Name of the step"
            problems.append(Problem("two_scripts_in_step", text, extra.line, hint=hint))
    if not steps:
        problems.append(_no_script(section))
    return tuple(steps)


def check_fences(sections: Sections, blocks: Iterable[Block]) -> None:
    """Note every fence that is left open, or that another was to begin in.

    Such a fence may have swallowed a section, even Required Claims.
    """
    known = {block for section in sections.found.values() for block in section.blocks}
    for block in blocks:
        if block.kind is not BlockKind.FENCE or block.nested:
            continue
        if not block.closed:
            text = "The code block is not closed"
            hint = f"End it with a line of {block.marker}"
            sections.problems.append(Problem("unclosed_fence", text, block.line, hint=hint))
        elif (inner := _inner_fence(block)) is not None:
            hides_claims = _hides_claims(block)
            sections.claims_doubted |= hides_claims
            severe = hides_claims or block in known
            sections.problems.append(_unclosed(block, inner, severe=severe))


def _unclosed(block: Block, inner: int, *, severe: bool) -> Problem:
    return Problem(
        "unclosed_fence",
        f"Line {inner} opens a code block inside the one opened on line {block.line}",
        block.line,
        Severity.ERROR if severe else Severity.WARNING,
        hint=f"Close the outer block first, or open it with {block.marker}{block.marker[0]}",
    )


def _hides_claims(block: Block) -> bool:
    lines = block.text.split("\n")
    return any(line.lstrip().startswith("#") and resembles_claims(line) for line in lines)


def _by_heading(blocks: Sequence[Block]) -> Iterator[tuple[Block | None, list[Block]]]:
    """The blocks above the first H2, then those of each H2."""
    heading, group = None, list[Block]()
    for block in blocks:
        if block.kind is BlockKind.HEADING and block.level == 2 and not block.nested:
            yield heading, group
            heading, group = block, []
        else:
            group.append(block)
    yield heading, group


def _scripts(blocks: Iterable[Block]) -> list[Block]:
    fences = (b for b in blocks if b.kind is BlockKind.FENCE and not b.nested)
    return [fence for fence in fences if fence.word in LANGUAGES]


def _step(name: str, line: int | None, block: Block, problems: list[Problem]) -> Step:
    if not block.text.strip():
        text = "The script block is empty"
        problems.append(Problem("empty_script", text, block.line, Severity.WARNING))
    return Step(name, LANGUAGES[block.word], block.text, block.line + 1, heading_line=line)


def _warn_unread(
    extras: Iterable[Block],
    groups: Iterable[tuple[Block | None, list[Block]]],
    problems: list[Problem],
) -> None:
    later = [block for _, blocks in groups for block in _scripts(blocks)]
    for block in (*extras, *later):
        text = "Only the first script block runs: it stands above the first H2"
        hint = "Put each block that is to run under its own heading: ## Name of the step"
        problems.append(Problem("unread_script", text, block.line, Severity.WARNING, hint))


def _no_script(section: Section) -> Problem:
    nested = any(b.nested and b.word in LANGUAGES for b in section.blocks)
    hint = "Take the block out of the list" if nested else "Add a fenced block marked sh"
    text = "Script section must contain a sh code block"
    return Problem("no_script", text, section.line, hint=hint)


def _check_cuts(section: Section, problems: list[Problem]) -> None:
    """Note a script that ends inside a heredoc with another fence behind it.

    Its author wrote a fence into the heredoc, which ended the script there: half of it
    would run.
    """
    fences = list(section.fences())
    for block, following in pairwise(fences):
        if block.word in LANGUAGES and _open_heredoc(block.text) and not following.info:
            text = f"The script ends inside a heredoc: line {block.end - 1} closes its code block"
            hint = f"Open the script's block with a longer fence: {block.marker}{block.marker[0]}"
            problems.append(Problem("script_cut", text, block.line, hint=hint))


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
    """The line inside a block that opens a fence of the same kind and at least its length."""
    char, length = block.marker[0], len(block.marker)
    opener = re.compile(rf"^ {{0,3}}{char}{{{length},}}[ \t]*\w[^`\n]*$", re.MULTILINE)
    match = opener.search(block.text)
    return block.line + 1 + block.text.count("\n", 0, match.start()) if match else None
