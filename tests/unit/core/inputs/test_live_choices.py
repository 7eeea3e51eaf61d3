"""Choices from runbooks that are run for them: declared, asked for, read."""

import json

import pytest
from tests.unit.core.inputs.test_declarations import FIRST, read
from tests.unit.core.inputs.test_rows import resolve

from runbook.core.document import DEFAULT_TTL_SECONDS, Input, InputType, LiveChoices
from runbook.core.inputs.choices import choices_not_allowed, choices_not_found
from runbook.core.inputs.live_choices import (
    MOST_CHOICES,
    Choice,
    asked_values,
    choices_failed,
    choices_lacking,
    lacking_inputs,
    read_output,
)
from runbook.core.inputs.preflight import known_row
from runbook.core.inputs.values import GivenValues

ONE = Input("NODE", "", 4, InputType.CHOICE, typed=True)
SEVERAL = Input("NODES", "", 4, InputType.MULTICHOICE, typed=True)
ABOVE = "SERVER: {type: string}\nKEY: {type: secret}\n"


def live(text):
    found = read(f"{ABOVE}NODE: {{type: choice, choices_from: {text}}}")
    assert found.problems == ()
    return found.inputs[2].live


# -- declaring -----------------------------------------------------------------------------------


def test_every_key():
    found = live(
        "{runbook: Nodes.md, inputs: {PVE: SERVER}, values: {STATE: online}, ttl: 1m, strict: true}"
    )
    assert found == LiveChoices("Nodes.md", {"PVE": "SERVER"}, {"STATE": "online"}, 60.0, True)


def test_the_shortest_form_and_a_list_of_inputs():
    assert live("{runbook: Nodes.md}") == LiveChoices("Nodes.md", ttl_s=DEFAULT_TTL_SECONDS)
    assert live("{runbook: N.md, inputs: [SERVER]}").inputs == {"SERVER": "SERVER"}
    assert live("{runbook: N.md, ttl: 0}").ttl_s == 0


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{inputs: {PVE: SERVER}}", "bad_value"),
        ("{runbook: Nodes}", "bad_value"),
        ("{runbook: [Nodes.md]}", "bad_value"),
        ("{runbook: N.md, inputs: {PVE: NODE}}", "undeclared_input"),
        ("{runbook: N.md, inputs: {PVE: LATER}}", "undeclared_input"),
        ("{runbook: N.md, inputs: {PVE: KEY}}", "input_not_shown"),
        ("{runbook: N.md, inputs: {PVE: [SERVER]}}", "bad_value"),
        ("{runbook: N.md, inputs: SERVER}", "bad_value"),
        ("{runbook: N.md, inputs: [[SERVER]]}", "bad_value"),
        ("{runbook: N.md, values: [X]}", "bad_value"),
        ("{runbook: N.md, inputs: {A: SERVER}, values: {A: x}}", "bad_value"),
        ("{runbook: N.md, ttl: 2d}", "bad_value"),
        ("{runbook: N.md, ttl: soon}", "bad_value"),
        ("{runbook: N.md, strict: maybe}", "bad_value"),
        ("{runbook: N.md, outputs: X}", "unknown_key"),
    ],
)
def test_what_cannot_be_declared(text, code):
    found = read(f"{ABOVE}NODE: {{type: choice, choices_from: {text}}}\nLATER: {{type: string}}")
    (problem,) = found.errors
    assert (problem.code, problem.line) == (code, FIRST + 2)


def test_a_field_can_use_those_to_its_left_and_the_inputs_above():
    source = "choices_from: {runbook: B.md, inputs: [SERVER, ZONE]}"
    items = f"{{ZONE: {{type: string}}, BRIDGE: {{type: choice, {source}}}}}"
    assert read(f"{ABOVE}NICS: {{type: list, items: {items}}}").problems == ()
    items = f"{{BRIDGE: {{type: choice, {source}}}, ZONE: {{type: string}}}}"
    (problem,) = read(f"{ABOVE}NICS: {{type: list, items: {items}}}").errors
    assert (problem.code, problem.params["variable"]) == ("undeclared_input", "ZONE")


# -- asking --------------------------------------------------------------------------------------

LIVE = LiveChoices("Nodes.md", {"PVE": "SERVER", "POOL": "POOL"}, {"STATE": "online"})
THEIRS = (
    Input("PVE", "", 1),
    Input("POOL", "", 2, optional=True),
    Input("STATE", "", 3),
)


def test_inputs_without_a_value_are_not_passed():
    assert asked_values(LIVE, {"SERVER": "a", "POOL": ""}) == {"PVE": "a", "STATE": "online"}


def test_only_what_the_runbook_needs_is_lacking():
    assert lacking_inputs(LIVE, {}, THEIRS) == ("SERVER",)
    assert lacking_inputs(LIVE, {"SERVER": "a"}, THEIRS) == ()


def test_a_row_hides_the_inputs_of_its_fields():
    fields = (
        Input("ZONE", "", 1, typed=True),
        Input("MODEL", "", 2, typed=True, default="virtio"),
    )
    known = known_row(fields, GivenValues({"ZONE": ""}), {"SERVER": "a", "ZONE": "outer"})
    assert known == {"SERVER": "a", "MODEL": "virtio"}


# -- reading -------------------------------------------------------------------------------------


def test_choices_are_texts_numbers_or_objects():
    printed = [
        "a",
        7,
        {"value": "b", "label": "B", "description": "The second"},
        {"value": 8, "label": " "},
        "a",
        "x\ny",
    ]
    assert read_output(ONE, json.dumps(printed)) == (
        Choice("a", "a"),
        Choice("7", "7"),
        Choice("b", "B", "The second"),
        Choice("8", "8"),
    )


def test_choices_may_be_lines():
    assert read_output(ONE, "a\n  b \n\na, b\n") == (
        Choice("a", "a"),
        Choice("b", "b"),
        Choice("a, b", "a, b"),
    )
    assert read_output(ONE, " \n") == ()


def test_commas_separate_several_choices():
    assert read_output(SEVERAL, '["a,b", "c"]') == (Choice("c", "c"),)


@pytest.mark.parametrize(
    "text",
    [
        "[1,",
        '{"a": 1}',
        "[null]",
        "[true]",
        '[{"label": "x"}]',
        '[""]',
        f'["{"x" * 2000}"]',
        f"[{10**30}]",
        json.dumps(list(range(MOST_CHOICES + 1))),
    ],
)
def test_what_is_no_list_of_choices(text):
    assert read_output(ONE, text) is None


# -- valid values --------------------------------------------------------------------------------

STRICT = (
    "SERVER: {type: string}\n"
    "NODE: {type: choice, choices_from: {runbook: N.md, inputs: [SERVER], strict: STRICT}}\n"
    "NICS:\n  type: list\n  optional: true\n  items:\n"
    "    BRIDGE: {type: choice, choices_from: {runbook: B.md, inputs: [NODE], strict: STRICT}}\n"
)


def ask(item, source, above):
    asked = asked_values(source, above)
    found = {"N.md": {"SERVER": "a"}, "B.md": {"NODE": "n1"}}[source.ref] == asked
    return ("n1", "n2") if found else choices_failed(item, source.ref, "it is broken")


def test_strict_choices_are_the_only_valid_values():
    block = STRICT.replace("STRICT", "true")
    good = {"SERVER": "a", "NODE": "n1", "NICS": [{"BRIDGE": "n2"}]}
    assert resolve(block, good, live=ask)[1] == []
    (problem,) = resolve(block, {**good, "NICS": [{"BRIDGE": "x"}]}, live=ask)[1]
    assert (problem.code, problem.params["field"]) == ("bad_input_value", "BRIDGE")
    found = [problem.code for problem in resolve(block, {**good, "SERVER": "b"}, live=ask)[1]]
    assert found == ["choices_failed"]
    found = [problem.code for problem in resolve(block, {**good, "NODE": "n2"}, live=ask)[1]]
    assert found == ["choices_failed"]


def test_other_choices_are_suggestions():
    block = STRICT.replace("STRICT", "false")
    given = {"SERVER": "b", "NODE": "else", "NICS": [{"BRIDGE": "any"}]}
    assert resolve(block, given, live=ask)[1] == []


def test_without_anyone_to_ask_any_value_is_valid():
    block = STRICT.replace("STRICT", "true")
    assert resolve(block, {"SERVER": "b", "NODE": "else"})[1] == []


def test_problems_name_input_and_runbook():
    for problem in (
        choices_lacking(ONE, LIVE.ref, ("SERVER",)),
        choices_failed(ONE, LIVE.ref, "it is broken"),
        choices_not_allowed(ONE, LIVE, ()),
        choices_not_found(ONE, LIVE),
    ):
        assert problem.params["variable"] == "NODE"
        assert problem.params["runbook"] == "Nodes.md"
