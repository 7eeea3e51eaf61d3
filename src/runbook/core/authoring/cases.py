"""A runbook's test cases, from its `.test.yaml` file."""

from __future__ import annotations

import re
from collections.abc import Callable
from collections.abc import Mapping as MappingType
from dataclasses import field, replace

from runbook.core.document import Problem
from runbook.core.status import RunStatus
from runbook.core.syntax.durations import DURATION_RULE, parse_duration
from runbook.core.syntax.unknown_keys import did_you_mean, unknown_key
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, compose, truth_of
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Expected:
    """A text to find in another one; with `regex`, a pattern."""

    text: str
    regex: bool = False

    def found_in(self, actual: str) -> bool:
        if self.regex:
            return re.search(self.text, actual, re.MULTILINE) is not None
        return self.text in actual

    @property
    def shown(self) -> str:
        return f"/{self.text}/" if self.regex else repr(self.text)


@dataclass(frozen=True, slots=True)
class CaseConnection:
    """A connection that exists in one case only."""

    kind: str
    values: MappingType[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """One execution of a runbook, and the expected result.

    `claims` are the claims of the token to execute it with; None for the local user. Only the
    listed outputs are compared. `line` is the case's line in its file.
    """

    name: str
    line: int
    inputs: MappingType[str, object] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    connections: MappingType[str, CaseConnection] = field(default_factory=dict)
    confirm: str | None = None
    dry_run: bool = False
    claims: MappingType[str, object] | None = None
    timeout_s: float | None = None
    status: RunStatus = RunStatus.SUCCEEDED
    return_code: int | None = None
    outputs: MappingType[str, str] = field(default_factory=dict)
    stdout: tuple[Expected, ...] = ()
    stderr: tuple[Expected, ...] = ()
    errors: tuple[Expected, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseFile:
    """The cases in a file. If there are `problems`, don't execute any of them."""

    cases: tuple[Case, ...] = ()
    problems: tuple[Problem, ...] = ()


def read_cases(source: str) -> CaseFile:
    """Parse a test file. Never raises."""
    root = compose(source, 1)
    if isinstance(root, Problem):
        message = root.message.replace("The YAML block", "The file", 1)
        return CaseFile(problems=(replace(root, message=message),))
    if root is None:
        return CaseFile()
    reading = _Reading()
    reading.read(root)
    return CaseFile(tuple(reading.cases), tuple(reading.problems))


class _RefusedError(Exception):
    def __init__(self, rule: str, line: int, hint: str | None = None) -> None:
        super().__init__(rule)
        self.rule = rule
        self.line = line
        self.hint = hint


class _Reading:
    def __init__(self) -> None:
        self.cases: list[Case] = []
        self.problems: list[Problem] = []

    def read(self, root: Node) -> None:
        if not isinstance(root, Mapping):
            text = "A test file must be a mapping with the key 'cases'"
            self.problems.append(Problem("bad_case", text, root.line))
            return
        for key, node in root.entries:
            if key.raw != "cases":
                self.problems.append(unknown_key(key, ("cases",)))
            elif isinstance(node, Sequence):
                for item in node.items:
                    self._read_case(item)
            elif not isinstance(node, Scalar) or node.text:
                text = "'cases' must be a list"
                self.problems.append(Problem("bad_case", text, node.line, hint="- name: ..."))

    def _read_case(self, node: Node) -> None:
        entries = node.entries if isinstance(node, Mapping) else ()
        named = {key.raw: value for key, value in entries}
        name = named.get("name")
        if not isinstance(name, Scalar) or not name.text.strip():
            text = "A case must be a mapping with a name"
            self.problems.append(Problem("bad_case", text, node.line, hint="- name: ..."))
            return
        if any(case.name == name.text for case in self.cases):
            text = f"Duplicate case name '{name.text}'"
            self.problems.append(Problem("bad_case", text, name.line, params={"case": name.text}))
        case = Case(name.text, node.line)
        for key, value in entries:
            case = self._with_field(case, key, value)
        self.cases.append(case)

    def _with_field(self, case: Case, key: Scalar, node: Node) -> Case:
        reader = _FIELDS.get(key.raw)
        if reader is None:
            self.problems.append(unknown_key(key, tuple(_FIELDS)))
            return case
        try:
            return reader(case, node)
        except _RefusedError as error:
            text = f"'{key.raw}' {error.rule}"
            self.problems.append(
                Problem(
                    "bad_case",
                    text,
                    error.line,
                    hint=error.hint,
                    params={"case": case.name, "key": key.raw},
                )
            )
            return case


# -- values --------------------------------------------------------------------------------------


def _text(node: Node) -> str:
    if not isinstance(node, Scalar):
        hint = "Quote text that contains ': '" if isinstance(node, Mapping) else None
        raise _RefusedError("must be text", node.line, hint)
    return node.text


def _texts(node: Node) -> tuple[tuple[str, int], ...]:
    """One text or a list of texts, with their lines."""
    items = node.items if isinstance(node, Sequence) else (node,)
    return tuple((_text(item), item.line) for item in items)


def _expected(node: Node) -> tuple[Expected, ...]:
    return tuple(_as_expected(text, line) for text, line in _texts(node))


def _as_expected(text: str, line: int) -> Expected:
    if len(text) < 3 or not (text.startswith("/") and text.endswith("/")):
        return Expected(text)
    try:
        re.compile(text[1:-1])
    except re.error as error:
        raise _RefusedError(f"contains an invalid pattern: {error}", line) from None
    return Expected(text[1:-1], regex=True)


def _mapping(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    if isinstance(node, Scalar) and not node.text:
        return ()
    if not isinstance(node, Mapping):
        raise _RefusedError("must be a mapping (NAME: value)", node.line)
    return node.entries


def _value(node: Node) -> object:
    """A value as JSON; scalars are text as written."""
    if isinstance(node, Scalar):
        return node.text
    if isinstance(node, Sequence):
        return [_value(item) for item in node.items]
    return {key.raw: _value(item) for key, item in node.entries}


def _values(node: Node) -> dict[str, object]:
    return {key.raw: _value(item) for key, item in _mapping(node)}


def _connections(node: Node) -> dict[str, CaseConnection]:
    return {key.raw: _connection(item) for key, item in _mapping(node)}


def _connection(node: Node) -> CaseConnection:
    given = {key.raw: item for key, item in _mapping(node)}
    if given.keys() != {"kind", "values"}:
        raise _RefusedError("must have a kind and values for each name", node.line)
    return CaseConnection(_text(given["kind"]), _values(given["values"]))


def _claims(node: Node) -> dict[str, object]:
    return {
        key.raw: [text for text, _ in _texts(item)] if isinstance(item, Sequence) else _text(item)
        for key, item in _mapping(node)
    }


def _outputs(node: Node) -> dict[str, str]:
    return {key.raw: _text(item) for key, item in _mapping(node)}


def _switch(node: Node) -> bool:
    truth = truth_of(_text(node))
    if truth is None:
        raise _RefusedError("must be true or false", node.line)
    return truth


def _status(node: Node) -> RunStatus:
    text = _text(node).strip()
    known = [status.value for status in RunStatus if status.terminal]
    if text not in known:
        raise _RefusedError(
            "must be the status of a finished run", node.line, did_you_mean(text, known)
        )
    return RunStatus(text)


def _return_code(node: Node) -> int:
    text = _text(node).strip()
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise _RefusedError("must be an integer", node.line)
    return int(text)


def _duration(node: Node) -> float:
    seconds = parse_duration(_text(node).strip())
    if not seconds:
        raise _RefusedError("must be a duration", node.line, DURATION_RULE)
    return seconds


_FIELDS: MappingType[str, Callable[[Case, Node], Case]] = {
    "name": lambda case, _: case,
    "inputs": lambda case, node: replace(case, inputs=_values(node)),
    "secrets": lambda case, node: replace(case, secrets=frozenset(t for t, _ in _texts(node))),
    "connections": lambda case, node: replace(case, connections=_connections(node)),
    "confirm": lambda case, node: replace(case, confirm=_text(node)),
    "dry_run": lambda case, node: replace(case, dry_run=_switch(node)),
    "claims": lambda case, node: replace(case, claims=_claims(node)),
    "timeout": lambda case, node: replace(case, timeout_s=_duration(node)),
    "status": lambda case, node: replace(case, status=_status(node)),
    "return_code": lambda case, node: replace(case, return_code=_return_code(node)),
    "outputs": lambda case, node: replace(case, outputs=_outputs(node)),
    "stdout": lambda case, node: replace(case, stdout=_expected(node)),
    "stderr": lambda case, node: replace(case, stderr=_expected(node)),
    "errors": lambda case, node: replace(case, errors=_expected(node)),
}
CASE_KEYS = tuple(_FIELDS)
