"""The steps of a runbook's Script section: scripts, options and Undo."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from runbook.core.document import Input, Language, Problem, Script, Severity, Step
from runbook.core.language.script_hints import how_to_mark, meant_script, not_executed, pasted
from runbook.core.language.step_options import looks_like_options, read_options
from runbook.core.syntax.markdown import Block, BlockKind
from runbook.core.syntax.sections import Section
from runbook.quick_dataclass import dataclass

LANGUAGES: Mapping[str, Language] = {
    "sh": Language.ZSH,
    "zsh": Language.ZSH,
    "bash": Language.BASH,
    "python": Language.PYTHON,
}


def read_steps(
    section: Section, name: str, inputs: tuple[Input, ...], problems: list[Problem]
) -> tuple[Step, ...]:
    """The steps: the block above the first H2 alone, else one step for each H2 with a block."""
    above, parts = _divide(section.blocks, 2)
    scripts = _scripts(above)
    if scripts:
        later = [block for part in parts for block in _scripts(part.blocks)]
        _warn_unread((*scripts[1:], *later), problems)
        _refuse_undos(_undos(section.blocks), problems)
        return (_step(name, None, scripts[0], problems),)
    _refuse_undos(_undos(above), problems)
    steps = [step for part in parts if (step := _read_step(part, inputs, problems))]
    if steps:
        problems += _meant_as_scripts([above, *(part.blocks for part in parts)])
    else:
        problems.append(_no_script(section))
    _warn_of_repeats(steps, problems)
    return tuple(steps)


@dataclass(frozen=True, slots=True)
class _Part:
    """A heading and the blocks below it, up to the next heading of its level."""

    heading: Block
    blocks: list[Block] = field(default_factory=list)

    @property
    def is_undo(self) -> bool:
        return self.heading.text.lower() == "undo"


def _divide(blocks: Iterable[Block], level: int) -> tuple[list[Block], list[_Part]]:
    """The blocks above the first heading of a level, and one part per heading of that level."""
    above: list[Block] = []
    parts: list[_Part] = []
    for block in blocks:
        if block.kind is BlockKind.HEADING and block.level == level and not block.nested:
            parts.append(_Part(block))
        else:
            (parts[-1].blocks if parts else above).append(block)
    return above, parts


def _scripts(blocks: Iterable[Block]) -> list[Block]:
    fences = (b for b in blocks if b.kind is BlockKind.FENCE and not b.nested)
    return [fence for fence in fences if fence.word in LANGUAGES]


def _read_step(part: _Part, inputs: tuple[Input, ...], problems: list[Problem]) -> Step | None:
    """The step of an H2; None if it has no script block, which makes it plain text."""
    above, parts = _divide(part.blocks, 3)
    undos = [part for part in parts if part.is_undo]
    own = [*above, *(block for part in parts if not part.is_undo for block in part.blocks)]
    scripts = _scripts(own)
    if not scripts:
        _refuse_undos(undos, problems)
        return None
    name = part.heading.text
    if part.is_undo:
        text = f"Step '{name}' runs like any other step: it doesn't undo anything"
        hint = "To undo a step, add ### Undo below its script block"
        line = part.heading.line
        problems.append(
            Problem("undo_as_step", text, line, Severity.WARNING, hint, params={"step": name})
        )
    for extra in scripts[1:]:
        text = f"Step '{name}' has two script blocks; the first is on line {scripts[0].line}"
        hint = "Give each block its own heading: ## Step name"
        problems.append(
            Problem(
                "two_scripts_in_step",
                text,
                extra.line,
                hint=hint,
                params={"step": name, "first_line": scripts[0].line},
            )
        )
    step = _step(name, part.heading.line, scripts[0], problems)
    step = _with_options(step, own, inputs, problems)
    _refuse_undos((undo for undo in undos if undo.heading.line < step.line), problems)
    return replace(step, undo=_read_undos(name, undos, problems))


def _step(name: str, line: int | None, block: Block, problems: list[Problem]) -> Step:
    script = _script(block, problems)
    return Step(name, script.language, script.source, script.line, heading_line=line)


def _script(block: Block, problems: list[Problem]) -> Script:
    if not block.text.strip():
        text = "The script block is empty"
        problems.append(Problem("empty_script", text, block.line, Severity.WARNING))
    language = LANGUAGES[block.word]
    problems += pasted(block, language)
    return Script(language, block.text, block.line + 1)


# -- options -------------------------------------------------------------------------------------


def _with_options(
    step: Step, blocks: Iterable[Block], inputs: tuple[Input, ...], problems: list[Problem]
) -> Step:
    """The step with the options from the YAML block above its script."""
    first: Block | None = None
    for block in (block for block in blocks if block.is_yaml):
        if block.nested or block.line > step.line:
            if looks_like_options(block):
                text = f"The options of step '{step.name}' must come before its script block"
                hint = "Move the block above the script, outside lists"
                problems.append(
                    Problem(
                        "misplaced_options", text, block.line, hint=hint, params={"step": step.name}
                    )
                )
        elif first:
            text = f"Step '{step.name}' has two option blocks; the first is on line {first.line}"
            hint = "Merge them. Put YAML examples below the script block"
            problems.append(
                Problem(
                    "two_options_in_step",
                    text,
                    block.line,
                    hint=hint,
                    params={"step": step.name, "first_line": first.line},
                )
            )
        else:
            first = block
            step = read_options(step, block, inputs, problems)
    return step


# -- Undo ----------------------------------------------------------------------------------------


def _undos(blocks: Iterable[Block]) -> list[_Part]:
    return [part for part in _divide(blocks, 3)[1] if part.is_undo]


def _refuse_undos(undos: Iterable[_Part], problems: list[Problem]) -> None:
    for undo in undos:
        text = "Undo must come after the script block of a step"
        hint = "Only a step, a level-2 heading with a script block, can have an Undo"
        problems.append(Problem("misplaced_undo", text, undo.heading.line, hint=hint))


def _read_undos(name: str, undos: Sequence[_Part], problems: list[Problem]) -> Script | None:
    """The script that undoes a step; None if there is no Undo, or an invalid one."""
    for extra in undos[1:]:
        first = undos[0].heading.line
        text = f"Step '{name}' has two Undo headings; the first is on line {first}"
        problems.append(
            Problem(
                "two_undos_in_step",
                text,
                extra.heading.line,
                hint="Merge them",
                params={"step": name, "first_line": first},
            )
        )
    return _read_undo(name, undos[0], problems) if undos else None


def _read_undo(name: str, undo: _Part, problems: list[Problem]) -> Script | None:
    scripts = _scripts(undo.blocks)
    if len(scripts) != 1:
        text = f"Undo of step '{name}' must have one script block, not {len(scripts)}"
        hint = "Put the complete undo script into one block below ### Undo"
        line = scripts[1].line if scripts else undo.heading.line
        problems.append(
            Problem(
                "bad_undo", text, line, hint=hint, params={"step": name, "blocks": len(scripts)}
            )
        )
        return None
    for block in (block for block in undo.blocks if block.is_yaml):
        above = block.line < scripts[0].line and not block.nested
        if above or looks_like_options(block):
            text = f"Undo of step '{name}' takes no options"
            hint = "Remove the yaml block. Undo runs once, regardless of the step's options"
            problems.append(
                Problem("undo_options", text, block.line, hint=hint, params={"step": name})
            )
    return _script(scripts[0], problems)


# -- other problems ------------------------------------------------------------------------------


def _warn_unread(extras: Iterable[Block], problems: list[Problem]) -> None:
    for block in extras:
        text = "Only the first script block runs, because it is above the first H2"
        hint = "To run each block, give it its own heading: ## Step name"
        problems.append(Problem("unread_script", text, block.line, Severity.WARNING, hint))


def _no_script(section: Section) -> Problem:
    nested = any(b.nested and b.word in LANGUAGES for b in section.blocks)
    hint = "Move the block out of the list" if nested else "Add a fenced block marked sh"
    line = section.line
    fences = list(section.fences())
    unmarked = next(((block, "sh") for block in fences if not block.info.strip()), None)
    if found := meant_script(fences) or unmarked:
        line, hint = found[0].line, how_to_mark(*found)
    text = "Script section must contain a sh code block"
    return Problem("no_script", text, line, hint=hint)


def _meant_as_scripts(parts: Iterable[Sequence[Block]]) -> Iterator[Problem]:
    """A warning for each part without a script that has a block that looks like one."""
    for blocks in parts:
        if not _scripts(blocks) and (found := meant_script(blocks)):
            yield not_executed(*found)


def _warn_of_repeats(steps: Iterable[Step], problems: list[Problem]) -> None:
    first: dict[str, Step] = {}
    for step in steps:
        earlier = first.setdefault(step.name, step)
        if earlier is not step:
            text = (
                f"Step '{step.name}' has the same name as the step on line {earlier.heading_line}"
            )
            hint = "Give each step a unique name: runs identify steps by name"
            line = step.heading_line
            problems.append(
                Problem(
                    "repeated_step",
                    text,
                    line,
                    Severity.WARNING,
                    hint,
                    params={"step": step.name, "first_line": earlier.heading_line},
                )
            )
