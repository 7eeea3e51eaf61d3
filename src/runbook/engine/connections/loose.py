"""Connections without a row in the database: for a single job, on a command line or in an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path

from runbook.core.connection import Kind, Opened, check_values, name_problem, opened
from runbook.core.document import Problem, texts_of
from runbook.core.inputs.connections import unknown_kind
from runbook.errors import InvalidConnectionError
from runbook.quick_dataclass import dataclass

ENVIRONMENT = "environment"
"""The name of a connection made of the usual variables of its kind."""
SUFFIX = ".yaml"
MAX_FILE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class LooseConnections:
    """For everyone who can start this process: they have no claims.

    `given` are those of the command line, by name; `folder` has files `NAME.yaml`; `environment`
    are the variables of this process.
    """

    given: Mapping[str, Opened] = field(default_factory=dict)
    folder: Path | None = None
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    def find(self, name: str, kind: str) -> Opened | None:
        """Of the kind, if the name alone doesn't say. Raises InvalidConnectionError."""
        if name in self.given:
            return self.given[name]
        path = None if self.folder is None or name_problem(name) else self._path(name)
        if path is not None and path.is_file():
            return read_file(name, path)
        return self.of_environment(kind) if name == ENVIRONMENT else None

    def for_input(self, name: str, kind: str) -> str | None:
        """The connection that an input gets if it isn't set: one of its own name, or of variables.

        None if there is neither.
        """
        has_file = self.folder is not None and self._path(name).is_file()
        if name in self.given or has_file:
            return name
        wanted = _kind(kind)
        made = wanted is not None and any(True for _ in _in_environment(wanted, self.environment))
        return ENVIRONMENT if made else None

    def of_environment(self, kind: str) -> Opened | None:
        """Raises InvalidConnectionError for variables that don't make a connection."""
        wanted = _kind(kind)
        if wanted is None:
            return None
        found = dict(_in_environment(wanted, self.environment))
        return made(ENVIRONMENT, kind, found, f"variables {wanted.prefix}_…") if found else None

    def names(self, kind: str) -> Iterator[str]:
        """Those that may be of this kind."""
        yield from (name for name, one in self.given.items() if one.kind == kind)
        if self.folder is not None and self.folder.is_dir():
            yield from (path.stem for path in sorted(self.folder.glob(f"*{SUFFIX}")))
        wanted = _kind(kind)
        if wanted is not None and any(True for _ in _in_environment(wanted, self.environment)):
            yield ENVIRONMENT

    def _path(self, name: str) -> Path:
        return (self.folder or Path()) / f"{name}{SUFFIX}"


NONE = LooseConnections()


def read_file(name: str, path: Path) -> Opened:
    """Raises InvalidConnectionError."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise InvalidConnectionError(f"The connection's file {path} is larger than 1 MiB")
        text = data.decode()
    except OSError as error:
        text = f"The connection's file {path} can't be read: {error.strerror}"
        raise InvalidConnectionError(text) from None
    except UnicodeDecodeError:
        raise InvalidConnectionError(f"The connection's file {path} is not UTF-8 text") from None
    from runbook.core.connection_file import read_connection

    found, problems = read_connection(text)
    if problems:
        raise _invalid(f"file {path}", problems)
    return made(name, found.kind, found.values, f"file {path}")


def made(name: str, kind: str, values: Mapping[str, object], place: str) -> Opened:
    """A connection of these values. Raises InvalidConnectionError, which names the place."""
    from runbook.connectors.kinds import KINDS

    if (wrong := name_problem(name)) is not None:
        raise _invalid(place, [wrong])
    if kind not in KINDS:
        raise _invalid(place, [unknown_kind(kind, KINDS)])
    fit, problems = check_values(KINDS[kind], values)
    if problems:
        raise _invalid(place, problems)
    return opened(name, KINDS[kind], fit)


def _kind(name: str) -> Kind | None:
    # Imported late, as few runs have a connection.
    from runbook.connectors.kinds import KINDS

    return KINDS.get(name)


def _invalid(place: str, problems: list[Problem]) -> InvalidConnectionError:
    said = "; ".join(texts_of(problems))
    return InvalidConnectionError(f"The connection in {place}: {said}", problems=tuple(problems))


def _in_environment(kind: Kind, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for item in kind.fields:
        if text := environment.get(kind.variable(item.name), ""):
            yield item.name, text
