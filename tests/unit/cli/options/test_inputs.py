"""Values for inputs: options, secrets, environment files."""

import io

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.cli.options.inputs import (
    Assignment,
    AssignmentType,
    GivenInputs,
    SecretType,
    check_stdin_once,
    gather,
    read_env_file,
    read_token,
    with_files,
)


class Stdin(io.TextIOWrapper):
    def __init__(self, data):
        super().__init__(io.BytesIO(data))


@pytest.fixture
def env_file(tmp_path):
    def write(text):
        path = tmp_path / "test.env"
        path.write_bytes(text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=plain", "plain"),
        ("A=", ""),
        ("A = spaced ", "spaced"),
        ("export A=exported", "exported"),
        ("A=two words", "two words"),
        ("A=x # comment", "x"),
        ("A=# comment", ""),
        ("A=x#y", "x#y"),
        ("A='single $HOME \\n'", "single $HOME \\n"),
        ("A='it # is' # comment", "it # is"),
        ('A="tab\\t line\\n quote\\" back\\\\ other\\$"', 'tab\t line\n quote" back\\ other$'),
        ("A=a=b", "a=b"),
        ("A=x\r", "x"),
        ("A=grün", "grün"),
    ],
)
def test_a_line_of_an_environment_file(env_file, line, value):
    assert read_env_file(env_file(f"# first\n\n{line}\n")) == {"A": value}


@pytest.mark.parametrize(
    "line", ["A", "1A=x", "A-B=x", "=x", "A='open", 'A="open', "A='x' y", 'A="a\\"', "sh -c x"]
)
def test_what_is_no_line_is_named_with_its_number(env_file, line):
    with pytest.raises(click.UsageError, match=r"test\.env:2: "):
        read_env_file(env_file(f"OK=1\n{line}\n"))


def test_a_value_ends_with_its_line(env_file):
    with pytest.raises(click.UsageError, match=r"test\.env:1: .*quote"):
        read_env_file(env_file("A='first\nsecond'\n"))


def test_the_last_line_of_a_name_counts(env_file):
    assert read_env_file(env_file("A=1\nA=2")) == {"A": "2"}


def test_an_environment_file_must_be_text(tmp_path):
    path = tmp_path / "binary.env"
    path.write_bytes(b"A=\xff")
    with pytest.raises(click.UsageError, match="not UTF-8"):
        read_env_file(path)


@settings(deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_characters="\n'\r\x00")))
def test_single_quotes_keep_every_character(tmp_path_factory, value):
    path = tmp_path_factory.getbasetemp() / "property.env"
    path.write_text(f"A='{value}'\n", newline="")
    assert read_env_file(path) == {"A": value}


def test_options_win_over_the_file_and_secrets_over_options(env_file, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("from secret\n")
    given_inputs = gather(
        [Assignment("B", "from option"), Assignment("C", "from option")],
        [Assignment("C", f"@{secret}")],
        env_file("A=from file\nB=from file\nC=from file"),
    )
    assert given_inputs.values == {"A": "from file", "B": "from option", "C": "from secret"}
    assert given_inputs.secrets == {"C"}


@pytest.mark.parametrize(
    ("content", "value"), [("s3cret\n", "s3cret"), ("two\n\n", "two\n"), ("crlf\r\n", "crlf")]
)
def test_a_secret_loses_one_newline(monkeypatch, content, value):
    monkeypatch.setattr("sys.stdin", Stdin(content.encode()))
    assert gather([], [Assignment("S", "-")], None).values == {"S": value}


def test_a_secret_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(click.UsageError, match=r"PASSWORD: .*missing: No such file"):
        gather([], [Assignment("PASSWORD", f"@{tmp_path}/missing")], None)


def test_a_secret_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(b"x" * (1024 * 1024 + 1)))
    with pytest.raises(click.UsageError, match="larger than 1 MiB"):
        gather([], [Assignment("S", "-")], None)


SCHEMA = {"properties": {"FILE": {"x-type": "file"}, "TEXT": {"x-type": "text"}}}


def test_a_path_stands_for_a_file_where_one_is_declared(tmp_path):
    (tmp_path / "a.bin").write_bytes(b"\0\xff")
    path = f"@{tmp_path}/a.bin"
    given = GivenInputs({"FILE": path, "TEXT": path, "OTHER": path, "PLAIN": "x"})

    assert with_files(given, lambda: SCHEMA).values == {
        "FILE": {"name": "a.bin", "content_base64": "AP8="},
        "TEXT": path,
        "OTHER": path,
        "PLAIN": "x",
    }


def test_the_schema_is_asked_only_where_it_matters():
    given = GivenInputs({"FILE": "x", "SECRET": "@nowhere"}, frozenset({"SECRET"}))
    assert with_files(given, lambda: pytest.fail("asked")) is given


@pytest.mark.parametrize(
    ("size", "text"), [(None, "FILE: .*: No such file"), (1024 * 1024 + 1, "FILE is larger than")]
)
def test_a_file_that_cannot_be_given_is_named(tmp_path, size, text):
    if size:
        (tmp_path / "a").write_bytes(b"x" * size)
    with pytest.raises(click.UsageError, match=text):
        with_files(GivenInputs({"FILE": f"@{tmp_path}/a"}), lambda: SCHEMA)


def test_a_token_comes_without_blanks_around_it(monkeypatch):
    monkeypatch.setattr("sys.stdin", Stdin(b" token.of.three \n"))
    assert read_token() == "token.of.three"


@pytest.mark.parametrize("text", ["plain", "K=value", "K=", "K=@"])
def test_a_secret_is_never_taken_from_the_command_line(text):
    with pytest.raises(click.BadParameter) as caught:
        SecretType().convert(text, None, None)
    assert "value" not in caught.value.message
    assert "plain" not in caught.value.message


@pytest.mark.parametrize("text", ["K", "1K=x", "=x", "K K=x"])
def test_an_assignment_needs_a_name(text):
    with pytest.raises(click.BadParameter):
        AssignmentType().convert(text, None, None)


def test_an_assignment_keeps_its_value_as_it_is():
    assert AssignmentType().convert("K= a=b ", None, None) == Assignment("K", " a=b ")


def test_standard_input_is_read_once():
    stdin = [Assignment("A", "-"), Assignment("B", "@file")]
    check_stdin_once(stdin, token_stdin=False)
    with pytest.raises(click.UsageError, match="--secret A=- and --token-stdin"):
        check_stdin_once(stdin, token_stdin=True)
    with pytest.raises(click.UsageError):
        check_stdin_once([Assignment("A", "-"), Assignment("B", "-")], token_stdin=False)
