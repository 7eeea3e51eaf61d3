"""The sections of a runbook."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from itertools import pairwise

from runbook.core.document import Problem
from runbook.core.syntax.markdown import Block, BlockKind, Head
from runbook.core.syntax.near_misses import is_doubt, near_misses
from runbook.core.syntax.section_names import SectionName, section_named
from runbook.quick_dataclass import dataclass

REQUIRED = (
    SectionName.ENVIRONMENT,
    SectionName.FILES,
    SectionName.SCRIPT,
    SectionName.HISTORY,
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


def read_sections(head: Head, *, stem: str | None = None) -> Sections:
    """Split the head at its H1 headings and report every incorrect heading."""
    sections = Sections()
    headings = [index for index, block in enumerate(head.blocks) if _divides(block)]
    for index, end in pairwise([*headings, len(head.blocks)]):
        _add(sections, head, head.blocks[index:end])
    for block in head.blocks:
        _check_level(sections, block)
    named = sections.title is not None and sections.title.text == stem
    blocks = [block for block in head.blocks if not (named and block is sections.title)]
    for problem in near_misses(blocks, sections.found, title=sections.title):
        sections.problems.append(problem)
        sections.claims_doubted |= is_doubt(problem)
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


def _check_level(sections: Sections, block: Block) -> None:
    """Report a section's heading at the wrong level."""
    name = section_named(block.text) if block.kind is BlockKind.HEADING else None
    if name is not None and not _divides(block):
        sections.problems.append(wrong_level(name, block.line))
        sections.claims_doubted |= name is SectionName.CLAIMS


def wrong_level(name: SectionName, line: int) -> Problem:
    return Problem(
        "wrong_heading_level",
        f"Section '{name}' must be a level-1 heading outside lists",
        line,
        hint=f"Write: # {name}",
        params={"section": name.value},
    )
