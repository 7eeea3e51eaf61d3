"""Runbooks that provide choices: what keeps them from it."""

import pytest
from tests.unit.core.inputs.test_declarations import RUNBOOK, read

from runbook.core.document import Input, LiveChoices
from runbook.core.inputs.references import source_problems
from runbook.core.language.parse import parse

LIVE = LiveChoices("Nodes.md", {"PVE": "SERVER"}, {"STATE": "online"})
ITEM = Input("NODE", "", 4, live=LIVE)
GOOD = "PVE: x\nSTATE: x\nPOOL: {type: string, optional: true}\nSIZE: {type: string, default: x}"


def source(inputs=GOOD, policy="provides: choices"):
    text = RUNBOOK.format(inputs)
    if policy:
        text = text.replace("# Script", f"# Policy\n\n```yaml\n{policy}\n```\n\n# Script")
    return parse(text.encode())


def test_a_good_source():
    assert source().problems == ()
    assert source().runbook.policy.provides_choices
    assert list(source_problems(ITEM, LIVE, source())) == []


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (read("A: {type: x}"), "has errors"),
        (source(policy=""), "doesn't provide choices"),
        (source(policy="provides: choices\nconfirm: yes"), "must be confirmed"),
        (source("PVE: x"), "has no input STATE"),
        (source(f"{GOOD}\nZONE: x"), "needs its input ZONE"),
    ],
)
def test_what_keeps_a_runbook_from_providing_choices(document, text):
    (problem,) = source_problems(ITEM, LIVE, document)
    assert problem.code == "bad_choices_source"
    assert problem.params == {"variable": "NODE", "runbook": "Nodes.md"}
    assert text in problem.message


def test_a_source_without_inputs():
    problems = list(source_problems(ITEM, LIVE, source("")))
    assert [problem.hint for problem in problems] == ["It has no inputs"] * 2


def test_nothing_else_can_be_provided():
    (problem,) = source(policy="provides: numbers").errors
    assert problem.code == "bad_value"
