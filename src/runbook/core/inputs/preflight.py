"""Preflight checks of a run: its inputs and its call chain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from difflib import get_close_matches

from runbook.core.document import (
    Document,
    Input,
    InputType,
    LiveChoices,
    Problem,
    SecretKind,
    SecretSource,
    Severity,
)
from runbook.core.environ import NAME_RULE, check_total, check_value, is_reserved, valid_name
from runbook.core.inputs.choices import Choices
from runbook.core.inputs.rows import RowsContext, read_rows
from runbook.core.inputs.types import OF_DEVICES, check_text, has_value
from runbook.core.inputs.values import GivenFile, GivenValues, coerce_values
from runbook.quick_dataclass import dataclass

__all__ = [
    "GivenFile",
    "GivenValues",
    "InputFacts",
    "RequiredEnv",
    "ResolvedInputs",
    "check_chain",
    "coerce_values",
    "known_row",
    "known_values",
    "required_env",
    "resolve_inputs",
]


AskLive = Callable[[Input, LiveChoices, Mapping[str, str]], Choices]
"""Runs a runbook for the choices of an input, given the values of the inputs above it."""


def _none_known(_item: Input, _live: LiveChoices, _above: Mapping[str, str]) -> Choices:
    return ()


def _no_secret(_source: SecretSource) -> str | None:
    return None


def _any_connection(_item: Input, _name: str) -> Problem | None:
    return None


Found = tuple[str, list[Problem]]


def _any_devices(_item: Input, text: str) -> Found:
    return text, []


@dataclass(frozen=True, slots=True)
class InputFacts:
    """What the server knows about inputs besides the request.

    `supplied` is its environment; only declared names are looked up there. `find_secret` returns
    the secret for a `from`, or None. `choices` holds those that are not in the document, by input
    or LIST.FIELD; `live` gets those of runbooks that are run for them. `hidden` names the values
    that no problem may show, secret or not. `check_connection` says why the connection of this name
    can't be used for an input. `find_devices` returns what the script gets for a value of type
    device or devices, and why it can't.
    """

    supplied: Mapping[str, str] = field(default_factory=dict)
    find_secret: Callable[[SecretSource], str | None] = _no_secret
    choices: Mapping[str, Choices] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()
    allow_undeclared: bool = False
    check_connection: Callable[[Input, str], Problem | None] = _any_connection
    find_devices: Callable[[Input, str], Found] = _any_devices
    live: AskLive = _none_known

    def ask(self, path: str, item: Input, above: Mapping[str, str]) -> Choices | None:
        """The choices that a value must be one of; None if the document has them, or any is valid.

        `path` is the input's name, or `LIST.FIELD`.
        """
        if item.live is None:
            return self.choices.get(path)
        return self.live(item, item.live, above) if item.live.strict else None


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """The resolved inputs of a run. `secrets` names the values that must be masked everywhere.

    `shown` maps each name to its value if its type may be recorded, else to None. `hidden` names
    the inputs that have no value because their `show_if` does not hold.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    shown: Mapping[str, str | None] = field(default_factory=dict)
    files: Mapping[str, GivenFile] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class RequiredEnv:
    """The declared inputs, split into those the server can supply and those it can't."""

    required: tuple[Input, ...]
    available: tuple[Input, ...]
    missing: tuple[Input, ...]


def resolve_inputs(
    declared: Sequence[Input], given: GivenValues, facts: InputFacts
) -> tuple[ResolvedInputs, list[Problem]]:
    """The value of each input: from the request, the server, or the default, in this order.

    Every value is validated. A hidden input has none: a warning says so if one was given.
    """
    unusable = {item.name for item in declared if is_reserved(item.name)} | given.refused
    allow = facts.allow_undeclared
    names = [*given.texts, *given.files]
    problems = _check_names(declared, names, allow_undeclared=allow)
    values = _undeclared_values(declared, given.texts) if allow else {}
    problems += [found for name in values if (found := check_value(name, values[name]))]
    files: dict[str, GivenFile] = {}
    hidden: set[str] = set()
    for item in declared:
        if not item.is_shown(values):
            hidden.add(item.name)
            problems += [_not_used(item)] if item.name in names else []
        elif item.name in unusable:
            continue
        elif item.type is not InputType.FILE:
            values |= _valued(item, _resolve(item, given.texts, facts), values, facts, problems)
        elif item.name in given.files:
            files[item.name] = given.files[item.name]
        elif not item.optional:
            problems.append(_missing(item))
    problems += [problem] if (problem := check_total(values)) else []
    secrets = frozenset(item.name for item in declared if item.secret and item.name in values)
    shown = _shown(declared, values) | dict.fromkeys(files)
    return ResolvedInputs(values, secrets, shown, files, frozenset(hidden)), problems


def check_chain(ref: str, chain: Sequence[str], max_depth: int) -> Problem | None:
    """Whether `ref` may be called from the end of `chain`, outermost first."""
    if ref in chain:
        text = f"Recursion detected: Runbook {ref} already in execution chain: {list(chain)}"
        return Problem("recursion", text, params={"runbook": ref})
    if len(chain) >= max_depth:
        text = f"Recursion depth limit exceeded: {len(chain)} (max: {max_depth})"
        return Problem(
            "recursion_depth",
            text,
            hint="MAX_RECURSION_DEPTH sets the limit",
            params={"depth": len(chain), "limit": max_depth},
        )
    return None


def required_env(document: Document, facts: InputFacts) -> RequiredEnv:
    """The inputs of the runbook in document order, and which of them the server has.

    Inputs that are hidden with these values are not missing.
    """
    values: dict[str, str] = {}
    missing = []
    available = []
    for item in document.inputs:
        value = _resolve(item, {}, facts)
        if value is not None:
            available.append(item)
        if item.is_shown(values):
            values |= {} if value is None else {item.name: value}
            missing += [item] if value is None and not item.optional else []
    return RequiredEnv(document.inputs, tuple(available), tuple(missing))


def known_values(
    declared: Iterable[Input], given: GivenValues, facts: InputFacts
) -> dict[str, str]:
    """The values that a run would get as far as they are known; none is validated."""
    values: dict[str, str] = {}
    for item in declared:
        if item.is_shown(values) and (text := _resolve(item, given.texts, facts)) is not None:
            values[item.name] = text
    return values


def known_row(
    fields: Sequence[Input], given: GivenValues, above: Mapping[str, str]
) -> dict[str, str]:
    """`above` with the known values of a row's fields, each of which hides an input of its name."""
    names = {item.name for item in fields}
    values = {name: text for name, text in above.items() if name not in names}
    for item in fields:
        text = given.texts.get(item.name) or item.default
        if text is not None and item.is_shown(values):
            values[item.name] = text
    return values


def _check_names(
    declared: Sequence[Input], given: Iterable[str], *, allow_undeclared: bool
) -> list[Problem]:
    names = [item.name for item in declared]
    problems = []
    for name in given:
        if not valid_name(name):
            text = f"{name[:128]!r} is not a valid environment variable name"
            shown = name[:128].encode("utf-8", "replace").decode()
            problems.append(
                Problem("bad_input_name", text, hint=NAME_RULE, params={"variable": shown})
            )
        elif is_reserved(name):
            text = f"Environment variable is reserved and can't be set: {name}"
            problems.append(Problem("reserved_name", text, params={"variable": name}))
        elif name not in names and not allow_undeclared:
            problems.append(_undeclared(name, names))
    return problems


def _undeclared(name: str, names: Sequence[str]) -> Problem:
    known = ", ".join(names) or "none"
    close = get_close_matches(name, names, n=1)
    return Problem(
        "undeclared_input",
        f"Environment variable is not declared by the runbook: {name} (declared: {known})",
        hint=f"Did you mean {close[0]}?" if close else "Declare it in Environment Requirements",
        params={"variable": name},
    )


def _undeclared_values(declared: Sequence[Input], given: Mapping[str, str]) -> dict[str, str]:
    names = {item.name for item in declared}
    return {
        name: value
        for name, value in given.items()
        if name not in names and valid_name(name) and not is_reserved(name)
    }


def _resolve(item: Input, given: Mapping[str, str], facts: InputFacts) -> str | None:
    """The value from the first source that has one; some empty values don't count."""
    value = given.get(item.name)
    if has_value(item, value):
        return value
    if item.type is InputType.FILE:
        return None
    value = facts.find_secret(item.source) if item.source else facts.supplied.get(item.name)
    return value if has_value(item, value) else item.default


def _valued(
    item: Input,
    value: str | None,
    above: Mapping[str, str],
    facts: InputFacts,
    problems: list[Problem],
) -> dict[str, str]:
    """The input's value by name, or nothing if unset; problems are added to `problems`.

    `above` are the values of the inputs above it.
    """
    if value is not None:
        text, faults = _read(item, value, above, facts)
        problems += faults
        return {item.name: text}
    if not item.optional:
        choices = facts.choices.get(item.name)
        problems += [choices] if isinstance(choices, Problem) else []
        problems.append(_missing(item))
    return {}


def _read(
    item: Input, value: str, above: Mapping[str, str], facts: InputFacts
) -> tuple[str, list[Problem]]:
    """The value as the script gets it, and its problems."""
    if problem := check_value(item.name, value):
        return value, [problem]
    if not value and item.optional:
        return value, []
    hidden = item.name in facts.hidden
    if item.type is InputType.LIST:
        return read_rows(item, value, RowsContext(above, facts.ask, hidden))
    choices = facts.ask(item.name, item, above)
    if isinstance(choices, Problem):
        return value, [choices]
    found = check_text(item, value, choices=choices, hidden=hidden)
    if found is None and item.type is InputType.CONNECTION:
        found = facts.check_connection(item, value)
    if found is None and item.type in OF_DEVICES:
        value, problems = facts.find_devices(item, value)
        return value, problems or [it for it in (check_value(item.name, value),) if it]
    return value, [found] if found else []


def _not_used(item: Input) -> Problem:
    conditions = " and ".join(condition.text for condition in item.show_if)
    text = f"The value of {item.name} is not used: it is only needed if {conditions}"
    return Problem(
        "input_hidden",
        text,
        severity=Severity.WARNING,
        params={"variable": item.name, "conditions": conditions},
    )


def _missing(item: Input) -> Problem:
    text = f"Required environment variable not set: {item.name}"
    return Problem(
        "missing_input", text, item.line, hint=_missing_hint(item), params={"variable": item.name}
    )


def _missing_hint(item: Input) -> str | None:
    """The input's description; for a secret, also which source is missing."""
    if item.source is None:
        return item.description or None
    env = item.source.kind is SecretKind.ENV
    where = "an environment variable of the server" if env else "a file on the server"
    hint = f"It comes from {where} that is missing or empty"
    return f"{item.description.rstrip('.')}. {hint}" if item.description else hint


def _shown(declared: Sequence[Input], values: Mapping[str, str]) -> dict[str, str | None]:
    showable = {item.name for item in declared if item.typed and not item.secret}
    return {name: value if name in showable else None for name, value in values.items()}
