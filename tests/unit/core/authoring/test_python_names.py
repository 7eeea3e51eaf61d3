"""Which environment variables a Python script reads, by its text."""

import pytest

from runbook.core.authoring.python_names import python_names


def names(source):
    return {use.name for use in python_names(source).uses}


@pytest.mark.parametrize(
    "source",
    [
        'import os\nos.environ["HOST"]',
        'from os import environ\nenviron["HOST"]',
        'os.environ.get("HOST")',
        'os.environ.pop("HOST")',
        'os.getenv("HOST")',
        'getenv("HOST")',
    ],
)
def test_a_read_variable_is_found(source):
    found = python_names(source)
    assert names(source) == {"HOST"}
    assert not found.indirect
    assert found.error is None


@pytest.mark.parametrize(
    "source",
    [
        'os.environ.get("HOST", "x")',
        'os.getenv("HOST", default="x")',
        'settings["HOST"]',
        'settings.get("HOST")',
        'other.getenv("HOST")',
        '"$HOST"',
    ],
)
def test_what_is_no_use_is_not_found(source):
    found = python_names(source)
    assert found.uses == []
    assert not found.indirect


@pytest.mark.parametrize(
    "source", ['os.environ["HOST"] = "x"', 'os.environ.setdefault("HOST", "")']
)
def test_what_it_sets_is_found(source):
    found = python_names(source)
    assert found.assigned == {"HOST"}
    assert found.uses == []


@pytest.mark.parametrize(
    "source", ["os.environ[name]", "dict(os.environ)", "os.getenv(name)", "os.environ.items()"]
)
def test_indirect_reading_is_noticed(source):
    assert python_names(source).indirect


def test_the_line_of_a_use_is_known():
    (use,) = python_names('import os\n\nprint(os.environ["HOST"])\n').uses
    assert use.line == 2


def test_a_syntax_error_has_its_line():
    found = python_names("x = 1\ny = (\n")
    assert found.error
    assert found.error_line == 1


def test_what_warns_the_compiler_is_no_error():
    assert python_names('"\\d"').error is None


@pytest.mark.parametrize("source", ["\0", "(" * 5000])
def test_what_cannot_be_read_at_all_is_an_error(source):
    assert python_names(source).error


def test_an_error_without_a_line_is_on_the_first(monkeypatch):
    def refuse(_source):
        raise MemoryError

    monkeypatch.setattr("ast.parse", refuse)
    assert python_names("x").error == "MemoryError"
