"""Runs found by the values of their inputs."""

import pytest
import sqlalchemy as sa

from runbook.store.models import InputMatch, RunFilter
from runbook.store.run import input_search


def ids(page):
    return [run.id for run in page.runs]


def by(*matches, **more):
    return RunFilter(inputs=tuple(InputMatch(value, name) for name, value in matches), **more)


@pytest.fixture
def made(helper):
    values = [
        {"HOST": "web1", "NOTE": 'a "quoted" \\ text'},
        {"HOST": "web10", "TOKEN": None},
        {"HOST": "Straße", "SIZE": ""},
        {"NAME": "web1"},
        {},
    ]
    return [helper.queued(inputs=one).id for one in values]


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        ([("HOST", "web1")], [0]),
        ([("HOST", "WEB1")], []),
        ([(None, "WEB1")], [3, 1, 0]),
        ([(None, "web1"), (None, "quoted")], [0]),
        ([("HOST", "web1"), ("HOST", "web10")], []),
        ([(None, '"quoted" \\')], [0]),
        ([(None, "STRASSE")], [2]),
        ([("HOST", "Straße")], [2]),
        ([("SIZE", "")], [2]),
        ([(None, "HOST")], []),
        ([(None, "null")], []),
        ([("TOKEN", "None")], []),
    ],
)
def test_by_value(store, made, matches, expected):
    assert ids(store.runs.page(by(*matches))) == [made[n] for n in expected]


def test_with_the_rest_of_the_filter_and_in_pages(helper, store):
    for n in range(7):
        helper.queued(ref=f"{n % 2}.md", inputs={"HOST": "web1" if n < 5 else "db1"})
    wanted = by(("HOST", "web1"), refs=frozenset({"0.md"}))
    first = store.runs.page(wanted, limit=2)
    assert ids(first) == ["run-4", "run-2"]
    second = store.runs.page(wanted, cursor=first.next_cursor, limit=2)
    assert (ids(second), second.next_cursor) == (["run-0"], None)


def test_a_page_looks_at_a_bounded_number_of_runs(helper, store, monkeypatch):
    monkeypatch.setattr(input_search, "MAX_EXAMINED", 4)
    monkeypatch.setattr(input_search, "_BATCH", 2)
    oldest = helper.queued(inputs={"HOST": "web1"}).id
    for _ in range(5):
        helper.queued(inputs={"HOST": "db1"})
    first = store.runs.page(by(("HOST", "web1")))
    assert first.runs == ()
    second = store.runs.page(by(("HOST", "web1")), cursor=first.next_cursor)
    assert (ids(second), second.next_cursor) == ([oldest], None)


def test_damaged_inputs_match_nothing(helper, store):
    helper.queued(inputs={"HOST": "web1"})
    damage = sa.text("UPDATE runs SET inputs = '[\"web1\"]'")
    store._database.write(lambda connection: connection.execute(damage))
    assert ids(store.runs.page(by((None, "web1")))) == []
