"""Inputs that are hidden unless conditions on inputs above hold."""

import pytest
from tests.unit.core.inputs.test_declarations import FIRST, read
from tests.unit.core.inputs.test_rows import resolve

from runbook.core.document import Document, InputType, Severity
from runbook.core.inputs.preflight import InputFacts, known_values, required_env
from runbook.core.inputs.values import GivenFile, GivenValues

BLOCK = """\
MODE: {type: choice, choices: [dhcp, static], default: dhcp}
ADDRESS: {type: cidr, show_if: inputs.MODE == static}
GATEWAY:
  type: ip
  default: 192.0.2.1
  show_if:
    - inputs.MODE != dhcp
    - inputs.ADDRESS != ""
"""


def test_a_hidden_input_is_not_required_and_has_no_value():
    inputs, problems = resolve(BLOCK, {})
    assert problems == []
    assert inputs.values == {"MODE": "dhcp"}
    assert inputs.hidden == {"ADDRESS", "GATEWAY"}


def test_a_shown_one_is_like_any_other():
    _, problems = resolve(BLOCK, {"MODE": "static"})
    assert [(p.code, p.params["variable"]) for p in problems] == [("missing_input", "ADDRESS")]
    inputs, problems = resolve(BLOCK, {"MODE": "static", "ADDRESS": "192.0.2.7/24"})
    assert problems == []
    assert inputs.values["GATEWAY"] == "192.0.2.1"


@pytest.mark.parametrize("value", ["192.0.2.7/24", "nonsense"])
def test_what_is_given_for_a_hidden_input_is_not_used_and_a_warning_says_so(value):
    inputs, problems = resolve(BLOCK, {"ADDRESS": value})
    assert "ADDRESS" not in inputs.values | inputs.shown
    (problem,) = problems
    assert (problem.code, problem.severity) == ("input_hidden", Severity.WARNING)
    assert problem.params["variable"] == "ADDRESS"


def test_the_environment_of_the_server_counts_as_little():
    inputs, problems = resolve(BLOCK, {}, supplied={"ADDRESS": "192.0.2.7/24"})
    assert (dict(inputs.values), problems) == ({"MODE": "dhcp"}, [])


def test_a_hidden_file_is_not_used():
    block = "MODE: {type: string}\nCONFIG: {type: file, show_if: inputs.MODE == x}"
    declared = read(block).inputs
    given = GivenValues({"MODE": "y"}, {"CONFIG": GivenFile("a", b"")})
    inputs, problems = resolve_given(declared, given)
    assert (dict(inputs.files), [p.code for p in problems]) == ({}, ["input_hidden"])


def resolve_given(declared, given):
    from runbook.core.inputs.preflight import resolve_inputs

    return resolve_inputs(declared, given, InputFacts())


def test_a_hidden_input_is_missing_from_no_server():
    document: Document = read(BLOCK)
    assert required_env(document, InputFacts()).missing == ()
    found = required_env(document, InputFacts(supplied={"MODE": "static"}))
    assert [item.name for item in found.missing] == ["ADDRESS"]


def test_values_that_are_known_so_far():
    declared = read(BLOCK).inputs
    assert known_values(declared, GivenValues({"ADDRESS": "x"}), InputFacts()) == {"MODE": "dhcp"}
    given = GivenValues({"MODE": "static", "ADDRESS": "x"})
    assert known_values(declared, given, InputFacts()) == {
        "MODE": "static",
        "ADDRESS": "x",
        "GATEWAY": "192.0.2.1",
    }


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("inputs.LATER == x", "undeclared_input"),
        ("inputs.NAME == x", "undeclared_input"),
        ("inputs.KEY == x", "input_not_shown"),
        ("outputs.X == x", "bad_value"),
        ("inputs.FIRST", "bad_value"),
        ("[]", "bad_value"),
    ],
)
def test_what_a_condition_cannot_use(condition, code):
    found = read(
        "FIRST: {type: string}\nKEY: {type: secret}\n"
        f"NAME: {{type: string, show_if: {condition}}}\nLATER: {{type: string}}"
    )
    (problem,) = found.errors
    assert (problem.code, problem.line) == (code, FIRST + 2)


def test_a_condition_on_an_input_of_any_other_type():
    for kind in set(InputType) - {InputType.SECRET, InputType.FILE}:
        more = ", choices: [a]" if kind in {InputType.CHOICE, InputType.MULTICHOICE} else ""
        more = ", items: {A: x}" if kind is InputType.LIST else more
        more = ", kind: ssh" if kind is InputType.CONNECTION else more
        block = f"A: {{type: {kind}{more}}}\nB: {{type: string, show_if: inputs.A == a}}"
        assert read(block).problems == ()
