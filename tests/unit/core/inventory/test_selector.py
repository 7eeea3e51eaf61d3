"""Selections of devices."""

import pytest

from runbook.core.inventory.selector import ALL, Term, TermKind, read_selector


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("edge-1", [Term(TermKind.NAME, "edge-1")]),
        ("all", [ALL]),
        ("tag:core, site:Frankfurt 1 ,group:edge,tag:core",
         [Term(TermKind.TAG, "core"), Term(TermKind.SITE, "Frankfurt 1"),
          Term(TermKind.GROUP, "edge")]),
        ('["a", "tag:b,c"]',
         [Term(TermKind.NAME, "a"), Term(TermKind.TAG, "b"), Term(TermKind.NAME, "c")]),
    ],
)  # fmt: skip
def test_a_selection_is_read_by_its_parts(text, terms):
    assert read_selector(text) == tuple(terms)


@pytest.mark.parametrize(
    "text", ["", ",", "Edge", "color:red", "tag:", "[1]", "[", '{"a": 1}', "[]"]
)
def test_what_is_no_selection(text):
    assert read_selector(text) is None
