"""How the results of a change are told."""

import sys

import pytest

from mikrotik.site import TOOLKIT


@pytest.fixture
def toolkit(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(TOOLKIT / "lib"))
    monkeypatch.setenv("RUNBOOK_SUMMARY", str(tmp_path / "summary"))
    monkeypatch.setattr("runbook.output", lambda name, value: None)
    import mikrotik_toolkit

    yield mikrotik_toolkit
    for name in [name for name in sys.modules if name.startswith("mikrotik_toolkit")]:
        del sys.modules[name]


def test_what_follows_a_table_is_not_a_row_of_it(toolkit, tmp_path):
    from mikrotik_toolkit import outcomes, showing

    showing.table(("device",), [("edge-1",)])
    outcomes.reverted("cut_off", "All of them").tell()
    table, told = (tmp_path / "summary").read_text().split("\n\n")
    assert table.endswith("edge-1 |")
    assert told.startswith("**reverted**")


@pytest.mark.parametrize("text", ["Is the service on?", "Nothing answers."])
def test_what_to_do_about_an_unknown_outcome_is_a_sentence_of_its_own(toolkit, text):
    from mikrotik_toolkit import outcomes

    assert outcomes.unknown("refused", text).text.startswith(f"{text} ")
