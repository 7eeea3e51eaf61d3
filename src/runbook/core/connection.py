"""Connections: named values for a system, of a kind that says which values there are."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import field, replace

from runbook.core.claims import claim_values
from runbook.core.document import Input, Problem
from runbook.core.inputs.schema import Json, object_schema
from runbook.core.inputs.types import CONNECTION_NAME, CONNECTION_RULE, check_text, json_value
from runbook.core.inputs.values import coerce_values
from runbook.core.ssh.host_key import HostAddress, address_of
from runbook.core.storable import is_storable
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

MAX_VALUE_BYTES = 64 * 1024
MAX_LABELS = 50
MAX_TEXT = 500
LABEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}")
CLAIM_NAME = re.compile(r"\S(?:.{0,126}\S)?")

Values = Mapping[str, object]
Claims = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of connection. `fields` are declared like a runbook's inputs.

    At least one of the groups in `alternatives` must be given as a whole. `module` is the Python
    module that checks connections of this kind. `prefix` starts the names of the environment
    variables that hold a connection in a container with a single job. `ssh` has the fields with the
    host and the port of each SSH server.
    """

    name: str
    title: str
    fields: tuple[Input, ...]
    module: str
    prefix: str
    alternatives: tuple[tuple[str, ...], ...] = ()
    ssh: tuple[tuple[str, str], ...] = ()

    def with_defaults(self, values: Values) -> dict[str, object]:
        """The values, with the defaults of fields that have none."""
        whole = {it.name: json_value(it, it.default) for it in self.fields if it.default}
        return whole | dict(values)

    def ssh_addresses(self, values: Values) -> tuple[HostAddress, ...]:
        """Of the SSH servers that a connection with these values, or the defaults, needs."""
        known = self.with_defaults(values)
        found = (address_of(known.get(host), known.get(port)) for host, port in self.ssh)
        return tuple(address for address in found if address is not None)

    @property
    def secrets(self) -> frozenset[str]:
        return frozenset(item.name for item in self.fields if item.secret)

    def variable(self, name: str) -> str:
        """The environment variable of a field."""
        return f"{self.prefix}_{name.upper()}"

    def schema(self) -> Json:
        """The values as a JSON Schema, for forms."""
        schema = object_schema(self.fields)
        if self.alternatives:
            schema["anyOf"] = [{"required": list(group)} for group in self.alternatives]
        return schema


@dataclass(frozen=True, slots=True)
class LastCheck:
    """The result of a check. `code` is the connector's error code, `version` the system's."""

    ok: bool
    code: str | None
    message: str
    version: str | None
    at: Millis


@dataclass(frozen=True, slots=True)
class LastUse:
    """The last run that used a connection, and when it read it."""

    run_id: str
    at: Millis


@dataclass(frozen=True, slots=True)
class Sealed:
    """Encrypted secrets, and the ID of the key that encrypted them."""

    key_id: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection without its secrets. `values` are those that anyone who sees it may see.

    `secrets` names the secrets that are set. Without `claims`, everyone with the permission may use
    it; with them, only callers who have an allowed value for each. `revision` counts changes;
    `rotated_at` is when a secret last changed.
    """

    name: str
    kind: str
    values: Values = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    claims: Claims = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    description: str = ""
    revision: int = 1
    created_at: Millis = 0
    updated_at: Millis = 0
    updated_by: str = ""
    rotated_at: Millis | None = None
    check: LastCheck | None = None
    last_use: LastUse | None = None
    sealed: Sealed | None = field(default=None, repr=False)

    @property
    def required_claims(self) -> Claims | None:
        """None if the connection is for everyone with the permission."""
        return self.claims or None


@dataclass(frozen=True, slots=True)
class Opened:
    """A connection with its secrets: what a script gets. Never stored or logged."""

    name: str
    kind: str
    values: Values = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    revision: int | None = None
    """None for a connection that isn't in the database."""

    def as_json(self, **more: object) -> str:
        """What the script reads."""
        return json.dumps(
            {"name": self.name, "kind": self.kind, "values": dict(self.values), **more}
        )


@dataclass(frozen=True, slots=True)
class ConnectionUse:
    """What a run used for an input; see Opened."""

    input: str
    name: str
    kind: str
    revision: int | None


def opened(name: str, kind: Kind, values: Values, revision: int | None = None) -> Opened:
    """The connection with the defaults of fields that have no value."""
    whole = kind.with_defaults(values)
    secrets = tuple(str(whole[field]) for field in sorted(kind.secrets) if whole.get(field))
    return Opened(name, kind.name, whole, secrets, revision)


def name_problem(name: str) -> Problem | None:
    if re.fullmatch(CONNECTION_NAME, name):
        return None
    text = f"A connection can't be named {name[:80]!r}"
    return Problem("bad_connection_name", text, hint=CONNECTION_RULE)


def check_values(kind: Kind, given: Values) -> tuple[dict[str, object], list[Problem]]:
    """The values as JSON of their fields' types, and everything that is wrong with them.

    Null and empty text count as not given. No problem shows a secret.
    """
    known = {item.name: item for item in kind.fields}
    problems = [_unknown_field(kind, name, known) for name in given if name not in known]
    present = {n: v for n, v in given.items() if n in known and v is not None and v != ""}
    texts, unfit = coerce_values(present, kind.fields)
    problems += [_of_field(known[str(problem.params["variable"])], problem) for problem in unfit]
    values: dict[str, object] = {}
    for name, text in texts.texts.items():
        item = known[name]
        problem = _too_long(item, text) or check_text(item, text)
        if problem is not None:
            problems.append(_of_field(item, problem))
        else:
            values[name] = text if item.secret else json_value(item, text)
    return values, [*problems, *_missing(kind, present)]


def _too_long(item: Input, text: str) -> Problem | None:
    if not is_storable(text):
        said = f"{item.name} must not contain NUL or lone surrogates"
    elif len(text.encode()) > MAX_VALUE_BYTES:
        said = f"{item.name} is longer than {MAX_VALUE_BYTES // 1024} KiB"
    else:
        return None
    return Problem("bad_field", said, params={"field": item.name})


def _of_field(item: Input, problem: Problem) -> Problem:
    return replace(problem, code="bad_field", line=None, params={"field": item.name})


def _unknown_field(kind: Kind, name: str, known: Collection[str]) -> Problem:
    return Problem(
        "unknown_field",
        f"A {kind.name} connection has no field {name[:80]!r}",
        hint=did_you_mean(name, known),
        params={"field": name[:80], "kind": kind.name},
    )


def _missing(kind: Kind, present: Collection[str]) -> list[Problem]:
    needed = [item.name for item in kind.fields if not item.optional and item.default is None]
    problems = [
        Problem(
            "missing_field",
            f"A {kind.name} connection needs {name}",
            hint=_described(kind, name),
            params={"field": name, "kind": kind.name},
        )
        for name in needed
        if name not in present
    ]
    groups = kind.alternatives
    if groups and not any(all(name in present for name in group) for group in groups):
        choices = ", or ".join(" and ".join(group) for group in groups)
        text = f"A {kind.name} connection needs {choices}"
        # The group that was begun, if any.
        begun = max(groups, key=lambda group: sum(name in present for name in group))
        absent = next(name for name in begun if name not in present)
        params = {"field": absent, "kind": kind.name}
        problems.append(Problem("missing_field", text, params=params))
    return problems


def _described(kind: Kind, name: str) -> str | None:
    return next((item.description or None for item in kind.fields if item.name == name), None)


def check_claims(given: Mapping[str, object]) -> tuple[dict[str, tuple[str, ...]], list[Problem]]:
    """Claims as in a runbook: each with its allowed values, as a list or separated by commas."""
    claims: dict[str, tuple[str, ...]] = {}
    problems = []
    for name, value in given.items():
        allowed = claim_values(value)
        if CLAIM_NAME.fullmatch(name) and allowed and is_storable([name, *allowed]):
            claims[name] = allowed
            continue
        # An empty list would shut everyone out: likely a mistake.
        text = f"The claim {name[:80]!r} must have a name and at least one allowed value"
        hint = "Such as roles: sre"
        problems.append(Problem("bad_claim", text, hint=hint, params={"claim": name[:80]}))
    return claims, problems


def check_labels(given: Mapping[str, object]) -> list[Problem]:
    wrong = [
        name
        for name, value in given.items()
        if not (LABEL_NAME.fullmatch(name) and isinstance(value, str) and _fits(value))
    ]
    problems = [
        Problem(
            "bad_label",
            f"The label {name[:80]!r} is not valid",
            hint=f"Names have up to 63 letters, digits and ._/-, values {MAX_TEXT} characters",
            params={"label": name[:80]},
        )
        for name in wrong
    ]
    if len(given) > MAX_LABELS:
        text = f"A connection has at most {MAX_LABELS} labels"
        problems.append(Problem("bad_label", text, params={"limit": MAX_LABELS}))
    return problems


def _fits(text: str) -> bool:
    return len(text) <= MAX_TEXT and text.isprintable() and is_storable(text)


def check_description(text: str) -> list[Problem]:
    if len(text) <= MAX_TEXT and is_storable(text):
        return []
    return [Problem("bad_description", f"The description has more than {MAX_TEXT} characters")]
