"""Detecting patterns that could run forever."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook.core.syntax.patterns import compiled, is_explosive


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+",
        "(a*)*b",
        "(?:a+)*?",
        "((a+))+",
        "(?P<x>\\w+\\s?)*",
        "(\\s*\\w+\\s*)*",
        "(a+|b)+",
        "(?:x|(?:y|[a-z]+))*",
        "(a{1,2})*",
        "(a+){2,50}",
        "x(?=(a+)+)y",
        "((a+){1})+",
    ],
)
def test_a_repetition_of_a_repetition(pattern):
    assert is_explosive(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "[a-z]+(-[a-z]+)*",
        "([0-9]{1,3}\\.){3}[0-9]{1,3}",
        "([a-z]+,)*[a-z]+",
        "(a?)*",
        "(ab|cd)+",
        "(a{3})*",
        "(?>a+)+b",
        "(a++)+b",
        "(a+){1,3}",
        "a+b+c+",
        "((a+)b)+",
        "(a)\\1*",
        "(?:(?P<q>x)|(?(q)a|b))+",
        "",
    ],
)
def test_what_is_no_danger(pattern):
    assert not is_explosive(pattern)


def test_classes_mean_ascii():
    assert compiled(r"\d\w").fullmatch("1a")
    assert not compiled(r"\d\w").fullmatch("١a")
    assert not compiled(r"\d\w").fullmatch("1é")


@given(st.text("ab(|)*+?{2,}[]^-\\d.$", max_size=12))
def test_any_pattern_that_compiles_can_be_judged(pattern):
    try:
        compiled(pattern)
    except Exception:  # noqa: BLE001 - no pattern: nothing to judge
        return
    assert is_explosive(pattern) in {True, False}
