"""Declarations in a runbook's YAML blocks: inputs, files and claims."""

from __future__ import annotations

import re
from collections.abc import Iterable
from collections.abc import Mapping as MappingType

from runbook.core.document import FileRequirement, Input, Problem, Severity
from runbook.core.environ import NAME_RULE, is_reserved, valid_name
from runbook.core.inputs.declarations import read_input
from runbook.core.syntax.markdown import Block
from runbook.core.syntax.sections import Section
from runbook.core.syntax.unknown_keys import unknown_key
from runbook.core.syntax.yaml_blocks import read_mapping
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, compose
from runbook.quick_dataclass import dataclass

_WORDS = re.compile(r"[\w.@/-]+(?:\s*,\s*[\w.@/-]+)*")


@dataclass(frozen=True, slots=True)
class Claims:
    """`known` is false if the section is invalid, which denies access to everyone."""

    values: MappingType[str, tuple[str, ...]] | None = None
    known: bool = True


NO_CLAIMS = Claims()
UNKNOWN_CLAIMS = Claims(known=False)

FILE_KEYS = ("Input", "Output")


def read_inputs(section: Section, problems: list[Problem]) -> tuple[Input, ...]:
    """The declared inputs, in order; invalid ones are only reported."""
    mapping = _optional_mapping(section, problems)
    inputs: list[Input] = []
    for name, node in mapping.entries if mapping else ():
        problem = _name_problem(name)
        if problem:
            problems.append(problem)
        else:
            inputs.append(read_input(name, node, problems, tuple(inputs)))
    return tuple(inputs)


def read_files(
    section: Section, problems: list[Problem]
) -> tuple[tuple[FileRequirement, ...], tuple[FileRequirement, ...]]:
    """The paths under Input and Output."""
    mapping = _optional_mapping(section, problems)
    found: dict[str, tuple[FileRequirement, ...]] = {}
    for key, node in mapping.entries if mapping else ():
        word = key.raw.lower()
        if word in {"input", "output"}:
            found[word] = tuple(_read_paths(key, node, problems))
        else:
            problems.append(unknown_key(key, FILE_KEYS, Severity.WARNING))
    return found.get("input", ()), found.get("output", ())


def read_claims(section: Section, problems: list[Problem]) -> Claims:
    """The claims a caller needs. Invalid content fails closed, with an error."""
    blocks = [fence for fence in section.fences() if fence.is_yaml]
    before = len(problems)
    values: dict[str, tuple[str, ...]] = {}
    if len(blocks) != 1:
        text = "Required Claims must contain exactly one yaml code block"
        problems.append(_claims_error(text, blocks[1].line if blocks else section.line))
    elif (word := _bare_word(blocks[0])) is not None:
        text = "Required Claims doesn't say which claim must have the value"
        problems.append(_claims_error(text, word.line, f"Write: roles: {word.text}"))
    elif mapping := read_mapping(blocks[0], section.name, problems):
        if not mapping.entries:
            problems.append(_claims_error("Required Claims doesn't list any claims", mapping.line))
        values = {
            key.raw.strip(): _allowed_values(key, node, problems) for key, node in mapping.entries
        }
    elif len(problems) == before:
        problems.append(_claims_error("Required Claims doesn't list any claims", blocks[0].line))
    return UNKNOWN_CLAIMS if len(problems) > before else Claims(values)


def _bare_word(block: Block) -> Scalar | None:
    """The only content of a block that lists values without a claim: `sre` or `sre, admin`."""
    node = compose(block.text, block.line + 1)
    if isinstance(node, Scalar) and _WORDS.fullmatch(node.text):
        return node
    return None


def _claims_error(
    text: str, line: int, hint: str = "Add a yaml block such as: roles: sre, admin"
) -> Problem:
    return Problem("bad_required_claims", text, line, hint=hint)


def _allowed_values(key: Scalar, node: Node, problems: list[Problem]) -> tuple[str, ...]:
    values: list[str] = []
    match node:
        case Scalar():
            values = [part.strip() for part in node.text.split(",")]
            values = [part for part in values if part]
        case Sequence() if all(isinstance(item, Scalar) for item in node.items):
            values = [item.text.strip() for item in node.items if isinstance(item, Scalar)]
    if not key.raw.strip() or not values or not all(values):
        text = f"Required Claims: '{key.raw}' needs a list of allowed values"
        problems.append(_claims_error(text, key.line))
    return tuple(values)


def _optional_mapping(section: Section, problems: list[Problem]) -> Mapping | None:
    """The mapping in a section's first YAML block; warns if there are other blocks."""
    blocks = [block for block in section.blocks if block.is_yaml]
    usable = [block for block in blocks if not block.nested]
    for block in blocks:
        if block.nested or block is not usable[0]:
            text = f"Only the first yaml block of '{section.name}' outside lists is used"
            problems.append(
                Problem(
                    "unread_block",
                    text,
                    block.line,
                    Severity.WARNING,
                    params={"section": section.name.value},
                )
            )
    if not blocks and section.blocks:
        text = f"Section '{section.name}' has no yaml code block, so it declares nothing"
        problems.append(
            Problem(
                "no_yaml_block",
                text,
                section.line,
                Severity.WARNING,
                params={"section": section.name.value},
            )
        )
    return read_mapping(usable[0], section.name, problems) if usable else None


def _name_problem(name: Scalar) -> Problem | None:
    if not valid_name(name.raw):
        text = f"'{name.raw[:80]}' is not a valid environment variable name"
        return Problem(
            "bad_input_name", text, name.line, hint=NAME_RULE, params={"variable": name.raw[:80]}
        )
    if is_reserved(name.raw):
        text = f"Environment variable name is reserved: {name.raw}"
        hint = "It affects how programs run or is used by the engine. Choose another name"
        return Problem("reserved_name", text, name.line, hint=hint, params={"variable": name.raw})
    return None


def _read_paths(key: Scalar, node: Node, problems: list[Problem]) -> Iterable[FileRequirement]:
    items: tuple[Node, ...] = ()
    match node:
        case Scalar():
            items = (node,) if node.text else ()
        case Sequence():
            items = node.items
        case _:
            text = f"'{key.raw}' must be a list of paths"
            problems.append(
                Problem("bad_file_requirement", text, node.line, params={"key": key.raw})
            )
    for item in items:
        if isinstance(item, Scalar) and item.text.strip():
            yield FileRequirement(item.text.strip(), item.line)
        else:
            text = f"'{key.raw}' must contain only paths"
            problems.append(
                Problem("bad_file_requirement", text, item.line, params={"key": key.raw})
            )
