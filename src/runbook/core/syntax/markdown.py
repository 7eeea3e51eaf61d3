"""Splits a runbook's head, everything above the History heading, into blocks.

Only the head is parsed as Markdown, because the history may be huge. The parser also decides where
History begins: for each line that consists of that word, parse up to it, until a parse ends in that
heading. Nothing is parsed of a document that has no such line within the limits.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from enum import Enum
from functools import cache
from itertools import islice

from markdown_it import MarkdownIt
from markdown_it.token import Token

from runbook.core.syntax.section_names import resembles_claims, section_named
from runbook.quick_dataclass import dataclass

HISTORY = "History"
YAML_WORDS = frozenset({"yaml", "yml"})
HEAD_LIMIT = 2 * 1024 * 1024
"""In bytes. The search for a History heading stops here."""
HEAD_LINES = 50_000
"""The same in lines: parsing takes time per line."""
HEAD_READ = HEAD_LIMIT + 1
"""This much of a file tells whether it has a History heading within the limits."""

_HISTORY_LINE = re.compile(
    rb"(?:(?<=[\r\n])|\A)[^\r\nA-Za-z0-9]{0,200}history[^\r\nA-Za-z0-9]{0,200}(?=[\r\n]|\Z)",
    re.IGNORECASE,
)
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n(?P<yaml>(?:.{0,2000}\n){0,500}?)(?:---|\.\.\.)[ \t]*(?:\n|\Z)"
)
_YAML_KEY = re.compile(r"[\w\"'][^:\n]*:(?:\s|\Z)")
_LINE_END = re.compile(rb"\r\n|\r|\n")


class BlockKind(Enum):
    HEADING = "heading"
    FENCE = "fence"
    CODE = "code"
    PARAGRAPH = "paragraph"
    HTML = "html"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Block:
    """One Markdown block. Lines are counted from 1; `end` is the line after the block.

    `text` is the Markdown of a heading or paragraph, or the content of a fence. `nested` blocks are
    in a list; everything in a quote is part of that quote, which is OTHER. `marker` is the run of
    backticks or tildes that opens a fence.
    """

    kind: BlockKind
    line: int
    end: int
    text: str = ""
    level: int = 0
    info: str = ""
    marker: str = ""
    nested: bool = False
    closed: bool = True

    @property
    def word(self) -> str:
        """The first word of a fence's info string, in lowercase: `yaml` for `YAML {title="x"}`."""
        match = re.match(r"[\w+.-]*", self.info.strip().lower())
        return match.group() if match else ""

    @property
    def is_yaml(self) -> bool:
        return self.kind is BlockKind.FENCE and self.word in YAML_WORDS

    def is_section(self, name: str) -> bool:
        return (
            self.kind is BlockKind.HEADING
            and self.level == 1
            and not self.nested
            and self.text.lower() == name.lower()
        )


@dataclass(frozen=True, slots=True)
class Head:
    """The part above History, and where it ends (byte offsets in the document).

    `history_bytes` and `history_line` are the offset of the first byte after the History heading
    and its line; both are None if there is no such heading. `bad_byte` is the offset of the first
    byte that is not UTF-8. `too_long` is set if the search for History was aborted; the head then
    ends there. `front_lines` is the number of lines of the front matter, including the two `---`.
    """

    lines: tuple[str, ...]
    blocks: tuple[Block, ...]
    head_bytes: int
    history_line: int | None = None
    history_bytes: int | None = None
    bad_byte: int | None = None
    too_long: bool = False
    front_lines: int = 0

    @property
    def front_matter(self) -> str:
        """The YAML between the two `---`, which begins on line 2."""
        return "\n".join(self.lines[1 : self.front_lines - 1])


def read_head(data: bytes) -> Head:
    """Find the History heading and parse the blocks above it. Never raises."""
    blocks: list[Block] = []
    limit = _limit(data)
    end = front = 0
    for end in _prefix_ends(data, limit):
        text = _decode(data[:end])
        front = _front_lines(text)
        blocks = list(_blocks(text, front))
        for index, block in enumerate(blocks):
            if block.is_section(HISTORY):
                return _head_above(data, text, blocks[:index], block, front)
    return Head(
        lines=tuple(_lines(_decode(data[:end]))),
        blocks=tuple(blocks),
        head_bytes=limit,
        bad_byte=_bad_byte(data[:limit]),
        too_long=limit < len(data),
        front_lines=front,
    )


def line_at(data: bytes, offset: int) -> int:
    """The number of the line that contains the byte at `offset`."""
    return 1 + sum(1 for _ in _LINE_END.finditer(data, 0, offset))


def _head_above(data: bytes, text: str, blocks: list[Block], history: Block, front: int) -> Head:
    start = _offset_of_line(data, history.line)
    return Head(
        lines=tuple(_lines(text)[: history.line - 1]),
        blocks=tuple(blocks),
        head_bytes=start,
        history_line=history.line,
        history_bytes=_offset_of_line(data, history.end),
        bad_byte=_bad_byte(data[:start]),
        front_lines=front,
    )


def _limit(data: bytes) -> int:
    """Where the search for History ends: at the document's end, or after the last line to read."""
    limit = len(data)
    if limit > HEAD_LIMIT:
        limit = max(data.rfind(b"\n", 0, HEAD_LIMIT), data.rfind(b"\r", 0, HEAD_LIMIT)) + 1
    if data.count(b"\n", 0, limit) + data.count(b"\r", 0, limit) > HEAD_LINES:
        limit = min(limit, _end_of_lines(data, 0, HEAD_LINES))
    return limit


def _prefix_ends(data: bytes, limit: int) -> Iterator[int]:
    """Offsets to try a parse at: after each line `history` and the next one, a possible underline.

    After a failed try, the next one covers about twice as much if there are candidates in between,
    so that a script full of such lines costs a few parses instead of one per line.
    """
    tried = waiting = 0
    for match in _HISTORY_LINE.finditer(data, 0, limit):
        end = min(_end_of_lines(data, match.end(), 2), limit)
        if tried and end <= 2 * tried:
            waiting = end
            continue
        if waiting > tried:
            yield waiting
        yield end
        tried = end
    if limit == len(data):
        yield limit
    elif waiting > tried:
        yield waiting


def _end_of_lines(data: bytes, start: int, count: int) -> int:
    match = next(islice(_LINE_END.finditer(data, start), count - 1, None), None)
    return match.end() if match else len(data)


def _offset_of_line(data: bytes, line: int) -> int:
    return _end_of_lines(data, 0, line - 1) if line > 1 else 0


def _decode(data: bytes) -> str:
    """Decoded text without byte order mark, with line endings normalized to LF."""
    text = data.removeprefix(codecs.BOM_UTF8).decode("utf-8", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _bad_byte(data: bytes) -> int | None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return None


def _lines(text: str) -> list[str]:
    return text.split("\n")


@cache
def _parser() -> MarkdownIt:
    """CommonMark blocks only: inline markup is irrelevant here."""
    parser = MarkdownIt("commonmark")
    parser.core.ruler.enableOnly(["normalize", "block"])
    return parser


def _front_lines(text: str) -> int:
    """The number of lines of the front matter at the beginning; 0 if there is none.

    Lines that readers may take for a section are no front matter, but a document that begins with
    a thematic break.
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        return 0
    lines = [line for line in match["yaml"].split("\n") if line.strip()]
    first = next((line for line in lines if not line.startswith("#")), None)
    if first is not None and _YAML_KEY.match(first) is None:
        return 0
    comments = (line.lstrip("#").strip() for line in lines if line.startswith("#"))
    if any(section_named(each) or resembles_claims(each, level=2) for each in comments):
        return 0
    return match["yaml"].count("\n") + 2


def _blocks(text: str, front: int = 0) -> Iterator[Block]:
    lines = _lines(text)
    tokens = _parser().parse("\n".join([*[""] * front, *lines[front:]]) if front else text)
    quotes = 0
    for index, token in enumerate(tokens):
        if token.type == "blockquote_open":
            quotes += 1
            if quotes == 1:
                yield _block(BlockKind.OTHER, token)
        elif token.type == "blockquote_close":
            quotes -= 1
        elif not quotes:
            yield from _block_of(token, tokens[index + 1 : index + 2], lines)


def _block_of(token: Token, following: Iterable[Token], lines: list[str]) -> Iterator[Block]:
    match token.type:
        case "heading_open" | "paragraph_open":
            kind = BlockKind.HEADING if token.type == "heading_open" else BlockKind.PARAGRAPH
            level = int(token.tag[1:]) if kind is BlockKind.HEADING else 0
            content = "".join(inline.content for inline in following)
            yield _block(kind, token, content, level=level)
        case "fence":
            yield _fence(token, lines)
        case "code_block":
            yield _block(BlockKind.CODE, token, token.content)
        case "html_block":
            yield _block(BlockKind.HTML, token, token.content)
        case "hr" | "bullet_list_open" | "ordered_list_open":
            yield _block(BlockKind.OTHER, token)


def _fence(token: Token, lines: list[str]) -> Block:
    first, end = token.map or [0, 0]
    last = lines[end - 1].strip() if first + 1 < end <= len(lines) else ""
    closed = last.startswith(token.markup) and not last.strip(token.markup[0])
    return Block(
        BlockKind.FENCE,
        line=first + 1,
        end=end + 1,
        text=token.content,
        info=token.info,
        marker=token.markup,
        nested=token.level > 0,
        closed=closed,
    )


def _block(kind: BlockKind, token: Token, text: str = "", *, level: int = 0) -> Block:
    first, end = token.map or [0, 0]
    return Block(kind, first + 1, end + 1, text, level, nested=token.level > 0)
