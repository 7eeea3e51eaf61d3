"""What a runbook may declare of an input, and what is an error, with its line and what to do."""

from __future__ import annotations

import pytest

from runbook.core.document import (
    ChoicesSource,
    Document,
    Input,
    InputType,
    SecretKind,
    SecretSource,
)
from runbook.core.environ import SECRET_FILES, SETTING_NAMES
from runbook.core.language.parse import parse
from runbook.settings import FIELDS

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
FIRST = 6
"""The line of the block's first line."""


def read(block: str) -> Document:
    return parse(RUNBOOK.format(block).encode())


def declared(keys: str) -> Input:
    found = read(f"NAME: {{{keys}}}")
    assert found.problems == ()
    return found.inputs[0]


def test_every_key():
    found = read(
        """\
SIZE:
  label: Size of  the machine
  description: How large.
  type: choice
  choices: [small, "two, three"]
  default: small
  example: two, three
  group: Machine
  optional: true
PORT: {type: integer, min: 1, max: 65535}
TAG: {type: string, pattern: '[a-z]+', min: 2}
PASSWORD: {type: secret, from: file:db/password}
KEY: {type: secret, from: "env:API_KEY"}
"""
    )
    assert found.problems == ()
    size, port, tag, password, key = found.inputs
    assert size == Input(
        "SIZE",
        "How large.",
        6,
        InputType.CHOICE,
        typed=True,
        default="small",
        optional=True,
        choices=("small", "two, three"),
        group="Machine",
        label="Size of the machine",
        example="two, three",
    )
    assert (port.minimum, port.maximum) == ("1", "65535")
    assert (tag.pattern, tag.minimum) == ("[a-z]+", "2")
    assert password.source == SecretSource(SecretKind.FILE, "db/password")
    assert key.source == SecretSource(SecretKind.ENV, "API_KEY")


@pytest.mark.parametrize("kind", InputType)
def test_every_type(kind):
    more = ", choices: [a]" if kind in {InputType.CHOICE, InputType.MULTICHOICE} else ""
    more = ", items: {A: x}" if kind is InputType.LIST else more
    more += ", kind: proxmox" if kind is InputType.CONNECTION else ""
    assert declared(f"type: {kind}{more}").type is kind


@pytest.mark.parametrize("text", ["a, b", "[a, b]", "[a, 'b']"])
def test_choices_are_a_list_or_text_with_commas(text):
    text = text if text.startswith("[") else f'"{text}"'
    assert declared(f"type: multichoice, choices: {text}").choices == ("a", "b")


@pytest.mark.parametrize("output", ["NAMES", "site-names.v2"])
@pytest.mark.parametrize("text", ["sites/List.md#{}", "{{runbook: sites/List.md, output: {}}}"])
def test_choices_that_another_runbook_finds_out(text, output):
    block = f"NAME:\n  type: choice\n  default: x\n  choices_from: {text.format(output)}"
    assert read(block).inputs[0].choices_from == ChoicesSource("sites/List.md", output)
    assert read(block).problems == ()


PROBLEMS = [
    ("{patern: x}", "Unknown key 'patern'", "Did you mean pattern?"),
    ("{type: interger}", "NAME: unknown type 'interger'", "Did you mean integer?"),
    ("{description: [x]}", "NAME: 'description' must be text", None),
    ("{min: {a: b}}", "NAME: 'min' must be text", None),
    # -- keys that do not fit
    (
        "{type: integer, choices: [1]}",
        "NAME: 'choices' is not supported for type integer",
        "Supported types: choice, multichoice",
    ),
    (
        "{type: boolean, pattern: x}",
        "NAME: 'pattern' is not supported for type boolean",
        "Supported types: text, string, secret, hostname, url",
    ),
    (
        "{type: ip, min: 1}",
        "NAME: 'min' is not supported for type ip",
        "Supported types: text, string, integer, number, multichoice, secret, duration, list",
    ),
    ("{type: json, max: 1}", "NAME: 'max' is not supported for type json", "Supported types: text"),
    (
        "{type: text, from: 'env:X'}",
        "NAME: 'from' is not supported for type text",
        "Supported types: secret",
    ),
    (
        "{type: file, default: x}",
        "NAME: 'default' is not supported for type file",
        "Supported types: text",
    ),
    (
        "{type: text, choices_from: A.md#X}",
        "NAME: 'choices_from' is not supported for type text",
        "Supported types: choice, multichoice",
    ),
    # -- choices
    ("{type: choice}", "NAME must have either 'choices' or 'choices_from'", "choices: small"),
    (
        "{type: choice, choices: [a], choices_from: A.md#X}",
        "NAME must have either 'choices' or 'choices_from'",
        "",
    ),
    ("{type: choice, choices: []}", "NAME: 'choices' must be a list of strings", "small, large"),
    ("{type: choice, choices: [[a]]}", "NAME: 'choices' must be a list of strings", ""),
    ("{type: choice, choices: {a: b}}", "NAME: 'choices' must be a list of strings", ""),
    ("{type: choice, choices: 'a,,b'}", "NAME: 'choices' must be a list of strings", ""),
    ("{type: choice, choices: [a, a]}", "NAME: duplicate choice 'a'", "Remove"),
    (
        "{type: multichoice, choices: ['a,b']}",
        "NAME: the choice 'a,b' contains a comma or a line break",
        "separated by commas",
    ),
    (
        '{type: multichoice, choices: ["a\\nb"]}',
        "NAME: the choice 'a\\nb' contains a comma or a line break",
        "",
    ),
    *(
        (
            f"{{type: choice, choices_from: {source}}}",
            "NAME: 'choices_from' must name a runbook and one of its outputs",
            "Ref.md#OUTPUT",
        )
        for source in (
            "A.md",
            "A#X",
            "A.md#x/y",
            "[A.md]",
            "{runbook: A.md, output: [X]}",
            "{runbook: A.md, output: X, more: Y}",
        )
    ),
    # -- patterns
    (
        "{pattern: '[a-'}",
        "NAME: 'pattern' is not a valid regular expression: unterminated",
        "single quotes",
    ),
    ("{pattern: '(?u)x'}", "NAME: 'pattern' is not a valid regular expression: ASCII and", ""),
    (f"{{pattern: {'x' * 501}}}", "NAME: 'pattern' is longer than 500 characters", "script"),
    ("{pattern: 'x{9999999999999}'}", "NAME: 'pattern' is not a valid regular expression: ", ""),
    (
        "{pattern: '[[a-z]]'}",
        "NAME: 'pattern' is not a valid regular expression: Possible nested",
        "",
    ),
    (
        "{pattern: '(a+)+b'}",
        "NAME: 'pattern' has nested repetition, which can take forever to match",
        "[a-z]+(-[a-z]+)*",
    ),
    # -- bounds
    ("{type: integer, min: 1.5}", "NAME: 'min' must be an integer: '1.5'", "For example: 5"),
    ("{type: number, max: x}", "NAME: 'max' must be a number: 'x'", ""),
    ("{type: duration, max: x}", "NAME: 'max' must be a duration: 'x'", ""),
    ("{type: string, min: -1}", "NAME: 'min' must be a number of characters: '-1'", ""),
    (
        "{type: multichoice, choices: [a], min: a}",
        "NAME: 'min' must be a number of choices: 'a'",
        "",
    ),
    ("{type: integer, min: 2, max: 1}", "NAME: 'min' is greater than 'max'", "Swap"),
    ("{type: duration, min: 2m, max: 119s}", "NAME: 'min' is greater than 'max'", ""),
    # -- own values
    (
        "{type: integer, default: abc}",
        "NAME: 'default' is not a valid value: NAME must be an integer: 'abc'",
        None,
    ),
    (
        "{type: choice, choices: [full, fast], default: ful}",
        "NAME: 'default' is not a valid value: NAME must be one of full, fast: 'ful'",
        "Did you mean full?",
    ),
    (
        "{type: integer, min: 1, example: 0}",
        "NAME: 'example' is not a valid value: NAME must be at least 1: '0'",
        None,
    ),
    (
        "{type: integer, default: }",
        "NAME: 'default' is not a valid value: NAME must be an integer: ''",
        None,
    ),
    (
        "{type: secret, min: 9, default: geheim}",
        "NAME: 'default' is not a valid value: NAME must have at least 9 characters",
        None,
    ),
    # -- secrets
    *(
        (f"{{type: secret, from: '{source}'}}", text, hint)
        for source, text, hint in (
            ("vault:x", "NAME: 'from' must be env:NAME or file:NAME", "Use env:NAME"),
            ("PASSWORD", "NAME: 'from' must be env:NAME or file:NAME", ""),
            ("env:1X", "NAME: 'from' must have a valid environment variable name", "Use env:NAME"),
            ("env:JWT_SECRET", "NAME: runbooks can't read JWT_SECRET", "used by the engine"),
            ("env:DATA_DIR", "NAME: runbooks can't read DATA_DIR", ""),
            ("env:RUNBOOK_TOKEN", "NAME: runbooks can't read RUNBOOK_TOKEN", ""),
            *(
                (
                    f"file:{name}",
                    "NAME: 'from' must have the name of a file below SECRETS_DIR",
                    "starting",
                )
                for name in ("", "..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", ".x", "a b")
            ),
        )
    ),
]


@pytest.mark.parametrize(("keys", "message", "hint"), PROBLEMS)
def test_what_cannot_be_declared(keys, message, hint):
    found = read(f"OTHER: x\nNAME: {keys}")
    assert found.runbook is None
    (problem,) = found.errors
    assert problem.message.startswith(message)
    assert problem.line == FIRST + 1
    assert problem.hint is None if hint is None else hint in (problem.hint or "")


def test_a_problem_stands_on_the_line_of_its_key():
    found = read("NAME:\n  type: integer\n  min: 5\n  default: 1\n  pattern: x")
    assert [problem.line for problem in found.errors] == [FIRST + 4]
    found = read("NAME:\n  type: integer\n  min: 5\n  default: 1")
    assert [problem.line for problem in found.errors] == [FIRST + 3]


def test_a_secrets_default_is_in_no_problem():
    found = read("NAME: {type: secret, pattern: '[0-9]+', default: geheim, example: geheim}")
    assert len(found.errors) == 2
    assert "geheim" not in str(found.problems)


def test_a_default_is_not_held_against_choices_that_are_not_known():
    assert read("NAME: {type: choice, choices_from: A.md#X, default: x}").problems == ()


def test_an_empty_default_is_one_for_text():
    assert declared("type: string, default: ''").default == ""


def test_no_secret_comes_from_a_setting_of_the_server():
    """Where this fails, name the new settings in SETTING_NAMES."""
    assert {name.upper() for name in FIELDS} | SECRET_FILES == SETTING_NAMES
