"""The rows of a list: validates them field by field, and writes them as compact JSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace

from runbook.core.document import Input, Problem
from runbook.core.environ import check_value
from runbook.core.inputs.choices import Choices
from runbook.core.inputs.types import (
    Broken,
    bounds_of,
    broken,
    check_text,
    compact_json,
    json_value,
)
from runbook.core.inputs.values import read_value
from runbook.core.syntax.unknown_keys import did_you_mean
from runbook.quick_dataclass import dataclass

ROWS_LIMIT = 1000
MOST_PROBLEMS = 50
"""A list of thousands of wrong rows must not cause as many problems."""


def _no_choices(_path: str, _item: Input, _values: Mapping[str, str]) -> Choices | None:
    return None


AskChoices = Callable[[str, Input, Mapping[str, str]], Choices | None]
"""The choices for an input, by its path, the input, and the values above it; None if all are valid.

The path of a field is `LIST.FIELD`.
"""


@dataclass(frozen=True, slots=True)
class RowsContext:
    """`values` are those of the inputs above the list. `hidden`: no problem may show a value.

    `assumed`: the values above are not known, so a field that is set counts as shown.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    ask: AskChoices = _no_choices
    hidden: bool = False
    assumed: bool = False


def _example_of(item: Input) -> str:
    """A row with all columns: only names, nothing that somebody gave."""
    row = {column.name: "value" for column in item.items}
    return f"Such as {json.dumps([row])}"


def read_rows(item: Input, text: str, context: RowsContext) -> tuple[str, list[Problem]]:
    """The rows with their defaults as compact JSON, and the problems.

    With problems, the text is the given one.
    """
    rows = _parsed(text)
    if rows is None:
        rule = Broken("must be a JSON list of rows", hidden=True)
        return text, [replace(broken(item, rule, text), hint=_example_of(item))]
    problems = [*_count_problems(item, len(rows))]
    rows = rows[:ROWS_LIMIT]
    read = []
    for number, given in enumerate(rows):
        if len(problems) >= MOST_PROBLEMS:
            break
        row = _Row(item, number, context, problems)
        read.append(row.read(given))
    if problems:
        return text, problems
    whole = compact_json(read)
    too_long = check_value(item.name, whole)
    return whole, [too_long] if too_long else []


def fewest_rows(item: Input) -> int:
    """The minimum number of rows; a list that is required has at least one."""
    least, _ = bounds_of(item)
    if least is not None:
        return int(least)
    return 0 if item.optional or item.default is not None else 1


def most_rows(item: Input) -> int:
    _, most = bounds_of(item)
    return ROWS_LIMIT if most is None else min(int(most), ROWS_LIMIT)


def _parsed(text: str) -> list[object] | None:
    try:
        rows = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return rows if isinstance(rows, list) else None


def _refuse_constant(name: str) -> object:
    raise ValueError(name)


def _count_problems(item: Input, count: int) -> list[Problem]:
    least, most = fewest_rows(item), most_rows(item)
    rule = None
    if count < least:
        rule = Broken(f"must have at least {_rows(least)}", hidden=True)
    elif count > most:
        rule = Broken(f"must have at most {_rows(most)}", hidden=True)
    return [broken(item, rule, "")] if rule else []


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"


@dataclass(slots=True)
class _Row:
    """One row, numbered from 0; problems are added to `problems`."""

    item: Input
    number: int
    context: RowsContext
    problems: list[Problem]
    texts: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        return f"{self.item.name}[{self.number}]"

    def read(self, given: object) -> dict[str, object]:
        if not isinstance(given, dict):
            rule = Broken("must be an object with fields", hidden=True)
            self._add(broken(replace(self.item, name=self.place), rule, ""), None)
            return {}
        names = [declared.name for declared in self.item.items]
        for name in given:
            if name not in names:
                shown = name[:80]
                text = f"{self.place}.{shown} is not a field of {self.item.name}"
                problem = Problem("undeclared_input", text, hint=did_you_mean(name, names))
                self._add(problem, shown)
        for declared in self.item.items:
            is_set = self.context.assumed and given.get(declared.name) is not None
            if is_set or declared.is_shown(self._scope()):
                value = self._valued(declared, given.get(declared.name))
                if value is not None:
                    self.texts[declared.name] = value
        if self.problems:
            return {}
        fields = {declared.name: declared for declared in self.item.items}
        return {name: json_value(fields[name], text) for name, text in self.texts.items()}

    def _scope(self) -> dict[str, str]:
        """The values by name: a field hides the input of the same name, also without a value."""
        own = {declared.name for declared in self.item.items}
        outer = {name: text for name, text in self.context.values.items() if name not in own}
        return outer | self.texts

    def _valued(self, declared: Input, given: object) -> str | None:
        """The field's value; None if it has none, or an invalid one."""
        placed = replace(declared, name=f"{self.place}.{declared.name}")
        read = read_value(placed.name, given, placed, hidden=self.context.hidden)
        if isinstance(read, Problem):
            self._add(read, declared.name)
            return None
        # An empty field counts as not set; none is a file.
        text = read if isinstance(read, str) and read else declared.default
        if text is None:
            if not declared.optional:
                problem = Problem(
                    "missing_input",
                    f"{placed.name} is required",
                    declared.line,
                    hint=declared.description or None,
                )
                self._add(problem, declared.name)
            return None
        found = check_value(placed.name, text)
        if found is None and text:
            found = self._fault(declared, placed, text)
        if found:
            self._add(found, declared.name)
        return None if found else text

    def _fault(self, declared: Input, placed: Input, text: str) -> Problem | None:
        path = f"{self.item.name}.{declared.name}"
        choices = self.context.ask(path, placed, self._scope())
        if isinstance(choices, Problem):
            return choices
        return check_text(placed, text, choices=choices, hidden=self.context.hidden)

    def _add(self, problem: Problem, name: str | None) -> None:
        params = {**problem.params, "variable": self.item.name, "row": self.number, "field": name}
        self.problems.append(replace(problem, params=params))
