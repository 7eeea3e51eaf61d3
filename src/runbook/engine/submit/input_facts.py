"""Values for inputs that the server knows: environment, secrets, choices from other runs."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from runbook.core.access import Principal
from runbook.core.document import ChoicesSource, Input, LiveChoices, Problem
from runbook.core.inputs.choices import (
    Choices,
    all_inputs,
    choices_not_allowed,
    choices_not_found,
    choices_not_known,
    read_choices,
)
from runbook.core.inputs.live_choices import Choice, Offered, choices_failed
from runbook.core.inputs.preflight import (
    AskLive,
    InputFacts,
    coerce_values,
    known_row,
    known_values,
)
from runbook.core.inputs.types import OF_DEVICES
from runbook.core.permissions import Permission
from runbook.engine.form_choices import FormChoices
from runbook.engine.parts import Parts
from runbook.engine.requests import FormValues
from runbook.engine.submit.secret_sources import SecretSources
from runbook.errors import NotFoundError
from runbook.library.catalog import Entry

STRICT_SECONDS = 30.0


class InputKnowledge:
    """Gathers facts for one request at a time. Thread-safe."""

    def __init__(self, parts: Parts, live: FormChoices) -> None:
        self._parts = parts
        self._options = parts.options
        self._live = live
        self._secrets = SecretSources(parts.options.supplied, parts.options.secrets_dir)

    def facts(
        self, entry: Entry, principal: Principal | None, hidden: frozenset[str] = frozenset()
    ) -> InputFacts:
        """Without a principal, choices of other runbooks are left out."""
        facts = InputFacts(
            supplied=self._supplied(entry),
            find_secret=self._secrets.find,
            hidden=hidden,
            allow_undeclared=self._options.allow_undeclared_env,
            live=self._valid(entry.ref, principal),
        )
        if principal is None:
            return facts
        return replace(
            facts,
            choices=self.choices(entry, principal),
            check_connection=partial(self._parts.connections.problem, principal=principal),
            find_devices=partial(self._parts.devices.find, principal=principal),
        )

    def _supplied(self, entry: Entry) -> Mapping[str, str]:
        made = self._parts.connections.supplied(entry.document.inputs)
        return {**made, **self._options.supplied} if made else self._options.supplied

    def _valid(self, ref: str, principal: Principal | None) -> AskLive:
        """Asks for strict choices, for a while in all: each row of a list may need others."""
        until = time.monotonic() + STRICT_SECONDS

        def ask(item: Input, live: LiveChoices, above: Mapping[str, str]) -> Choices:
            if principal is None:
                return ()
            if time.monotonic() >= until:
                reason = f"checking all values takes longer than {STRICT_SECONDS:.0f} s"
                return choices_failed(item, live.ref, reason)
            return self._live.valid(ref, principal, item, live, above)

        return ask

    def choices(self, entry: Entry, principal: Principal) -> dict[str, Choices]:
        """The choices from outputs of other runbooks, and connections, or why there are none.

        Those of a list's fields are named `LIST.FIELD`.
        """
        connections = self._parts.connections.choices(entry.document.inputs, principal)
        return connections | {
            item.name: self._choices(entry.ref, item, item.choices_from, principal)
            for item in all_inputs(entry.document.inputs)
            if item.choices_from is not None
        }

    def offered(
        self, entry: Entry, principal: Principal, path: str, values: FormValues, *, anew: bool
    ) -> Offered:
        """The choices for an input or a LIST.FIELD. Raises NotFoundError if it can have none."""
        found = {item.name: item for item in all_inputs(entry.document.inputs)}
        item = found.get(path)
        if item is None:
            raise NotFoundError(f"The runbook has no input {path}.")
        if item.live is not None:
            above = self._above(entry, path, values)
            return self._live.offered(entry.ref, principal, item, item.live, above, anew=anew)
        if item.type in OF_DEVICES:
            return Offered(self._parts.devices.offered(item, principal))
        words: Choices = item.choices
        if item.choices_from is not None:
            words = self._choices(entry.ref, item, item.choices_from, principal)
        elif not words:
            raise NotFoundError(f"The input {path} has no choices.")
        if isinstance(words, Problem):
            return Offered(problem=words)
        return Offered(tuple(Choice(word, word) for word in words))

    def _above(self, entry: Entry, path: str, values: FormValues) -> dict[str, str]:
        """The values by name that choices may depend on: the inputs, then the row's own fields."""
        declared = entry.document.inputs
        name, dot, _ = path.partition(".")
        given, _ = coerce_values(values.env_vars, declared)
        known = known_values(declared, given, self.facts(entry, None))
        if not dot:
            return known
        fields = next(item.items for item in declared if item.name == name)
        row, _ = coerce_values(values.row, fields)
        return known_row(fields, row, known)

    def known_choices(self, entry: Entry, principal: Principal) -> dict[str, tuple[str, ...]]:
        found = self.choices(entry, principal)
        return {name: words for name, words in found.items() if not isinstance(words, Problem)}

    def _choices(
        self, ref: str, item: Input, source: ChoicesSource, principal: Principal
    ) -> Choices:
        other = self._find(ref, source.ref)
        if other is None:
            return choices_not_found(item, source)
        decision = self._parts.authorizer.can(principal, Permission.RUNBOOK_EXECUTE, other)
        if not decision.allowed:
            return choices_not_allowed(item, source, tuple(map(str, decision.missing)))
        outputs = self._parts.store.runs.last_outputs(other.ref)
        if outputs is None:
            return choices_not_known(item, source)
        return read_choices(item, source, outputs.get(source.output))

    def _find(self, ref: str, wanted: str) -> Entry | None:
        """The runbook at a path below the runbooks directory, else below the folder of `ref`.

        A path out of the directory is never a ref.
        """
        beside = posixpath.normpath(posixpath.join(posixpath.dirname(ref), wanted))
        for candidate in (wanted, beside):
            try:
                return self._parts.catalog.get(candidate)
            except NotFoundError:
                continue
        return None
