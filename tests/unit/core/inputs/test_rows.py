"""Lists: their rows are validated field by field, and reach the script as compact JSON."""

import json

import pytest
from tests.unit.core.inputs.test_declarations import FIRST, read

from runbook.core.inputs.preflight import InputFacts, coerce_values, resolve_inputs
from runbook.core.inputs.rows import MOST_PROBLEMS, ROWS_LIMIT

NICS = """\
KIND: {type: choice, choices: [vm, container], default: vm}
NICS:
  type: list
  max: 3
  items:
    BRIDGE: {type: string, pattern: 'vmbr[0-9]+', description: The bridge}
    VLAN: {type: integer, min: 1, max: 4094, required: false}
    RATE: {type: number, optional: true}
    MODEL: {type: choice, choices: [virtio, e1000], default: virtio}
    QUEUES: {type: integer, show_if: inputs.MODEL == virtio, optional: true}
    FIREWALL: {type: boolean, default: "true", show_if: inputs.KIND == container}
"""


def resolve(block, env_vars, **facts):
    """The values and the problems; coercion counts too."""
    declared = read(block).inputs
    assert read(block).problems == ()
    given, refused = coerce_values(env_vars, declared)
    inputs, problems = resolve_inputs(declared, given, InputFacts(**facts))
    return inputs, [*refused, *problems]


def rows(given, block=NICS, **others):
    inputs, problems = resolve(block, {"NICS": given, **others})
    assert problems == []
    return json.loads(inputs.values["NICS"])


def places(given, block=NICS, **others):
    """Of each problem: its code, and where it is."""
    _, problems = resolve(block, {"NICS": given, **others})
    assert all(problem.params["variable"] == "NICS" for problem in problems)
    return [(p.code, p.params.get("row"), p.params.get("field")) for p in problems]


@pytest.mark.parametrize("as_text", [False, True])
def test_a_value_is_an_array_or_its_text(as_text):
    given = [{"BRIDGE": "vmbr0", "VLAN": "10", "RATE": 0.5}, {"BRIDGE": "vmbr1", "MODEL": "e1000"}]
    assert rows(json.dumps(given) if as_text else given) == [
        {"BRIDGE": "vmbr0", "VLAN": 10, "RATE": 0.5, "MODEL": "virtio"},
        {"BRIDGE": "vmbr1", "MODEL": "e1000"},
    ]


def test_the_text_is_compact_and_may_be_shown():
    inputs, _ = resolve(NICS, {"NICS": [{"BRIDGE": "vmbr0"}]})
    assert inputs.values["NICS"] == '[{"BRIDGE":"vmbr0","MODEL":"virtio"}]'
    assert inputs.shown["NICS"] == inputs.values["NICS"]


@pytest.mark.parametrize("empty", [None, ""])
def test_an_empty_field_counts_as_not_set(empty):
    given = [{"BRIDGE": "vmbr0", "VLAN": empty, "MODEL": empty}]
    assert rows(given) == [{"BRIDGE": "vmbr0", "MODEL": "virtio"}]


def test_a_field_is_shown_by_fields_and_inputs_and_else_left_out():
    given = [{"BRIDGE": "vmbr0", "MODEL": "e1000", "QUEUES": "none", "FIREWALL": "none"}]
    assert rows(given) == [{"BRIDGE": "vmbr0", "MODEL": "e1000"}]
    (row,) = rows([{"BRIDGE": "vmbr0", "QUEUES": 4}], KIND="container")
    assert (row["QUEUES"], row["FIREWALL"]) == (4, True)


def test_a_field_hides_an_input_of_its_name():
    block = (
        "SIZE: {type: string}\n"
        "NICS: {type: list, items: {SIZE: {type: string, optional: true},"
        " MORE: {type: string, default: x, show_if: inputs.SIZE == big}}}"
    )
    assert rows([{}], block, SIZE="big") == [{}]
    assert rows([{"SIZE": "big"}], block, SIZE="no") == [{"SIZE": "big", "MORE": "x"}]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([{"VLAN": 1}], [("missing_input", 0, "BRIDGE")]),
        ([{"BRIDGE": "vmbr0"}, {"BRIDGE": "x"}], [("bad_input_value", 1, "BRIDGE")]),
        ([{"BRIDGE": "vmbr0", "VLAN": 5000}], [("bad_input_value", 0, "VLAN")]),
        ([{"BRIDGE": "vmbr0", "MODEL": "rtl"}], [("bad_input_value", 0, "MODEL")]),
        ([{"BRIDGE": "vmbr0", "VLAN": [1]}], [("bad_env_vars", 0, "VLAN")]),
        ([{"BRIDGE": "vmbr0\0"}], [("bad_value", 0, "BRIDGE")]),
        ([{"BRIDGE": "vmbr0", "VLANS": 1}], [("undeclared_input", 0, "VLANS")]),
        (["vmbr0"], [("bad_input_value", 0, None)]),
        ([{"BRIDGE": "vmbr0"}] * 4, [("bad_input_value", None, None)]),
        ([], [("bad_input_value", None, None)]),
        ("vmbr0", [("bad_input_value", None, None)]),
        ("{}", [("bad_input_value", None, None)]),
        ("[NaN]", [("bad_input_value", None, None)]),
        ({"BRIDGE": "vmbr0"}, [("bad_input_value", None, None)]),
        (None, [("missing_input", None, None)]),
    ],
)
def test_a_problem_names_row_and_field(given, expected):
    assert places(given) == expected


def test_the_message_names_them_too():
    _, problems = resolve(NICS, {"NICS": [{"BRIDGE": "vmbr0"}, {"BRIDGE": "vmbr0", "VLAN": 0}]})
    assert [problem.message for problem in problems] == ["NICS[1].VLAN must be at least 1: '0'"]


def test_what_is_no_list_is_told_how_its_rows_look():
    _, (problem,) = resolve(NICS, {"NICS": "BRIDGE=secret"})
    row = json.loads((problem.hint or "").removeprefix("Such as "))
    assert [[*one] for one in row] == [["BRIDGE", "VLAN", "RATE", "MODEL", "QUEUES", "FIREWALL"]]
    assert "secret" not in f"{problem.message} {problem.hint}"


def test_thousands_of_wrong_rows_are_as_many_problems_at_most():
    block = NICS.replace("max: 3", "max: 9999")
    assert len(places([{"BRIDGE": "x"}] * ROWS_LIMIT, block)) == MOST_PROBLEMS


@pytest.mark.parametrize("keys", ["", "max: 9999, "])
def test_no_list_has_thousands_of_rows(keys):
    block = f"NICS: {{type: list, {keys}items: {{A: x}}}}"
    assert places([{"A": "1"}] * ROWS_LIMIT, block) == []
    assert places([{"A": "1"}] * (ROWS_LIMIT + 1), block) == [("bad_input_value", None, None)]


def test_rows_with_their_defaults_are_no_longer_than_any_value():
    block = f"NICS: {{type: list, items: {{A: {{type: string, default: {'x' * 500}}}}}}}"
    _, (problem,) = resolve(block, {"NICS": [{}] * 200})
    assert problem.code == "value_too_long"


def test_a_hidden_value_is_in_no_problem():
    given = {"NICS": [{"BRIDGE": "geheim", "VLAN": "geheim"}]}
    _, problems = resolve(NICS, given, hidden=frozenset({"NICS"}))
    assert len(problems) == 2
    assert "geheim" not in str(problems)


@pytest.mark.parametrize(
    ("keys", "fewest"),
    [("", 1), ("min: 0, ", 0), ("min: 2, ", 2), ("optional: true, ", 0), ("default: '[]', ", 0)],
)
def test_how_many_rows_there_must_be(keys, fewest):
    block = f"NICS: {{type: list, {keys}items: {{A: x}}}}"
    for count in range(3):
        assert (places([{"A": "1"}] * count, block) == []) is (count >= fewest)


def test_the_default_may_be_written_as_yaml_or_json_and_has_the_defaults_of_its_fields():
    for text in ("[{A: x}]", '\'[{"A": "x"}]\''):
        items = "{A: {type: string}, B: {type: integer, default: '2'}}"
        block = f"NICS: {{type: list, items: {items}, default: {text}, example: {text}}}"
        (item,) = read(block).inputs
        assert item.default == item.example == '[{"A":"x","B":2}]'
        assert rows(None, block) == [{"A": "x", "B": 2}]


def test_a_default_may_set_a_field_that_another_input_shows():
    (_, item) = read(f"{NICS}  default: [{{BRIDGE: vmbr0, FIREWALL: false}}]").inputs
    assert '"FIREWALL":false' in item.default


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("type: list", "bad_input"),
        ("type: list, items: x", "bad_value"),
        ("type: list, items: {}", "bad_value"),
        ("type: list, items: {'1': x}", "bad_input_name"),
        ("type: string, items: {A: x}", "bad_input"),
        ("type: list, items: {A: {type: secret}}", "bad_input"),
        ("type: list, items: {A: {type: file}}", "bad_input"),
        ("type: list, items: {A: {type: list, items: {B: x}}}", "bad_input"),
        ("type: list, items: {A: {type: strin}}", "unknown_input_type"),
        ("type: list, items: {A: x}, default: [{B: x}]", "bad_input"),
        ("type: list, items: {A: x}, default: {A: x}", "bad_input"),
        ("type: list, items: {A: x}, min: x", "bad_input"),
        ("type: list, items: {A: x}, pattern: x", "bad_input"),
        ("type: string, default: [x]", "bad_input"),
        ("type: string, optional: true, required: false", "bad_input"),
        ("type: string, required: x", "bad_input"),
        ("type: string, required: [x]", "bad_input"),
    ],
)
def test_what_cannot_be_declared(keys, code):
    (problem,) = read(f"OTHER: x\nNAME: {{{keys}}}").errors
    assert (problem.code, problem.line) == (code, FIRST + 1)


def test_a_problem_of_a_field_names_list_and_field():
    (problem,) = read("NICS: {type: list, items: {KEY: {type: secret}}}").errors
    assert problem.params == {"variable": "NICS.KEY", "key": "type", "type": "secret"}


def test_fields_can_have_names_that_variables_cannot():
    assert rows([{"PATH": "x"}], "NICS: {type: list, items: {PATH: Where it is.}}") == [
        {"PATH": "x"}
    ]
