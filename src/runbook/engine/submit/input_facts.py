"""Values for inputs that the server knows: environment, secrets, choices from other runs."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from runbook.core.access import Principal
from runbook.core.document import ChoicesSource, Input, Problem
from runbook.core.inputs.choices import (
    Choices,
    choices_not_allowed,
    choices_not_found,
    choices_not_known,
    read_choices,
)
from runbook.core.inputs.preflight import InputFacts
from runbook.core.permissions import Permission
from runbook.engine.parts import Parts
from runbook.engine.submit.secret_sources import SecretSources
from runbook.errors import NotFoundError
from runbook.library.catalog import Entry


class InputKnowledge:
    """Gathers facts for one request at a time. Thread-safe."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._options = parts.options
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
        )
        if principal is None:
            return facts
        return replace(
            facts,
            choices=self.choices(entry, principal),
            check_connection=partial(self._parts.connections.problem, principal=principal),
        )

    def _supplied(self, entry: Entry) -> Mapping[str, str]:
        made = self._parts.connections.supplied(entry.document.inputs)
        return {**made, **self._options.supplied} if made else self._options.supplied

    def choices(self, entry: Entry, principal: Principal) -> dict[str, Choices]:
        """The choices from outputs of other runbooks, and connections, or why there are none."""
        connections = self._parts.connections.choices(entry.document.inputs, principal)
        return connections | {
            item.name: self._choices(entry.ref, item, item.choices_from, principal)
            for item in entry.document.inputs
            if item.choices_from is not None
        }

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
