"""The form of `execute --ask`, from a source of runbooks."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from runbook.cli.options.inputs import GivenInputs, with_files
from runbook.cli.source.protocol import Json, RunSource
from runbook.cli.terminal.asking import ask_missing
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class SourceForm:
    """Implements `Form`. `given` are the values of the command line."""

    source: RunSource
    ref: str
    given: GivenInputs

    def schema(self) -> Json:
        return self.source.inputs(self.ref)

    def available(self) -> Collection[str]:
        found = self.source.required_env(self.ref)
        return [item["name"] for item in found["available"]]

    def choices(self, path: str, values: Json, row: Json | None) -> Json:
        return self.source.choices(self.ref, path, values, row)

    def problems(self, values: Json) -> Sequence[Json]:
        asked = dataclasses.replace(self.given, values=values)
        report = self.source.validate(self.ref, asked)
        problems: Sequence[Json] = report["problems"]
        return problems


def asked_for(source: RunSource, ref: str, given: GivenInputs) -> GivenInputs:
    """The given values, and those that somebody enters for what is missing."""
    values = ask_missing(SourceForm(source, ref, given), given.values)
    return with_files(dataclasses.replace(given, values=values), lambda: source.inputs(ref))
