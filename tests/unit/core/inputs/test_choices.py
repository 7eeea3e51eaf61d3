"""The choices in another runbook's output."""

from __future__ import annotations

import pytest

from runbook.core.document import ChoicesSource, Input, InputType, Problem
from runbook.core.inputs.choices import choices_not_allowed, choices_not_found, read_choices

SOURCE = ChoicesSource("Sites.md", "NAMES")
ONE = Input("SITE", "", 4, InputType.CHOICE, typed=True, choices_from=SOURCE)
SEVERAL = Input("SITES", "", 4, InputType.MULTICHOICE, typed=True, choices_from=SOURCE)


@pytest.mark.parametrize(
    ("output", "choices"),
    [
        ("oslo", ("oslo",)),
        ("oslo, rome ,bern", ("oslo", "rome", "bern")),
        ("oslo\nrome, italy\n\n", ("oslo", "rome, italy")),
        ('["oslo", "a,b", 5]', ("oslo", "a,b")),
        (["oslo", "rome", "oslo", None, ""], ("oslo", "rome")),
        ("[oslo, rome]", ("[oslo", "rome]")),
    ],
)
def test_choices_of_an_output(output, choices):
    assert read_choices(ONE, SOURCE, output) == choices


def test_what_holds_a_comma_cannot_be_one_of_several():
    assert read_choices(SEVERAL, SOURCE, ["a,b", "c\nd", "e"]) == ("e",)


@pytest.mark.parametrize("output", [None, "", " \n ", [], [5], {"a": 1}, "[]", ",", 5])
def test_no_choices(output):
    found = read_choices(ONE, SOURCE, output)
    assert isinstance(found, Problem)
    assert found.code == "choices_unknown"
    assert found.params == {"variable": "SITE", "runbook": "Sites.md", "output": "NAMES"}
    assert (found.line, found.hint) == (4, "Run Sites.md first")


def test_why_choices_are_not_known():
    refused = choices_not_allowed(ONE, SOURCE, ("roles=viewer (required: sre)",))
    assert (
        refused.message
        == "The choices for SITE come from Sites.md, which you aren't allowed to execute"
    )
    assert refused.hint == "Missing or invalid claims: roles=viewer (required: sre)"
    assert choices_not_allowed(ONE, SOURCE, ()).hint is None
    absent = choices_not_found(ONE, SOURCE)
    assert absent.message == "The choices for SITE come from Sites.md, which does not exist"
