"""Inputs of type connection, and the problems if their connection can't be used."""

from __future__ import annotations

from collections.abc import Collection

from runbook.core.document import Input, InputType, Problem
from runbook.core.syntax.unknown_keys import did_you_mean


def unknown_kind(name: str, known: Collection[str], line: int | None = None) -> Problem:
    text = f"There is no kind of connection named {name[:80]!r}"
    hint = did_you_mean(name, known)
    return Problem("unknown_connection_kind", text, line, hint=hint, params={"kind": name[:80]})


def not_found(item: Input, name: str, available: Collection[str]) -> Problem:
    known = sorted(available)
    hint = did_you_mean(name, known) if known else f"Add a {item.kind} connection first"
    return Problem(
        "connection_not_found",
        f"{item.name}: there is no connection named {name[:80]}",
        hint=hint,
        params={"variable": item.name, "connection": name[:80]},
    )


def wrong_kind(item: Input, name: str, kind: str) -> Problem:
    return Problem(
        "wrong_connection_kind",
        f"{item.name}: {name} is a {kind} connection, not {item.kind}",
        hint=f"Choose a {item.kind} connection",
        params={
            "variable": item.name,
            "connection": name,
            "kind": kind,
            "wanted": item.kind,
        },
    )


def not_allowed(item: Input, name: str, missing: Collection[str]) -> Problem:
    return Problem(
        "connection_not_allowed",
        f"{item.name}: you may not use the connection {name}",
        hint=f"Missing or invalid: {', '.join(missing)}",
        params={"variable": item.name, "connection": name},
    )


def connection_inputs(inputs: Collection[Input]) -> list[Input]:
    return [item for item in inputs if item.type is InputType.CONNECTION]
