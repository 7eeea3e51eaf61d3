from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.document import Problem
from runbook.core.syntax.yaml_subset import Mapping, Node, Scalar, Sequence, compose


def plain(node: Node | Problem | None) -> object:
    match node:
        case Scalar():
            return node.text
        case Sequence():
            return [plain(item) for item in node.items]
        case Mapping():
            return {key.raw: plain(value) for key, value in node.entries}
    return node


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("", None),
        ("# only a comment\n", None),
        ("{}", {}),
        ("a: NO\nON: 010\nc: 12:30\nd: 1e3", {"a": "NO", "ON": "010", "c": "12:30", "d": "1e3"}),
        ("a: ~\nb: null\nc:\nd: '~'", {"a": "", "b": "", "c": "", "d": "~"}),
        ("null: x\n~: y", {"null": "x", "~": "y"}),
        ("a: [b, {c: d}]", {"a": ["b", {"c": "d"}]}),
        ("a: |\n  two\n  lines\n", {"a": "two\nlines\n"}),
        ("'<<': x", {"<<": "x"}),
    ],
)
def test_everything_stays_as_written(source, value):
    assert plain(compose(source, 1)) == value


@pytest.mark.parametrize(
    ("source", "reason", "line"),
    [
        ("a: x\nb: &n y", "anchors", 11),
        ("a: x\nb: *n", "aliases", 11),
        ("a: !!python/object/apply:os.system [id]", "tags", 10),
        ("a: !x y", "tags", 10),
        ("\n<<: {a: b}", "merge keys", 11),
        ("a: b\nc: d\na: e", "duplicate key 'a', first on line 10", 12),
        ("[a]: b", "a key must be text", 10),
        ("a: b\n---\nc: d", "more than one document", 11),
        ("a: b\nc: 'd", "end of stream", 11),
        ("a: b\n\tc: d", "", 11),
        ("a: b\nc: \x07", "control characters", 11),
        ("[" * 33 + "]" * 33, "nested more than", 10),
        ("- a\n" * 10_001, "more than 10000 values", 10_009),
        ("a: " + "b" * 256 * 1024, "longer than 256 KiB", 10),
    ],
)
def test_what_is_refused_says_why_and_where(source, reason, line):
    problem = compose(source, 10)
    assert isinstance(problem, Problem)
    assert reason in problem.message
    assert problem.line == line


@pytest.mark.parametrize(
    "bomb",
    [
        "a: &a [x]\n" + "".join(f"a{n}: &a{n} [*a,*a,*a]\n" for n in range(30)),
        "[" * 100_000,
        "{a: " * 50_000,
        "- " * 100_000,
        "9" * 20_000 + ": " + "9" * 20_000,
    ],
)
def test_bombs_do_not_expand(bomb):
    outcome = compose(bomb, 1)
    assert isinstance(outcome, Problem | Mapping)


@settings(max_examples=150)
@given(st.text(max_size=60) | st.text("-:[]{}&*!|>'\"%@`,?# \n\tab", max_size=30))
def test_no_text_makes_it_raise(source):
    outcome = compose(source, 1)
    if isinstance(outcome, Problem):
        assert 1 <= (outcome.line or 0) <= source.count("\n") + 2


def test_lone_surrogates_are_refused():
    assert isinstance(compose("a: \ud800", 1), Problem)
