"""Parses values of inputs from the command line, files and standard input."""

from __future__ import annotations

import base64
import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import Any

import click

from runbook.quick_dataclass import dataclass

MAX_FILE_BYTES = 1024 * 1024
STDIN = "-"
CONNECTION_WITH_URL = "--connection can't be used with --url: the server has its own connections"

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)\"""")
_ESCAPE = re.compile(r"\\(.)")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


@dataclass(frozen=True, slots=True)
class GivenInputs:
    """Values by input name, as JSON. `secrets` has the names of values that are never shown."""

    values: Mapping[str, object] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Assignment:
    """A `NAME=VALUE` of the command line."""

    name: str
    value: str


class AssignmentType(click.ParamType[Assignment]):
    """`NAME=VALUE`; the value may be empty and may contain anything."""

    name = "assignment"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Assignment:
        if isinstance(value, Assignment):
            return value
        name, equals, rest = str(value).partition("=")
        if not equals or not _NAME.fullmatch(name):
            # Don't print the text: it may be a misplaced secret.
            self.fail("must be NAME=VALUE, where NAME has only letters, digits and _", param, ctx)
        return Assignment(name, rest)


class SecretType(AssignmentType):
    """`NAME=@FILE` or `NAME=-`: every process could read a value on the command line."""

    name = "secret"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Assignment:
        given = super().convert(value, param, ctx)
        if given.value != STDIN and not (given.value.startswith("@") and len(given.value) > 1):
            self.fail(
                f"pass {given.name} in a file ({given.name}=@FILE) or on standard input "
                f"({given.name}=-), because every process can read a command line",
                param,
                ctx,
            )
        return given


class ConnectionFileType(click.ParamType[Assignment]):
    """`NAME=@FILE`: a connection in a file."""

    name = "connection"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Assignment:
        if isinstance(value, Assignment):
            return value
        name, _, rest = str(value).partition("=@")
        if not name or not rest:
            self.fail("must be NAME=@FILE, where FILE has the kind and the values", param, ctx)
        return Assignment(name, rest)


def gather(
    assignments: Iterable[Assignment], secrets: Iterable[Assignment], env_file: Path | None
) -> GivenInputs:
    """The values of the env file, --env and --secret; later ones take precedence.

    Reads the secrets. Raises click.UsageError.
    """
    values: dict[str, object] = {**read_env_file(env_file)} if env_file else {}
    values |= {given.name: given.value for given in assignments}
    secret_values = {given.name: _read_secret(given) for given in secrets}
    return GivenInputs(values | secret_values, frozenset(secret_values))


def with_files(given: GivenInputs, schema: Callable[[], Mapping[str, Any]]) -> GivenInputs:
    """The values, with `@PATH` replaced by the content for files and by the rows for lists.

    `schema` returns the runbook's inputs (see core/inputs/schema.py). It is called only if a value
    starts with `@`, which has no meaning for other inputs. Raises click.UsageError.
    """
    paths = {
        name: value
        for name, value in given.values.items()
        if isinstance(value, str) and value.startswith("@") and name not in given.secrets
    }
    if not paths:
        return given
    declared = schema()["properties"]
    files: dict[str, object] = {}
    for name, value in paths.items():
        reader = _READERS.get(declared.get(name, {}).get("x-type"))
        if reader is not None:
            files[name] = reader(Path(value[1:]), name)
    return replace(given, values={**given.values, **files})


def _file_value(path: Path, name: str) -> dict[str, str]:
    content = base64.b64encode(_within_limit(_file_bytes(path, name), name)).decode()
    return {"name": path.name, "content_base64": content}


def _rows(path: Path, name: str) -> object:
    """The rows in a file of JSON or YAML."""
    from runbook.core.document import Problem
    from runbook.core.syntax.yaml_subset import compose, plain_of

    text = read_text_file(path, name)
    try:
        rows: object = json.loads(text)
    except (ValueError, RecursionError):
        node = compose(text, 1)
        if isinstance(node, Problem):
            raise click.UsageError(f"{name}: {path} is neither JSON nor YAML") from None
        rows = None if node is None else plain_of(node)
    if not isinstance(rows, list):
        raise click.UsageError(f"{name}: {path} must contain a list of rows")
    return rows


_READERS: Mapping[object, Callable[[Path, str], object]] = {"file": _file_value, "list": _rows}


def check_stdin_once(secrets: Iterable[Assignment], *, token_stdin: bool) -> None:
    """Raises click.UsageError if several options read standard input."""
    readers = [f"--secret {given.name}=-" for given in secrets if given.value == STDIN]
    if token_stdin:
        readers.append("--token-stdin")
    if len(readers) > 1:
        raise click.UsageError(f"only one of {' and '.join(readers)} can read standard input")


def read_token() -> str:
    """The bearer token from standard input. In a terminal, prompts without echo."""
    if sys.stdin.isatty():
        return str(click.prompt("Token", hide_input=True, err=True)).strip()
    return read_stdin("the token").strip()


def _read_secret(given: Assignment) -> str:
    """A secret's value, without the last newline, which editors and `echo` add."""
    if given.value == STDIN:
        if sys.stdin.isatty():
            return str(click.prompt(given.name, hide_input=True, err=True, default=""))
        text = read_stdin(given.name)
    else:
        text = read_text_file(Path(given.value[1:]), given.name)
    return text.removesuffix("\n").removesuffix("\r")


def read_stdin(what: str) -> str:
    """All of standard input, at most 1 MiB of UTF-8. Raises click.UsageError."""
    return _decoded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), what)


def read_text_file(path: Path, what: str) -> str:
    """The text of a file, at most 1 MiB of UTF-8. Raises click.UsageError."""
    return _decoded(_file_bytes(path, what), what)


def _file_bytes(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise click.UsageError(f"{what}: couldn't read {path}: {error.strerror}") from None


def _within_limit(data: bytes, what: str) -> bytes:
    if len(data) > MAX_FILE_BYTES:
        raise click.UsageError(f"{what} is larger than 1 MiB")
    return data


def _decoded(data: bytes, what: str) -> str:
    try:
        return _within_limit(data, what).decode()
    except UnicodeDecodeError:
        raise click.UsageError(f"{what} is not UTF-8 text") from None


def read_env_file(path: Path) -> dict[str, str]:
    r"""`NAME=value` lines; blank lines and `#` comments are skipped, `export ` is allowed.

    A value may be in single quotes (verbatim) or in double quotes (with the escapes \n, \t, \r,
    \" and \\). It can't span lines, and nothing in it is expanded. Raises click.UsageError.
    """
    values: dict[str, str] = {}
    text = read_text_file(path, str(path)).removeprefix("\ufeff")
    for number, line in enumerate(text.split("\n"), start=1):
        content = line.strip()
        if content and not content.startswith("#"):
            name, value = _parse_line(content, f"{path}:{number}")
            values[name] = value
    return values


def _parse_line(line: str, place: str) -> tuple[str, str]:
    match = _ASSIGNMENT.fullmatch(line)
    if match is None:
        raise click.UsageError(f"{place}: must be NAME=value")
    return match[1], _unquoted(match[2], place)


def _unquoted(text: str, place: str) -> str:
    if text[:1] not in ("'", '"'):
        return re.split(r"(?:^|\s+)#", text, maxsplit=1)[0]
    match = _QUOTED.match(text)
    if match is None:
        raise click.UsageError(f"{place}: missing closing quote")
    rest = text[match.end() :].strip()
    if rest and not rest.startswith("#"):
        raise click.UsageError(f"{place}: unexpected text after the closing quote")
    if match[1] is not None:
        return match[1]
    return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), match[2])
