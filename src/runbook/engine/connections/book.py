"""Looks connections up by name, for forms and for runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from runbook.core.access import Decision, Principal, authorize, was_local
from runbook.core.connection import Connection, ConnectionUse, Opened, opened
from runbook.core.document import Input, Problem
from runbook.core.inputs.choices import Choices
from runbook.core.inputs.connections import (
    connection_inputs,
    not_allowed,
    not_found,
    unknown_kind,
    wrong_kind,
)
from runbook.core.inputs.devices import device_inputs
from runbook.core.inventory.device import Device
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.engine.authorization import may_with_connection
from runbook.engine.connections.loose import LooseConnections
from runbook.engine.connections.vault import Vault
from runbook.errors import RunbookError
from runbook.quick_dataclass import dataclass
from runbook.store.store import Store

_USE = Permission.CONNECTION_USE


class UnusableConnectionError(RunbookError):
    """A run may not use a connection, or it doesn't exist. The problem says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message, problems=(problem,))
        self.problem = problem


@dataclass(frozen=True, slots=True)
class InUse:
    """The connection of one input of a run, with its secrets."""

    input: str
    opened: Opened
    device: Device | None = None
    """The device that the connection is for, if the input is a device."""

    @property
    def use(self) -> ConnectionUse:
        one = self.opened
        return ConnectionUse(self.input, one.name, one.kind, one.revision)

    def as_json(self) -> str:
        if self.device is None:
            return self.opened.as_json()
        from runbook.core.inventory.script import script_json

        return self.opened.as_json(device=script_json(self.device))


class ConnectionBook:
    """Thread-safe. Loose connections take precedence over those in the database."""

    def __init__(
        self, store: Store, vault: Vault, loose: LooseConnections, *, enforce_claims: bool
    ) -> None:
        self._store = store
        self.vault = vault
        self._loose = loose
        self._enforce_claims = enforce_claims

    def choices(self, inputs: Sequence[Input], principal: Principal) -> dict[str, Choices]:
        """For each input of type connection, the connections that the principal may use."""
        wanted = connection_inputs(inputs)
        known = self._store.connections.all() if wanted else ()
        return {item.name: self._choices(item, known, principal) for item in wanted}

    def _choices(self, item: Input, known: Sequence[Connection], principal: Principal) -> Choices:
        from runbook.connectors.kinds import KINDS

        kind = item.kind or ""
        if kind not in KINDS:
            return unknown_kind(kind, KINDS, item.line)
        usable = (
            one.name
            for one in known
            if one.kind == kind and may_with_connection(principal, _USE, one).allowed
        )
        return tuple(dict.fromkeys((*self._loose.names(kind), *usable)))

    def supplied(self, inputs: Sequence[Input]) -> Mapping[str, str]:
        """The connections of inputs that aren't set, by input: see LooseConnections.for_input."""
        return {
            item.name: name
            for item in (*connection_inputs(inputs), *device_inputs(inputs))
            if item.kind is not None
            if (name := self._loose.for_input(item.name, item.kind)) is not None
        }

    def is_loose(self, item: Input, name: str) -> bool:
        """Whether there is such a connection for this process only: it makes a device by itself."""
        try:
            return self._loose.find(name, item.kind or "") is not None
        except RunbookError:  # told when it's opened
            return True

    def problem(self, item: Input, name: str, principal: Principal) -> Problem | None:
        """Why the principal can't use this connection for this input."""
        try:
            found = self._find(item, name)
        except RunbookError as error:
            return _unusable(item, name, error)
        if found is None:
            usable = self._choices(item, self._store.connections.all(), principal)
            return not_found(item, name, () if isinstance(usable, Problem) else usable)
        if item.kind not in (None, found.kind):
            return wrong_kind(item, name, found.kind)
        if isinstance(found, Connection):
            return _refused(item, name, may_with_connection(principal, _USE, found))
        return None

    def secrets(self, inputs: Sequence[Input], values: Mapping[str, str]) -> Sequence[str]:
        """The secrets of connections that can be used, to keep them out of what is recorded."""
        wanted = [item for item in connection_inputs(inputs) if values.get(item.name)]
        return [text for item in wanted for text in self.secrets_of(item, values[item.name])]

    def secrets_of(self, item: Input, name: str) -> Sequence[str]:
        try:
            one = self._find(item, name)
            opened_ = self.open(one) if isinstance(one, Connection) else one
        except RunbookError:  # told when the run starts
            return ()
        return opened_.secrets if opened_ else ()

    def usable(self, principal: Principal, kind: str | None = None) -> frozenset[str]:
        """The names of the connections, of this kind or any, that the principal may use."""
        return frozenset(self._loose.given) | {
            one.name
            for one in self._store.connections.all()
            if kind in (None, one.kind) and may_with_connection(principal, _USE, one).allowed
        }

    def of_run(
        self, run: Run, inputs: Sequence[Input], values: Mapping[str, str]
    ) -> tuple[InUse, ...]:
        """The connections that a run gets, as they are now, checked again.

        Raises UnusableConnectionError, and StoreUnavailableError if one can't be decrypted.
        """
        wanted = [item for item in connection_inputs(inputs) if values.get(item.name)]
        return tuple(
            InUse(item.name, self.opened_for(item, values[item.name], run)) for item in wanted
        )

    def opened_for(self, item: Input, name: str, run: Run) -> Opened:
        """The connection `name` for an input of a run, whose kind, if it has one, must be its own.

        Raises UnusableConnectionError, and StoreUnavailableError if it can't be decrypted.
        """
        found = self._find(item, name)
        if found is None:
            raise UnusableConnectionError(not_found(item, name, ()))
        if item.kind not in (None, found.kind):
            raise UnusableConnectionError(wrong_kind(item, name, found.kind))
        if isinstance(found, Opened):
            return found
        decision = authorize(self.requester_of(run), found.required_claims, _USE)
        if (problem := _refused(item, name, decision)) is not None:
            raise UnusableConnectionError(problem)
        return self.open(found)

    def open(self, connection: Connection) -> Opened:
        """With its secrets. Raises StoreUnavailableError if they can't be decrypted."""
        from runbook.connectors.kinds import KINDS

        secrets = self.vault.open(connection.name, connection.sealed)
        values = {**connection.values, **secrets}
        return opened(connection.name, KINDS[connection.kind], values, connection.revision)

    def _find(self, item: Input, name: str) -> Connection | Opened | None:
        loose = self._loose.find(name, item.kind or "")
        return loose or self._store.connections.get(name)

    def requester_of(self, run: Run) -> Principal:
        """Who asked for the run. What a script calls is asked for by its run's requester."""
        who = run.requester
        local = was_local(who)
        if not local and run.tree.root_id is not None:
            root = self._store.runs.get(run.tree.root_id)
            local = root is not None and was_local(root.requester)
        local = local and not self._enforce_claims
        return Principal(who.subject, who.origin, who.claims, who.address, local=local)


def _refused(item: Input, name: str, decision: Decision) -> Problem | None:
    if decision.allowed:
        return None
    return not_allowed(item, name, tuple(map(str, decision.missing)))


def _unusable(item: Input, name: str, error: RunbookError) -> Problem:
    return Problem(
        "connection_unusable",
        f"{item.name}: {error.message}",
        params={"variable": item.name, "connection": name},
    )
