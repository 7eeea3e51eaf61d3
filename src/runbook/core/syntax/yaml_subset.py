"""The YAML subset for runbook blocks: mappings, lists and text. Every value is kept as written.

The tree is built from parser events, so nothing is constructed, resolved or expanded: `NO` and
`010` are text. Anchors, aliases, tags, merge keys and duplicate keys are rejected.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field

import yaml

from runbook.core.document import Problem
from runbook.quick_dataclass import dataclass

BYTES_LIMIT = 256 * 1024
NODES_LIMIT = 10_000
DEPTH_LIMIT = 32

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TRUTHS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value as written; `text` is empty for the plain forms of null."""

    raw: str
    line: int
    plain: bool = True

    @property
    def text(self) -> str:
        return "" if self.plain and self.raw in _NULLS else self.raw


@dataclass(frozen=True, slots=True)
class Sequence:
    line: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    line: int
    entries: tuple[tuple[Scalar, Node], ...]


Node = Scalar | Sequence | Mapping


def plain_of(node: Node) -> object:
    """The node as lists, dicts and texts."""
    match node:
        case Scalar():
            return node.text
        case Sequence():
            return [plain_of(item) for item in node.items]
    return {key.raw: plain_of(value) for key, value in node.entries}


class _RefusedError(Exception):
    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


def compose(source: str, first_line: int) -> Node | Problem | None:
    """The document in `source`, None if it is empty, or the reason why it is rejected.

    `first_line` is the line of the runbook where `source` begins. Never raises.
    """
    try:
        if len(source.encode("utf-8", "surrogatepass")) > BYTES_LIMIT:
            raise _RefusedError(f"longer than {BYTES_LIMIT // 1024} KiB", 0)  # noqa: TRY301
        return _Composer(first_line).compose(source)
    except _RefusedError as error:
        return _problem(error.reason, first_line + error.line)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = " ".join(part for part in (error.context, error.problem) if part)
        return _problem(reason, first_line + (mark.line if mark else 0))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        position = getattr(error, "position", None)
        line = source.count("\n", 0, position) if isinstance(position, int) else 0
        return _problem(str(getattr(error, "reason", None) or error), first_line + line)


def _problem(reason: str, line: int) -> Problem:
    return Problem(
        "bad_yaml",
        f"The YAML block is invalid: {reason}",
        line,
        hint="Quote values that contain ': ' or ' #', or start with a special character",
        params={"reason": reason},
    )


@dataclass(slots=True)
class _Open:
    """A mapping or list that is still open."""

    line: int
    is_mapping: bool
    nodes: list[Node] = field(default_factory=list)


class _Composer:
    def __init__(self, first_line: int) -> None:
        self._first_line = first_line
        self._open: list[_Open] = []
        self._root: Node | None = None
        self._nodes = 0
        self._documents = 0

    def compose(self, source: str) -> Node | None:
        for event in _events(source):
            self._take(event)
        return self._root

    def _take(self, event: yaml.Event) -> None:
        line = _line(event)
        match event:
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise _RefusedError("it contains more than one document", line)
            case yaml.AliasEvent():
                raise _RefusedError("aliases (*name) are not allowed", line)
            case yaml.ScalarEvent():
                self._check(event)
                plain = not event.style
                self._add(Scalar(event.value, self._first_line + line, plain))
            case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                self._check(event)
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                self._open.append(_Open(self._first_line + line, is_mapping))
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._add(self._close(self._open.pop()))
            case _:
                pass

    def _check(self, event: yaml.NodeEvent) -> None:
        line = _line(event)
        self._nodes += 1
        if event.anchor is not None:
            raise _RefusedError("anchors (&name) are not allowed", line)
        if getattr(event, "tag", None) is not None:
            raise _RefusedError("tags (!name) are not allowed", line)
        if self._nodes > NODES_LIMIT:
            raise _RefusedError(f"more than {NODES_LIMIT} values", line)
        if len(self._open) >= DEPTH_LIMIT:
            raise _RefusedError(f"nested more than {DEPTH_LIMIT} levels deep", line)

    def _add(self, node: Node) -> None:
        if self._open:
            self._open[-1].nodes.append(node)
        else:
            self._root = node

    def _close(self, container: _Open) -> Node:
        if not container.is_mapping:
            return Sequence(container.line, tuple(container.nodes))
        pairs = zip(container.nodes[::2], container.nodes[1::2], strict=True)
        return Mapping(container.line, tuple(self._entries(pairs)))

    def _entries(self, pairs: Iterator[tuple[Node, Node]]) -> Iterator[tuple[Scalar, Node]]:
        seen: dict[str, int] = {}
        for key, value in pairs:
            line = key.line - self._first_line
            if not isinstance(key, Scalar):
                raise _RefusedError("a key must be text", line)
            if key.plain and key.raw == "<<":
                raise _RefusedError("merge keys (<<) are not allowed", line)
            if key.raw in seen:
                first = seen[key.raw]
                raise _RefusedError(f"duplicate key '{key.raw}', first on line {first}", line)
            seen[key.raw] = key.line
            yield key, value


def truth_of(text: str) -> bool | None:
    """What a word says that YAML takes for true or false; None for any other text."""
    return _TRUTHS.get(text.strip().lower())


def _events(source: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(source, Loader=_Loader)


def _line(event: yaml.Event) -> int:
    return event.start_mark.line if event.start_mark else 0
