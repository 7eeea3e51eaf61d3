"""Which environment variables a Python script reads, by its text."""

import pytest

from runbook.core.authoring.python_names import PythonNames, python_names


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
        'os.environ.get("HOST", "x")',
        'os.getenv("HOST", default="x")',
    ],
)
def test_a_read_variable_is_found(source):
    found = python_names(source)
    assert names(source) == {"HOST"}
    assert not found.indirect


@pytest.mark.parametrize(
    "source",
    [
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


@pytest.mark.parametrize("source", ["x = 1\ny = (\n", "\0", "(" * 5000])
def test_nothing_is_found_in_a_script_with_errors(source):
    assert python_names(source) == PythonNames()
