"""JSON values of a request become text or files, as the declared type wants them."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from runbook.core.document import Input, InputType
from runbook.core.inputs.values import FILE_FORM, FILE_LIMIT, GivenFile, GivenValues, coerce_values


def read(kind: InputType, value: Any) -> tuple[GivenValues, list[str]]:
    item = Input("NAME", "", 1, kind, typed=True, choices=("a", "b"))
    values, problems = coerce_values({"NAME": value}, [item])
    assert (values.refused == {"NAME"}) is bool(problems)
    return values, [problem.message for problem in problems]


def file_of(content: bytes, name: str = "app.yaml") -> dict[str, str]:
    return {"name": name, "content_base64": base64.b64encode(content).decode()}


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        (InputType.STRING, "010", "010"),
        (InputType.STRING, 5, "5"),
        (InputType.BOOLEAN, True, "true"),
        (InputType.BOOLEAN, False, "false"),
        (InputType.INTEGER, 5, "5"),
        (InputType.INTEGER, 5.0, "5"),
        (InputType.INTEGER, 5.5, "5.5"),
        (InputType.NUMBER, 5.0, "5.0"),
        (InputType.MULTICHOICE, ["a", "b"], "a,b"),
        (InputType.MULTICHOICE, [1, True], "1,true"),
        (InputType.MULTICHOICE, [], ""),
        (InputType.MULTICHOICE, "a,b", "a,b"),
        (InputType.JSON, {"b": [1, None, "é"], "a": {}}, '{"b":[1,null,"é"],"a":{}}'),
        (InputType.JSON, [], "[]"),
        (InputType.JSON, ' {"a": 1}\n', ' {"a": 1}\n'),
        (InputType.JSON, 5, "5"),
        (InputType.JSON, None, ""),
        (InputType.FILE, None, ""),
        (InputType.FILE, "", ""),
    ],
)
def test_json_becomes_text(kind, value, text):
    assert read(kind, value) == (GivenValues({"NAME": text}), [])


@pytest.mark.parametrize(
    "kind", sorted(set(InputType) - {InputType.JSON, InputType.FILE, InputType.LIST})
)
@pytest.mark.parametrize("value", [{}, {"a": 1}, float("nan")])
def test_what_no_type_but_json_takes(kind, value):
    text = "The value of NAME must be a string, number, boolean or null"
    assert read(kind, value)[1] == [text]


def test_a_list_is_for_choices_and_json_only():
    assert read(InputType.STRING, ["a"])[1]
    assert coerce_values({"OLD": ["a"]}, [Input("OLD", "", 1)])[1]


@pytest.mark.parametrize("value", [["a,b"], [""], [None], [["a"]], ["a", {}]])
def test_what_cannot_be_in_a_list_of_choices(value):
    (message,) = read(InputType.MULTICHOICE, value)[1]
    assert message.startswith(
        "NAME must be a list of choices, none of them empty or containing a comma: "
    )


def deep() -> object:
    value: object = []
    for _ in range(100_000):
        value = [value]
    return value


@pytest.mark.parametrize("value", [[float("inf")], {"a": b"x"}, deep()])
def test_json_that_is_none(value):
    assert read(InputType.JSON, value)[1]


def test_a_file():
    values, problems = read(InputType.FILE, file_of(b"a: \0\xff"))
    assert problems == []
    assert values == GivenValues({}, {"NAME": GivenFile("app.yaml", b"a: \0\xff")})


@pytest.mark.parametrize("value", ["x", 5, [], {}, {"name": "x"}, file_of(b"") | {"more": 1}])
def test_what_is_no_file(value):
    item = Input("NAME", "", 1, InputType.FILE, typed=True)
    (problem,) = coerce_values({"NAME": value}, [item])[1]
    assert (problem.message, problem.hint) == ("NAME must be a file", FILE_FORM)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/b",
        "/etc/passwd",
        "a\\b",
        "a\0b",
        "a\nb",
        "\udc80",
        "x" * 256,
        "é" * 128,
        5,
    ],
)
def test_a_file_has_a_plain_name(name):
    value = file_of(b"x") | {"name": name}
    assert read(InputType.FILE, value)[1] == ["The file for NAME must have a plain name"]


@pytest.mark.parametrize("name", [".env", "a b.txt", "é.txt", "x" * 255])
def test_names_that_are_plain(name):
    assert read(InputType.FILE, file_of(b"x", name))[0].files["NAME"].name == name


@pytest.mark.parametrize("content", ["geheim", "YQ", "YQ==\n", "YQ==YQ==", "Y Q==", "_-8=", 5, "é"])
def test_content_is_strict_base64(content):
    (message,) = read(InputType.FILE, file_of(b"") | {"content_base64": content})[1]
    assert message == "The content of the file for NAME is not valid base64"


def test_a_file_has_a_largest_size():
    assert read(InputType.FILE, file_of(b"x" * FILE_LIMIT))[1] == []
    (message,) = read(InputType.FILE, file_of(b"x" * (FILE_LIMIT + 1)))[1]
    assert message == "The file for NAME is too large: 1048577 bytes (max: 1 MiB)"
