"""The schema of a runbook's inputs, held against the specification and against the engine."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.document import Document, Input, InputType
from runbook.core.inputs.preflight import InputFacts, coerce_values, resolve_inputs
from runbook.core.inputs.schema import DIALECT, input_schema
from runbook.core.inputs.types import INTEGER
from runbook.core.language.parse import parse
from runbook.core.syntax.durations import parse_duration

CASES = yaml.safe_load((Path(__file__).parents[3] / "data" / "input_values.yaml").read_text())
RUNBOOK = """# Deploy

# Environment Requirements

```yaml
OLD: Host name of the machine.
TITLE: {label: Short title, description: What for., example: weekly, group: General}
NOTE: {type: text, optional: true, max: 20}
COUNT: {type: integer, min: 1, max: 9, default: 3}
SHARE: {type: number, min: 0.5, example: 0.75}
FORCE: {type: boolean, default: "false"}
MODE: {type: choice, choices: [full, fast]}
SITE: {type: choice, choices_from: Sites.md#NAMES}
TAGS: {type: multichoice, choices: [a, b, c], min: 2, max: 3, default: "a,b"}
PASSWORD: {type: secret, from: file:db, default: geheim, min: 3}
CONFIG: {type: file}
WAIT: {type: duration, min: 1m, max: 1h, default: 5m}
NET: {type: cidr}
ADDRESS: {type: ip}
HOST: {type: hostname, pattern: '.*\\.example\\.com'}
LINK: {type: url}
EXTRA: {type: json, default: '{"a": [1]}'}
CODE: {type: string, pattern: '(?i)[a-z]+'}
```

# File System Requirements

```yaml
```

# Script

```sh
true
```

# History
"""
FILE = {"name": "a.txt", "content_base64": base64.b64encode(b"a\0").decode()}
VALID: dict[str, Any] = {
    "OLD": "",
    "TITLE": "x",
    "SHARE": 0.5,
    "MODE": "full",
    "SITE": "oslo",
    "PASSWORD": "abc",
    "CONFIG": FILE,
    "NET": "192.0.2.0/24",
    "ADDRESS": "2001:db8::7",
    "HOST": "a.example.com",
    "LINK": "https://example.com/?a=b",
    "CODE": "ABC",
}
SITES = ("oslo", "rome")


@pytest.fixture(scope="module")
def document() -> Document:
    found = parse(RUNBOOK.encode())
    assert found.errors == ()
    return found


@pytest.fixture(scope="module")
def schema(document: Document) -> Any:
    return input_schema(document, schema_id="http://x/inputs", choices={"SITE": SITES})


def allows(schema: object, instance: object) -> bool:
    validator = jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    return validator.is_valid(instance)


def faults(inputs: tuple[Input, ...], instance: object) -> list[str]:
    given, problems = coerce_values(instance, inputs)
    _, more = resolve_inputs(inputs, given, InputFacts(choices={"SITE": SITES}))
    return [problem.message for problem in (*problems, *more)]


def test_the_schema_is_one(schema):
    assert schema["$schema"] == DIALECT
    jsonschema_rs.meta.validate(schema)
    assert json.loads(json.dumps(schema)) == schema


def test_inputs_are_in_the_documents_order(document, schema):
    names = [item.name for item in document.inputs]
    assert list(schema["properties"]) == names
    assert [value["x-order"] for value in schema["properties"].values()] == [*range(1, 19)]
    assert schema["title"] == "Deploy"
    assert schema["additionalProperties"] is False
    assert set(names) - set(schema["required"]) == {
        "NOTE", "COUNT", "FORCE", "TAGS", "PASSWORD", "WAIT", "EXTRA",
    }  # fmt: skip


def test_the_pages_of_a_form(document, schema):
    general, other = (
        ["TITLE"],
        [item.name for item in document.inputs if item.name != "TITLE"],
    )
    assert schema["x-groups"] == [
        {"name": None, "inputs": other},
        {"name": "General", "inputs": general},
    ]


def test_a_form_of_groups_only():
    text = re.sub(
        r"```yaml\n.*?```", "```yaml\nA: {group: X}\n```", RUNBOOK, count=1, flags=re.DOTALL
    )
    found = input_schema(parse(text.encode()), schema_id="x", choices={})
    assert found["x-groups"] == [{"name": "X", "inputs": ["A"]}]


def test_what_a_form_needs_to_know(schema):
    of = schema["properties"]
    assert of["TITLE"] == {
        "title": "Short title",
        "description": "What for.",
        "examples": ["weekly"],
        "x-type": "string",
        "x-order": 2,
        "x-group": "General",
        "type": "string",
        "minLength": 1,
        "pattern": r"^[^\r\n\x00]*$",
    }
    assert of["COUNT"]["title"] == "COUNT"
    assert of["COUNT"].items() >= {"type": "integer", "minimum": 1, "maximum": 9}.items()
    assert (of["COUNT"]["default"], of["SHARE"]["examples"]) == (3, [0.75])
    assert (of["FORCE"]["default"], of["TAGS"]["default"]) == (False, ["a", "b"])
    assert of["EXTRA"]["default"] == {"a": [1]}
    assert (of["NOTE"]["maxLength"], "minLength" in of["OLD"]) == (20, False)
    assert (of["MODE"]["enum"], of["SITE"]["enum"]) == (["full", "fast"], ["oslo", "rome"])
    assert of["SITE"]["x-choices-from"] == "Sites.md#NAMES"
    assert (of["WAIT"]["x-minimum"], of["WAIT"]["x-maximum"]) == ("1m", "1h")
    assert (of["HOST"]["format"], of["LINK"]["format"]) == ("hostname", "uri")
    assert of["CONFIG"]["properties"]["content_base64"]["contentEncoding"] == "base64"
    assert of["HOST"]["pattern"] == r"^(?:.*\.example\.com)$"


def test_a_secret_says_that_it_is_one_and_no_more(schema):
    secret = schema["properties"]["PASSWORD"]
    assert (secret["writeOnly"], secret["x-from"]) == (True, "file")
    assert "geheim" not in json.dumps(schema)
    assert "db" not in json.dumps(secret)


def test_a_pattern_that_others_do_not_know_is_kept_apart(schema):
    code = schema["properties"]["CODE"]
    assert (code["x-pattern"], code["pattern"]) == ("(?i)[a-z]+", r"^[^\r\n\x00]*$")


def test_choices_that_are_not_known_are_left_open(document):
    site = input_schema(document, schema_id="x", choices={})["properties"]["SITE"]
    assert "enum" not in site


def test_json_texts_stay_texts():
    block = "A: {type: json, default: '\"x\"'}\nB: {type: json, example: 'null'}"
    found = parse(RUNBOOK.replace(RUNBOOK.split("```")[1], f"yaml\n{block}\n").encode())
    properties = input_schema(found, schema_id="x", choices={})["properties"]
    assert (properties["A"]["default"], properties["B"]["examples"]) == ('"x"', ["null"])


WRONG = [
    ("TITLE", ""),
    ("TITLE", "a\nb"),
    ("NOTE", "x" * 21),
    ("COUNT", 0),
    ("COUNT", 10),
    ("COUNT", 1.5),
    ("COUNT", True),
    ("SHARE", 0.4),
    ("MODE", "ful"),
    ("SITE", "bern"),
    ("TAGS", ["a"]),
    ("TAGS", ["a", "a"]),
    ("TAGS", ["a", "d"]),
    ("TAGS", ["a,b", "c"]),
    ("FORCE", "yes"),
    ("PASSWORD", "x"),
    ("CONFIG", "x"),
    ("CONFIG", FILE | {"name": "a/b"}),
    ("CONFIG", FILE | {"name": ".."}),
    ("CONFIG", FILE | {"content_base64": "YQ"}),
    ("CONFIG", FILE | {"more": 1}),
    ("WAIT", "soon"),
    ("WAIT", ""),
    ("NET", "192.0.2.0"),
    ("ADDRESS", "192.0.2.256"),
    ("HOST", "a_b.example.com"),
    ("HOST", "a.example.org"),
    ("LINK", "ftp://example.com"),
    ("LINK", "https://a:b@example.com"),
    ("OTHER", "x"),
    ("OLD", {}),
    ("OLD", ["a"]),
]
# The engine takes an empty text for what has a default; a form leaves it out.
LAX = [("WAIT", "")]


def test_a_valid_instance_is_valid_for_both(document, schema):
    assert allows(schema, VALID)
    assert faults(document.inputs, VALID) == []


@pytest.mark.parametrize("name", sorted(VALID))
def test_what_is_required_is_so_for_both(document, schema, name):
    if name == "PASSWORD":  # the server has it, or its default is taken
        return
    instance = {key: value for key, value in VALID.items() if key != name}
    assert not allows(schema, instance)
    assert faults(document.inputs, instance) == [f"Required environment variable not set: {name}"]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_invalid_instance_is_invalid_for_both(document, schema, name, value):
    instance = VALID | {name: value}
    assert not allows(schema, instance)
    assert bool(faults(document.inputs, instance)) is ((name, value) not in LAX)


def in_json(kind: InputType, text: str) -> object:
    """A value of the table as the JSON that the schema speaks of."""
    match kind:
        case InputType.BOOLEAN if text in {"true", "false"}:
            return text == "true"
        case InputType.INTEGER if re.fullmatch(INTEGER, text):
            return int(text)
        case InputType.INTEGER | InputType.NUMBER:
            try:
                return json.loads(text, parse_constant=str)
            except ValueError:
                return text
        case InputType.MULTICHOICE:
            return text.split(",")
    return text


ONLY_THE_ENGINE_KNOWS = ("999999d", "https://a:99999", "https://[1]")


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["declared"]))
def test_the_table_of_values_agrees(case):
    keys = json.dumps(case["declared"])
    block = RUNBOOK.split("```")[1]
    found = parse(RUNBOOK.replace(block, f"yaml\nNAME: {keys}\n").encode())
    (item,) = found.inputs
    schema = input_schema(found, schema_id="x", choices={})
    jsonschema_rs.meta.validate(schema)
    for text in [*case["valid"], *case.get("invalid", {})]:
        value = in_json(item.type, text)
        bounded = item.type is InputType.DURATION and parse_duration(text) is not None
        if item.type is InputType.JSON or bounded or text in ONLY_THE_ENGINE_KNOWS:
            continue
        assert allows(schema, {"NAME": value}) is (faults((item,), {"NAME": value}) == []), text


@settings(max_examples=100)
@given(st.data())
def test_whatever_the_schema_allows_the_engine_takes(document, schema, data):
    name = data.draw(st.sampled_from(sorted(schema["properties"])))
    if name in {"NOTE", "EXTRA", "WAIT", "CODE"}:  # bounds and patterns that the schema lacks
        return
    texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
    value = data.draw(
        st.none() | st.booleans() | st.integers() | st.floats() | texts | st.lists(texts)
    )
    instance = VALID | {name: value}
    if allows(schema, instance):
        assert faults(document.inputs, instance) == []


LISTS = """\
MODE: {type: choice, choices: [dhcp, static], default: dhcp}
ADDRESS: {type: cidr, show_if: inputs.MODE == static}
NOTE: {type: string, optional: true, show_if: inputs.MODE != static}
NICS:
  type: list
  max: 2
  items:
    ZONE: {type: choice, choices_from: Zones.md#ZONES}
    BRIDGE:
      type: choice
      choices_from: {runbook: Bridges.md, inputs: [MODE, ZONE], ttl: 1m, strict: true}
    VLAN: {type: integer, min: 1, required: false}
    UP: {type: boolean, default: "true", show_if: inputs.VLAN != ""}
  default: [{ZONE: z, BRIDGE: vmbr0, VLAN: 7}]
MANY: {type: list, min: 0, items: {A: x}}
"""


@pytest.fixture(scope="module")
def with_lists():
    old = re.search(r"```yaml\n(.*?)```", RUNBOOK, re.DOTALL)[1]
    found = parse(RUNBOOK.replace(old, LISTS).encode())
    assert found.problems == ()
    return found


@pytest.fixture(scope="module")
def list_schema(with_lists):
    known = {"NICS.ZONE": ("z", "y")}
    return input_schema(with_lists, schema_id="http://x/api/runbooks/D.md/inputs", choices=known)


def test_the_schema_of_lists_is_one(list_schema):
    jsonschema_rs.meta.validate(list_schema)


def test_what_is_shown_on_a_condition(list_schema):
    address, note = (list_schema["properties"][name] for name in ("ADDRESS", "NOTE"))
    assert address["x-show-if"] == [{"input": "MODE", "operator": "==", "value": "static"}]
    assert note["x-show-if"] == [{"input": "MODE", "operator": "!=", "value": "static"}]
    assert (address["x-required"], note.get("x-required")) == (True, None)
    assert list_schema["required"] == ["MANY"]


def test_the_fields_of_a_list(list_schema):
    nics = list_schema["properties"]["NICS"]
    assert (nics["type"], nics["maxItems"], nics.get("minItems")) == ("array", 2, None)
    assert nics["default"] == [{"ZONE": "z", "BRIDGE": "vmbr0", "VLAN": 7, "UP": True}]
    row = nics["items"]
    assert row["required"] == ["ZONE", "BRIDGE"]
    assert row["properties"]["ZONE"]["enum"] == ["z", "y"]
    assert row["properties"]["BRIDGE"]["x-choices"] == {
        "href": "/api/runbooks/D.md/choices/NICS.BRIDGE",
        "runbook": "Bridges.md",
        "inputs": ["MODE", "ZONE"],
        "strict": True,
        "ttl_seconds": 60.0,
    }
    assert "minItems" not in list_schema["properties"]["MANY"]


@pytest.mark.parametrize(
    ("rows", "valid"),
    [
        ([{"ZONE": "z", "BRIDGE": "b"}], True),
        ([], True),
        ([{"ZONE": "z", "BRIDGE": "b", "VLAN": 0}], False),
        ([{"ZONE": "z", "BRIDGE": "b", "UP": False, "VLAN": 3}], True),
        ([{"ZONE": "x", "BRIDGE": "b"}], False),
        ([{"ZONE": "z"}], False),
        ([{"ZONE": "z", "BRIDGE": "b", "X": 1}], False),
        ([{"ZONE": "z", "BRIDGE": "b"}] * 3, False),
        ("nonsense", False),
    ],
)
def test_the_schema_allows_what_the_engine_takes(list_schema, with_lists, rows, valid):
    instance = {"NICS": rows, "MANY": []}
    given, problems = coerce_values(instance, with_lists.inputs)
    facts = InputFacts(choices={"NICS.ZONE": ("z", "y")})
    _, more = resolve_inputs(with_lists.inputs, given, facts)
    assert ([*problems, *more] == []) is allows(list_schema, instance) is valid


def test_a_connection_names_its_kind_and_offers_those_that_can_be_used():
    cluster = Input("CLUSTER", "", 1, type=InputType.CONNECTION, kind="proxmox")
    item = Document("X", None, (), "", 0, None, inputs=(cluster,))
    made: Any = input_schema(item, schema_id="x", choices={"CLUSTER": ("lab-pve",)})
    shown = made["properties"]["CLUSTER"]
    assert (shown["x-kind"], shown["enum"]) == ("proxmox", ["lab-pve"])
