"""Asks on a terminal for the inputs that are missing, with their choices; `execute --ask`."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol

import click

from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.messages import note, print_error, print_warning, write_error
from runbook.quick_dataclass import dataclass

Json = Mapping[str, Any]
Values = dict[str, object]
SHOWN_CHOICES = 50


class Form(Protocol):
    """What is known about the inputs of a runbook; see docs/api.md for the objects."""

    def schema(self) -> Json: ...

    def available(self) -> Collection[str]:
        """The inputs that need no value from here."""

    def choices(self, path: str, values: Json, row: Json | None) -> Json: ...

    def problems(self, values: Json) -> Sequence[Json]: ...


def is_terminal() -> bool:
    """Whether somebody can be asked: prompts are on standard error."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask_missing(form: Form, given: Json) -> Values:
    """The given values, and those that somebody entered for required inputs without one.

    A path for a file input is returned as `@PATH`. Raises click.Abort.
    """
    schema = form.schema()
    return _Asking(form, schema, frozenset(form.available()), dict(given)).all()


@dataclass(slots=True)
class _Asking:
    form: Form
    schema: Json
    available: frozenset[str]
    values: Values

    def all(self) -> Values:
        for name, declared in self.schema["properties"].items():
            known = {**_defaults(self.schema), **self.values}
            if name not in self.values and _is_shown(declared, known) and self._is_needed(name):
                self.values[name] = self._valid(name, declared)
        return self.values

    def _is_needed(self, name: str) -> bool:
        declared = self.schema["properties"][name]
        required = name in self.schema["required"] or declared.get("x-required")
        return bool(required) and name not in self.available

    def _valid(self, name: str, declared: Json) -> object:
        """Ask until the value is valid."""
        _explain(name, declared)
        while True:
            value = self._value(name, declared)
            if declared["x-type"] == "file":
                return value
            wrong = [
                problem
                for problem in self.form.problems({**self.values, name: value})
                if problem["severity"] == "error" and problem["params"].get("variable") == name
            ]
            if not wrong:
                return value
            for problem in wrong:
                print_error(problem["message"], problem.get("hint"))

    def _value(self, name: str, declared: Json) -> object:
        match declared["x-type"]:
            case "list":
                return self._rows(name, declared)
            case "secret":
                return _entered(name, hidden=True)
            case "file":
                return f"@{_required(f'{name} (path of a file)')}"
        return self._cell(_Cell(name, name, declared))

    def _rows(self, name: str, declared: Json) -> list[Values]:
        rows: list[Values] = []
        fewest, most = declared.get("minItems", 0), declared.get("maxItems")
        while most is None or len(rows) < most:
            more = f"Another row of {name}?" if rows else f"A row of {name}?"
            if len(rows) >= fewest and not click.confirm(more, default=False, err=True):
                break
            rows.append(self._row(name, declared["items"], len(rows)))
        return rows

    def _row(self, name: str, items: Json, number: int) -> Values:
        row: Values = {}
        for own, declared in items["properties"].items():
            known = {**_defaults(self.schema), **self.values}
            known = {key: text for key, text in known.items() if key not in items["properties"]}
            if not _is_shown(declared, {**known, **row}):
                continue
            required = own in items["required"] or bool(declared.get("x-required"))
            default = declared.get("default")
            shown = f"{name}[{number}].{own}"
            if default is not None:
                shown += f" [{_text(default)}]"
            elif not required:
                shown += " (optional)"
            answer = self._cell(_Cell(f"{name}.{own}", shown, declared, row, required))
            if answer != "":
                row[own] = answer
            elif default is not None:
                row[own] = default
        return row

    def _cell(self, cell: _Cell) -> object:
        choices = self._choices(cell)
        if not choices.values:
            return cell.entered()
        for number, (value, text) in enumerate(choices.shown(), start=1):
            about = escaped(f"{value}{text}")
            write_error(f"  {number}) {about}\n")
        if cell.declared["x-type"] in ("multichoice", "devices"):
            words = str(cell.entered("numbers or values, separated by commas")).split(",")
            return [choices.chosen(word.strip()) for word in words if word.strip()]
        while True:
            answer = choices.chosen(str(cell.entered("number or value")))
            if not choices.strict or answer in choices.values or answer == "":
                return answer
            print_error(f"{escaped(answer)} is not one of the choices")

    def _choices(self, cell: _Cell) -> _Choices:
        declared = cell.declared
        listed = declared.get("enum") or declared.get("items", {}).get("enum")
        if listed:
            return _Choices({str(value): "" for value in listed}, strict=True)
        is_device = declared["x-type"] in ("device", "devices")
        source = declared.get("x-choices", {"strict": False} if is_device else None)
        if source is None:
            return _Choices({})
        found = self.form.choices(cell.path, self.values, cell.row)
        if found["problem"] is not None:
            print_warning(found["problem"]["message"])
        return _Choices(
            {choice["value"]: _about(choice) for choice in found["choices"]},
            strict=bool(source["strict"]),
        )


@dataclass(frozen=True, slots=True)
class _Cell:
    """A value to ask for: an input, or a field in a row."""

    path: str
    prompt: str
    declared: Json
    row: Values | None = None
    required: bool = True

    def entered(self, how: str = "") -> str:
        prompt = f"{self.prompt} ({how})" if how else self.prompt
        needed = self.required and self.declared.get("default") is None
        return _required(prompt) if needed else _entered(prompt)


@dataclass(frozen=True, slots=True)
class _Choices:
    """Choices with what to show besides them."""

    values: Mapping[str, str] = field(default_factory=dict)
    strict: bool = False

    def shown(self) -> list[tuple[str, str]]:
        return list(self.values.items())[:SHOWN_CHOICES]

    def chosen(self, answer: str) -> str:
        """The choice with this value or number, else the answer itself."""
        if answer in self.values or not (answer.isascii() and answer.isdigit()):
            return answer
        number = int(answer[:9])
        names = [value for value, _ in self.shown()]
        return names[number - 1] if 0 < number <= len(names) else answer


def _explain(name: str, declared: Json) -> None:
    title = declared.get("title", name)
    texts = [text for text in (title if title != name else "", declared.get("description")) if text]
    note(f"{name}: {' - '.join(texts)}" if texts else name)


def _entered(prompt: str, *, hidden: bool = False) -> str:
    answer = click.prompt(prompt, default="", show_default=False, hide_input=hidden, err=True)
    return str(answer)


def _required(prompt: str) -> str:
    while not (answer := _entered(prompt)):
        print_error("A value is required")
    return answer


def _about(choice: Json) -> str:
    label = "" if choice["label"] == choice["value"] else f"  {choice['label']}"
    return f"{label}  - {choice['description']}" if choice["description"] else label


def _is_shown(declared: Json, values: Json) -> bool:
    return all(
        (_text(values.get(shown["input"])) == shown["value"]) is (shown["operator"] == "==")
        for shown in declared.get("x-show-if", ())
    )


def _defaults(schema: Json) -> Values:
    """Of the inputs that are shown."""
    known: Values = {}
    for name, declared in schema["properties"].items():
        if "default" in declared and _is_shown(declared, known):
            known[name] = declared["default"]
    return known


def _text(value: object) -> str:
    """A value as text, as conditions compare it."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return "" if value is None else json.dumps(value, separators=(",", ":"), ensure_ascii=False)
