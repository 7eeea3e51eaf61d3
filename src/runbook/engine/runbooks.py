"""Reading runbooks on behalf of a principal: texts, lists, inputs, history."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from runbook.core.access import Principal
from runbook.core.document import Input, InputType
from runbook.core.inputs.live_choices import Offered
from runbook.core.inputs.preflight import RequiredEnv, required_env
from runbook.core.inputs.schema import input_schema
from runbook.core.inputs.secret_names import is_sensitive
from runbook.core.language.policy_rules import known_locks
from runbook.core.permissions import Permission
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter
from runbook.core.waiting import LockWait
from runbook.engine.parts import Parts
from runbook.engine.requests import FormValues, Listed, RunbookText
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.errors import NotFoundError
from runbook.library.catalog import Entry, Found
from runbook.store.models import LastRun

if TYPE_CHECKING:
    from runbook.library.history_pages import HistoryPage, PagedEntry


class RunbookReader:
    """`Engine.runbooks`. Thread-safe."""

    def __init__(self, parts: Parts, knowledge: InputKnowledge) -> None:
        self._parts = parts
        self._authorizer = parts.authorizer
        self._knowledge = knowledge
        self._merging = threading.Lock()
        self._last_runs: dict[str, LastRun] = {}
        self._last_revision = 0

    def entry(self, ref: str) -> Entry:
        """Raises NotFoundError."""
        return self._parts.catalog.get(ref)

    def readable_entry(self, ref: str, principal: Principal) -> Entry:
        """Raises NotFoundError, and AccessDeniedError if the principal may not read it."""
        entry = self.entry(ref)
        self._authorizer.require(principal, Permission.RUNBOOK_READ, entry)
        return entry

    def text_for(self, ref: str, principal: Principal) -> RunbookText:
        """The text of a runbook, with its history if the principal may read that.

        Raises as `readable_entry`.
        """
        entry = self._parts.runbooks.get(ref)
        self._authorizer.require(principal, Permission.RUNBOOK_READ, entry)
        can = self._authorizer.can
        with_history = can(principal, Permission.RUNBOOK_HISTORY, entry).allowed
        content = self._parts.catalog.content(ref) if with_history else entry.head
        return RunbookText(entry, can(principal, Permission.RUNBOOK_EXECUTE, entry), content)

    def listing(self, principal: Principal, wanted: RunbookFilter = ALL_RUNBOOKS) -> list[Listed]:
        """The runbooks that the principal may list, by ref."""
        catalog = self._parts.catalog
        can, text = self._authorizer.can, wanted.text

        def may_read(entry: Entry) -> bool:
            return can(principal, Permission.RUNBOOK_READ, entry).allowed

        found = catalog.search(text, may_read) if text else map(Found, catalog.list().entries)
        last_runs = self.last_runs()
        return [
            self._listed(one, principal, last_runs)
            for one in found
            if wanted.fits(one.entry.document.front)
            and can(principal, Permission.RUNBOOK_LIST, one.entry).allowed
        ]

    def _listed(
        self, found: Found, principal: Principal, last_runs: Mapping[str, LastRun]
    ) -> Listed:
        """The last run is shown only to principals who may read all runs of the runbook."""
        entry, can = found.entry, self._authorizer.can
        last_run = last_runs.get(entry.ref)
        shown = last_run and can(principal, Permission.RUN_READ, entry).allowed
        decision = can(principal, Permission.RUNBOOK_EXECUTE, entry)
        return Listed(entry, decision, last_run if shown else None, found.match)

    def last_runs(self) -> Mapping[str, LastRun]:
        """The last run of each runbook. Only changes are read from the store."""
        changed = self._parts.store.runbooks.last_runs(self._last_revision)
        with self._merging:
            # Later changes may have arrived while this answer was on its way.
            if changed.revision > self._last_revision:
                self._last_runs.update((row.ref, row) for row in changed.rows)
                self._last_revision = changed.revision
        return self._last_runs

    def listing_version(self) -> tuple[int, int]:
        """Changes whenever the answer of `listing` may have changed."""
        self.last_runs()
        return self._parts.catalog.list().generation, self._last_revision

    def history(
        self, ref: str, principal: Principal, *, before: int | None, limit: int
    ) -> HistoryPage:
        """A page of the history: see library.history_pages.read_page, and stored_history.

        Raises NotFoundError, HistoryError, and AccessDeniedError without runbook.history.
        """
        from runbook.engine.stored_history import stored_page
        from runbook.library.history_pages import read_page

        entry, path = self._history_of(ref, principal)
        if not self._parts.options.history_in_file:
            return stored_page(self._parts, ref, before=before, limit=limit)
        return read_page(path, entry, before=before, limit=limit)

    def history_entry(self, ref: str, principal: Principal, n: int) -> PagedEntry:
        """One entry of the history. Raises as `history`."""
        from runbook.engine.stored_history import stored_entry
        from runbook.library.history_pages import read_entry

        entry, path = self._history_of(ref, principal)
        if self._parts.options.history_in_file:
            found = read_entry(path, entry, n)
        else:
            found = stored_entry(self._parts, ref, n)
        if found is None:
            raise NotFoundError(f"The history has no entry {n}.")
        return found

    def stored_runs(self, entries: Iterable[PagedEntry]) -> frozenset[str]:
        """The ids of those runs in a history that are still stored."""
        return self._parts.store.runs.known(entry.record.run_id for entry in entries)

    def _history_of(self, ref: str, principal: Principal) -> tuple[Entry, Path]:
        entry = self.entry(ref)
        self._authorizer.require(principal, Permission.RUNBOOK_HISTORY, entry)
        return entry, self._parts.catalog.path(ref)

    def required_env(self, ref: str, principal: Principal) -> RequiredEnv:
        """The inputs of a runbook, and which the server supplies. Raises as `readable_entry`."""
        entry = self.readable_entry(ref, principal)
        return required_env(entry.document, self._knowledge.facts(entry, None))

    def input_schema(self, ref: str, principal: Principal) -> Mapping[str, object]:
        """The inputs as a JSON Schema, with the choices known so far.

        Raises as `readable_entry`.
        """
        entry = self.readable_entry(ref, principal)
        choices = self._knowledge.known_choices(entry, principal)
        schema_id = f"{self._parts.options.api_url}/{quote(ref)}/inputs"
        return input_schema(entry.document, schema_id=schema_id, choices=choices)

    def choices(
        self, ref: str, principal: Principal, path: str, values: FormValues, *, anew: bool = False
    ) -> Offered:
        """The choices for an input, or for a list's field, `LIST.FIELD`.

        Raises NotFoundError, and AccessDeniedError without runbook.validate.
        """
        entry = self.entry(ref)
        self._authorizer.require(principal, Permission.RUNBOOK_VALIDATE, entry)
        return self._knowledge.offered(entry, principal, path, values, anew=anew)

    def locks(
        self, ref: str, principal: Principal, given: Mapping[str, str]
    ) -> Mapping[str, LockWait | None]:
        """The locks that a run with these inputs would take, each with its current holder.

        Locks that depend on inputs without a value are left out. Raises NotFoundError, and
        AccessDeniedError without runbook.validate.
        """
        entry = self.entry(ref)
        self._authorizer.require(principal, Permission.RUNBOOK_VALIDATE, entry)
        runbook = entry.document.runbook
        if runbook is None:
            return {}
        values = _known_values(runbook.inputs, given)
        for item in runbook.inputs:
            if item.type is InputType.DEVICES:  # whose names are known once it is requested
                values.pop(item.name, None)
        wants = known_locks(runbook.policy, ref, values)
        return {want.name: self._parts.store.locks.holder(want) for want in wants}


def _known_values(inputs: Iterable[Input], given: Mapping[str, str]) -> dict[str, str]:
    """The given values and the defaults; an optional input without either is empty."""
    values: dict[str, str] = {}
    for item in inputs:
        value = given.get(item.name, item.default)
        if value is None and item.optional:
            value = ""
        if value is not None and item.is_shown(values) and not is_sensitive(item):
            values[item.name] = value
    return values
