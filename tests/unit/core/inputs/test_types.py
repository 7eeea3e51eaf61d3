"""Values held against types and rules: by table, and what no table can hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.document import Input, InputType
from runbook.core.inputs.types import bound_of, check_text, size_of
from runbook.core.syntax.patterns import PATTERN_VALUE_LIMIT

CASES = yaml.safe_load((Path(__file__).parents[3] / "data" / "input_values.yaml").read_text())
FIELDS = {"min": "minimum", "max": "maximum"}


def declared(**keys: Any) -> Input:
    values = {FIELDS.get(key, key): value for key, value in keys.items()}
    values |= {"type": InputType(values["type"]), "choices": tuple(values.get("choices", ()))}
    return Input("NAME", "", 1, typed=True, **values)


def message(item: Input, text: str, **more: Any) -> str | None:
    problem = check_text(item, text, **more)
    return problem.message if problem else None


def test_the_table_holds_every_type_but_files():
    assert {case["declared"]["type"] for case in CASES} == set(InputType) - {
        InputType.FILE,
        InputType.LIST,
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["declared"]))
def test_what_an_input_takes_and_what_not(case):
    item = declared(**case["declared"])
    assert {text: message(item, text) for text in case["valid"]} == dict.fromkeys(case["valid"])
    for text, words in case.get("invalid", {}).items():
        assert message(item, text) == f"NAME {words}"


@pytest.mark.parametrize(
    ("keys", "text", "hint"),
    [
        ({"type": "choice", "choices": ["full", "fast"]}, "ful", "Did you mean full?"),
        ({"type": "choice", "choices": ["full", "fast"]}, "FAST", "Did you mean fast?"),
        ({"type": "choice", "choices": ["full", "fast"]}, "zzzzz", None),
        ({"type": "multichoice", "choices": ["web", "db"]}, "web,dbb", "Did you mean db?"),
        ({"type": "string"}, "a\nb", "The type text takes several"),
        ({"type": "duration"}, "x", "Write a number with d, h, m or s, such as 90s, 5m or 1h30m"),
        ({"type": "cidr"}, "x", "Such as 192.0.2.0/24 or 2001:db8::/64"),
    ],
)
def test_a_hint_says_what_to_give(keys, text, hint):
    problem = check_text(declared(**keys), text)
    assert problem is not None
    assert (problem.code, problem.hint) == ("bad_input_value", hint)


def test_only_the_beginning_of_a_value_is_shown():
    assert message(declared(type="integer"), "x" * 200) == f"NAME must be an integer: '{'x' * 80}'"


def test_many_choices_are_not_all_listed():
    item = declared(type="choice", choices=[f"c{n}" for n in range(30)])
    assert (message(item, "x") or "").endswith("c18, c19, ...: 'x'")


def test_choices_found_elsewhere_stand_for_those_of_the_document():
    item = declared(type="choice", choices=[])
    assert message(item, "x", choices=("x",)) is None
    assert message(item, "y", choices=("x",)) == "NAME must be one of x: 'y'"
    assert message(item, "y") is None


def test_a_long_value_is_not_held_against_a_pattern():
    item = declared(type="text", pattern="(a+)+b")
    limit = "must be at most 4 KiB because it has a pattern"
    text = "a" * (PATTERN_VALUE_LIMIT + 1)
    assert message(item, text, hidden=True) == f"NAME {limit}"
    assert message(item, "a" * 20 + "b") is None


def test_the_old_form_has_no_rules():
    item = Input("NAME", "", 1, InputType.INTEGER)
    assert check_text(item, "abc") is None


@given(st.text())
def test_a_secret_is_in_no_problem(text):
    item = declared(type="secret", min="9", pattern="!+")
    problem = check_text(item, f"geheim{text}")
    assert problem is not None
    assert "geheim" not in f"{problem.message} {problem.hint}"


@given(st.sampled_from(CASES), st.text() | st.from_regex(r"[0-9a-f:./%\[\]-]+", fullmatch=True))
def test_any_text_is_taken_or_refused_and_never_an_error(case, text):
    problem = check_text(declared(**case["declared"]), text)
    assert problem is None or problem.message.encode()


@pytest.mark.parametrize(
    ("keys", "text", "size"),
    [
        ({"type": "integer"}, "x", None),
        ({"type": "number"}, "1e3", 1000),
        ({"type": "number"}, "x", None),
        ({"type": "duration"}, "1m", 60),
        ({"type": "duration"}, "x", None),
        ({"type": "multichoice"}, "", 0),
        ({"type": "multichoice"}, "a,b", 2),
        ({"type": "text"}, "grün", 4),
        ({"type": "ip"}, "::1", None),
    ],
)
def test_the_size_that_bounds_are_held_against(keys, text, size):
    assert size_of(declared(**keys), text) == size


@pytest.mark.parametrize(
    ("kind", "text", "bound"),
    [
        ("string", "5", 5),
        ("text", "-1", None),
        ("secret", "1.5", None),
        ("multichoice", "2", 2),
        ("multichoice", "x", None),
        ("duration", "2m", 120),
        ("integer", "1.5", None),
    ],
)
def test_bounds_are_of_the_inputs_own_kind(kind, text, bound):
    assert bound_of(declared(type=kind), text) == bound
