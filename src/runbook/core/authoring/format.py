"""The canonical format of the part above a runbook's History heading.

Only whitespace, line endings and headings change: code blocks, HTML, lists and quotes stay as they
are. If formatting would change the meaning of a document, it is not formatted at all.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass, replace

from runbook.core.document import Document, Problem, Runbook
from runbook.core.language.parse import parse
from runbook.core.syntax.markdown import Block, BlockKind, Head, read_head
from runbook.core.syntax.section_names import SectionName, section_named
from runbook.quick_dataclass import dataclass

_HARD_BREAK = "  "
_LINES = frozenset({"line", "heading_line"})
_UNTOUCHED = frozenset({BlockKind.CODE, BlockKind.HTML, BlockKind.OTHER})


@dataclass(frozen=True, slots=True)
class _Line:
    """An output line. `apart` means that it is surrounded by blank lines."""

    text: str
    apart_above: bool = False
    apart_below: bool = False
    verbatim: bool = False

    @property
    def blank(self) -> bool:
        return not self.text and not self.verbatim


def formatted(data: bytes) -> bytes | Problem:
    """The formatted document, or the reason why it can't be formatted. Never raises.

    Everything from the History heading on stays the same. Formatting is idempotent.
    """
    before = parse(data)
    if before.runbook is None:
        text = "A runbook with errors can't be formatted"
        return Problem("not_formatted", text, hint="Fix the errors that `runbook lint` shows")
    head = read_head(data)
    lines = [line.text for line in _spaced(_lines(head))]
    result = ("\n".join(lines) + "\n").encode() + data[head.head_bytes :]
    if _meaning(result) != _meaning(data):
        text = "Formatting would change the runbook's meaning"
        hint = "Format it by hand. A heading or list probably uses unusual syntax"
        return Problem("not_formatted", text, hint=hint)
    return result


# -- lines ---------------------------------------------------------------------------------------


def _lines(head: Head) -> Iterator[_Line]:
    """All lines in order, without trailing whitespace; spacing is added later."""
    texts = [*head.lines]
    texts[0] = texts[0].removeprefix(codecs.BOM_UTF8.decode())
    yield from (
        _Line(text, verbatim=True, apart_below=number == head.front_lines)
        for number, text in enumerate(texts[: head.front_lines], start=1)
    )
    at = head.front_lines + 1
    for block in _outermost(head.blocks):
        yield from _loose(texts[at - 1 : block.line - 1])
        yield from _block_lines(block, texts)
        at = _end_of(block, texts)
    yield from _loose(texts[at - 1 :])


def _outermost(blocks: Sequence[Block]) -> Iterator[Block]:
    """The blocks outside lists and quotes."""
    return (block for block in blocks if not block.nested)


def _end_of(block: Block, texts: Sequence[str]) -> int:
    """The line after a block, without a list's trailing blank lines."""
    end = block.end
    while end > block.line and not texts[end - 2].strip():
        end -= 1
    return end


def _loose(texts: Sequence[str]) -> Iterator[_Line]:
    """Lines between blocks: blank lines and link definitions."""
    return (_Line(text.rstrip()) for text in texts)


def _block_lines(block: Block, texts: Sequence[str]) -> Iterator[_Line]:
    own = texts[block.line - 1 : _end_of(block, texts) - 1]
    if block.kind is BlockKind.HEADING:
        yield from _heading(block, own)
    elif block.kind is BlockKind.FENCE:
        yield _Line(own[0].rstrip(), apart_above=True)
        yield from (_Line(text, verbatim=True) for text in own[1:-1])
        yield _Line(own[-1].rstrip(), apart_below=True)
    elif block.kind in _UNTOUCHED:
        yield from (_Line(text, verbatim=True) for text in own)
    else:
        yield from (_Line(_with_break(text)) for text in own[:-1])
        yield from (_Line(text.rstrip()) for text in own[-1:])


def _heading(block: Block, own: Sequence[str]) -> Iterator[_Line]:
    """A section's heading in canonical form; any other heading unchanged."""
    section = section_named(block.text) if block.level == 1 else None
    texts = [f"# {section}"] if section else [text.rstrip() for text in own]
    for index, text in enumerate(texts):
        yield _Line(text, apart_above=index == 0, apart_below=index == len(texts) - 1)


def _with_break(text: str) -> str:
    """Keep a hard line break: two or more spaces at the end of a paragraph's line."""
    stripped = text.rstrip()
    return stripped + _HARD_BREAK if text.endswith(_HARD_BREAK) and stripped else stripped


def _spaced(lines: Iterator[_Line]) -> Iterator[_Line]:
    """Add the required blank lines and remove repeated ones."""
    blank = _Line("")
    previous: _Line | None = None
    waiting = False
    for line in lines:
        if line.blank:
            waiting = True
            continue
        if previous is not None and (waiting or line.apart_above or previous.apart_below):
            yield blank
        yield line
        previous, waiting = line, False
    yield blank


# -- meaning -------------------------------------------------------------------------------------


def _meaning(data: bytes) -> tuple[object, ...]:
    """Everything that readers and the engine see in a document, except for lines and whitespace."""
    document = parse(data)
    head = read_head(data)
    runbook = _without_lines(document.runbook) if document.runbook else None
    blocks = [_block_meaning(block) for block in head.blocks]
    codes = _codes(document)
    return (document.name, document.claims, codes, document.front, runbook, blocks)


def _codes(document: Document) -> list[str]:
    return [problem.code for problem in document.problems]


def _block_meaning(block: Block) -> tuple[object, ...]:
    text = block.text
    if block.kind is BlockKind.HEADING and section_named(text):
        text = SectionName(section_named(text) or text)
    elif block.kind is BlockKind.PARAGRAPH:
        text = "\n".join(_with_break(line).lstrip() for line in text.split("\n")).rstrip()
    return (
        block.kind,
        block.level,
        text,
        block.info.strip(),
        block.marker,
        block.nested,
        block.closed,
    )


def _without_lines(value: object) -> object:
    """The value with all line numbers set to 0 and no line breaks in the description."""
    if isinstance(value, tuple):
        return tuple(_without_lines(item) for item in value)
    if not is_dataclass(value) or isinstance(value, type):
        return value
    kept = {item.name: getattr(value, item.name) for item in fields(value)}
    if isinstance(value, Runbook):
        kept["description"] = " ".join(value.description.split())
    for name, content in kept.items():
        is_line = name in _LINES and content is not None
        kept[name] = 0 if is_line else _without_lines(content)
    return replace(value, **kept)
