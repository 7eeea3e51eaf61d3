"""`execute --ask`: what somebody is asked for, and what becomes of the answers."""

import click
import pytest
from click.testing import CliRunner

from runbook.cli.terminal.asking import ask_missing
from runbook.core.inputs.schema import input_schema
from runbook.core.language.parse import parse

RUNBOOK = """# Demo

# Environment Requirements

```yaml
{}
```

# File System Requirements

```yaml
```

# Script

```bash
true
```

# History
"""
NICS = """\
NICS:
  type: list
  max: 2
  items:
    BRIDGE: {type: choice, choices_from: {runbook: B.md}}
    VLAN: {type: integer, optional: true}
    MODEL: {type: choice, choices: [virtio, e1000], default: virtio}
    QUEUES: {type: integer, show_if: inputs.MODEL == virtio}
"""
NODE = "NODE: {type: choice, choices_from: {runbook: N.md, strict: STRICT}}"


class FakeForm:
    """Without a source, `offered` are the choices; `wrong` maps values to problems."""

    def __init__(self, inputs, *, offered=("n1", "n2"), available=(), wrong=()):
        document = parse(RUNBOOK.format(inputs).encode())
        assert document.problems == ()
        self._schema = input_schema(document, schema_id="http://x/A.md/inputs", choices={})
        self._available = available
        self._offered = offered
        self._wrong = wrong
        self.asked = []

    def schema(self):
        return self._schema

    def available(self):
        return self._available

    def choices(self, path, values, row):
        self.asked.append((path, dict(values), None if row is None else dict(row)))
        problem = None if self._offered else {"message": "no route to host"}
        return {
            "problem": problem,
            "choices": [
                {"value": value, "label": value.upper(), "description": "a thing"}
                for value in self._offered
            ],
        }

    def problems(self, values):
        return [
            {"severity": "error", "message": "is wrong", "params": {"variable": name}}
            for name, value in values.items()
            if value in self._wrong
        ]


def ask(inputs, *answers, given=None, **parts):
    """The values, the form, and what was printed."""
    form = FakeForm(inputs, **parts)
    found = {}

    @click.command()
    def command():
        found.update(ask_missing(form, given or {}))

    done = CliRunner().invoke(command, input="".join(f"{answer}\n" for answer in answers))
    assert done.exit_code == 0, done.output
    return found, form, done.output


def test_only_required_inputs_without_a_value_are_asked_for():
    inputs = (
        "A: {type: string}\nB: {type: string}\nC: {type: string}\n"
        "D: {type: string, default: d}\nE: {type: string, optional: true}"
    )
    values, _, output = ask(inputs, "c", given={"A": "a"}, available=("B", "D"))
    assert values == {"A": "a", "C": "c"}
    assert output.count("C") > 0


def test_an_empty_answer_is_none():
    values, _, output = ask("A: {type: string, description: What for}", "", "x")
    assert values == {"A": "x"}
    assert "What for" in output


@pytest.mark.parametrize(("answer", "value"), [("2", "n2"), ("n1", "n1"), ("n9", "n9"), ("9", "9")])
def test_a_choice_is_its_number_or_any_value(answer, value):
    values, form, output = ask(NODE.replace("STRICT", "false"), answer)
    assert values == {"NODE": value}
    assert form.asked == [("NODE", {}, None)]
    assert "1) n1  N1  - a thing" in output


def test_strict_choices_are_asked_for_again():
    values, _, output = ask(NODE.replace("STRICT", "true"), "n9", "2")
    assert values == {"NODE": "n2"}
    assert "n9 is not one of the choices" in output


def test_without_choices_a_value_can_be_typed():
    values, _, output = ask(NODE.replace("STRICT", "true"), "n9", offered=())
    assert values == {"NODE": "n9"}
    assert "no route to host" in output


def test_a_choice_that_is_a_number_means_itself():
    inputs = "A: {type: choice, choices: ['2', '1']}"
    assert ask(inputs, "2")[0] == {"A": "2"}


def test_several_choices():
    inputs = "A: {type: multichoice, choices: [x, y, z]}"
    assert ask(inputs, "1, z")[0] == {"A": ["x", "z"]}


def test_what_is_not_valid_is_asked_for_again():
    values, _, output = ask("A: {type: integer}", "x", "7", wrong=("x",))
    assert values == {"A": "7"}
    assert "is wrong" in output


def test_hidden_inputs_are_not_asked_for():
    inputs = (
        "MODE: {type: choice, choices: [a, b]}\n"
        "FLAG: {type: boolean, default: 'true'}\n"
        "A: {type: string, show_if: inputs.MODE == a}\n"
        "B: {type: string, show_if: [inputs.MODE == b, inputs.FLAG == true]}\n"
        "C: {type: string, show_if: inputs.FLAG != true}"
    )
    assert ask(inputs, "b", "x")[0] == {"MODE": "b", "B": "x"}


def test_a_secret_is_not_shown():
    values, _, output = ask("A: {type: secret}", "geheim")
    assert values == {"A": "geheim"}
    assert "geheim" not in output


def test_a_file_is_asked_for_by_its_path():
    assert ask("A: {type: file}", "x.yaml")[0] == {"A": "@x.yaml"}


def test_rows_are_asked_for_field_by_field():
    answers = ("1", "", "", "4", "y", "2", "7", "2")
    values, form, _ = ask(NICS, *answers)
    assert values["NICS"] == [
        {"BRIDGE": "n1", "MODEL": "virtio", "QUEUES": "4"},
        {"BRIDGE": "n2", "VLAN": "7", "MODEL": "e1000"},
    ]
    assert form.asked == [("NICS.BRIDGE", {}, {}), ("NICS.BRIDGE", {}, {})]


def test_a_list_may_have_no_rows():
    inputs = NICS.replace("max: 2", "min: 0")
    assert ask(inputs, "n")[0] == {"NICS": []}


def test_devices_are_chosen_or_selected():
    inputs = "A: {type: device}\nB: {type: devices}"
    assert ask(inputs, "2", "1, tag:core")[0] == {"A": "n2", "B": ["n1", "tag:core"]}
    assert ask(inputs, "edge-1", "all")[0] == {"A": "edge-1", "B": ["all"]}
