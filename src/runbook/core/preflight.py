"""Whether a run can begin: its inputs, and the chain of runbooks that leads to it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

from runbook.core.document import Document, Input, Problem
from runbook.core.environ import NAME_RULE, check_total, check_value, is_reserved, valid_name


@dataclass(frozen=True, slots=True)
class ResolvedInputs:
    """What a run is given. `secrets` names the values that must be masked everywhere.

    `shown` maps each name to its value where its type says that it may be recorded, and to None
    where it is only known to have been given.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    shown: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RequiredEnv:
    """The declared inputs, those the server can supply by itself, and those it cannot."""

    required: tuple[Input, ...]
    available: tuple[Input, ...]
    missing: tuple[Input, ...]


def coerce_values(raw: object) -> tuple[dict[str, str], list[Problem]]:
    """The values of `env_vars` as they came over the wire, as text.

    Numbers and booleans become their JSON text, null becomes empty, and so does no mapping.
    """
    if raw is None:
        return {}, []
    if not isinstance(raw, Mapping):
        return {}, [Problem("bad_env_vars", "env_vars must be an object of names and values")]
    values: dict[str, str] = {}
    problems: list[Problem] = []
    for name, value in raw.items():
        text = _text(value) if isinstance(name, str) else None
        if text is None:
            message = f"The value of {str(name)[:128]} must be a string, number, boolean or null"
            problems.append(Problem("bad_env_vars", message))
        else:
            values[name] = text
    return values, problems


def resolve_inputs(
    declared: Sequence[Input],
    given: Mapping[str, str],
    supplied: Mapping[str, str],
    *,
    allow_undeclared: bool = False,
) -> tuple[ResolvedInputs, list[Problem]]:
    """The value of each input: the request's, else the server's, else the default.

    `supplied` is what the server's environment holds; only declared names are looked up there.
    """
    problems = _check_names(declared, given, allow_undeclared=allow_undeclared)
    refused = {name for name in given if not valid_name(name) or is_reserved(name)}
    names = {item.name for item in declared}
    values = {
        name: value
        for name, value in given.items()
        if allow_undeclared and name not in names and name not in refused
    }
    for item in declared:
        value = _resolve(item, given, supplied)
        if value is not None and not is_reserved(item.name):
            values[item.name] = value
        elif not item.optional:
            problems.append(_missing(item))
    problems += [problem for name in values if (problem := check_value(name, values[name]))]
    problems += [problem] if (problem := check_total(values)) else []
    secrets = frozenset(item.name for item in declared if item.secret and item.name in values)
    return ResolvedInputs(values, secrets, _shown(declared, values)), problems


def check_chain(ref: str, chain: Sequence[str], max_depth: int) -> Problem | None:
    """Whether `ref` may be called from the end of `chain`, outermost first."""
    if ref in chain:
        text = f"Recursion detected: Runbook {ref} already in execution chain: {list(chain)}"
        return Problem("recursion", text)
    if len(chain) >= max_depth:
        text = f"Recursion depth limit exceeded: {len(chain)} (max: {max_depth})"
        return Problem("recursion_depth", text, hint="The limit is MAX_RECURSION_DEPTH")
    return None


def required_env(document: Document, supplied: Mapping[str, str]) -> RequiredEnv:
    """What the runbook asks for, in document order, and what of it the server has."""
    without = [item for item in document.inputs if _resolve(item, {}, supplied) is None]
    return RequiredEnv(
        required=document.inputs,
        available=tuple(item for item in document.inputs if item not in without),
        missing=tuple(item for item in without if not item.optional),
    )


def _text(value: object) -> str | None:
    match value:
        case str():
            return value
        case None:
            return ""
        case float() if not math.isfinite(value):
            return None
        case bool() | int() | float():
            try:
                return json.dumps(value)
            except ValueError:  # an integer of thousands of digits
                return None
    return None


def _check_names(
    declared: Sequence[Input], given: Iterable[str], *, allow_undeclared: bool
) -> list[Problem]:
    names = [item.name for item in declared]
    problems = []
    for name in given:
        if not valid_name(name):
            text = f"{name[:128]!r} cannot name an environment variable"
            problems.append(Problem("bad_input_name", text, hint=NAME_RULE))
        elif is_reserved(name):
            text = f"Environment variable is reserved and cannot be given: {name}"
            problems.append(Problem("reserved_name", text))
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
    )


def _resolve(item: Input, given: Mapping[str, str], supplied: Mapping[str, str]) -> str | None:
    """An empty value fills an input of the old form; a typed one only where it is optional."""
    for source in (given, supplied):
        value = source.get(item.name)
        if value or (value is not None and (not item.typed or item.optional)):
            return value
    return item.default


def _missing(item: Input) -> Problem:
    text = f"Required environment variable not set: {item.name}"
    return Problem("missing_input", text, item.line, hint=item.description or None)


def _shown(declared: Sequence[Input], values: Mapping[str, str]) -> dict[str, str | None]:
    showable = {item.name for item in declared if item.typed and not item.secret}
    return {name: value if name in showable else None for name, value in values.items()}
