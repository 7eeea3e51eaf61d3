"""Connections on behalf of a principal: list, show, add, edit, remove, check, retrust, reseal."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import field

from runbook import log
from runbook.connectors.kinds import KINDS
from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of
from runbook.core.connection import (
    Connection,
    Kind,
    LastCheck,
    check_claims,
    check_description,
    check_labels,
    check_values,
    name_problem,
)
from runbook.core.document import Problem, texts_of
from runbook.core.inputs.connections import unknown_kind
from runbook.core.permissions import Permission
from runbook.core.ssh.host_key import HostKey, Retrusted
from runbook.core.times import Millis
from runbook.engine.authorization import Authorizer, may_with_connection
from runbook.engine.connections.asking import ask
from runbook.engine.connections.book import ConnectionBook
from runbook.engine.connections.retrust import retrusted
from runbook.errors import (
    ConflictError,
    InvalidConnectionError,
    NotFoundError,
    StoreUnavailableError,
)
from runbook.quick_dataclass import dataclass
from runbook.store.store import Store

_READ, _WRITE = Permission.CONNECTION_READ, Permission.CONNECTION_WRITE


@dataclass(frozen=True, slots=True)
class NewConnection:
    """A connection to add, unchecked; `values` include the secrets."""

    name: str
    kind: str
    values: Mapping[str, object] = field(repr=False)
    claims: Mapping[str, object] = field(default_factory=dict)
    labels: Mapping[str, object] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """What to change, unchecked; None leaves it as it is.

    Of `values`, only those named change, and null removes one. `claims` and `labels` replace those
    before. With `revision`, the connection must not have changed since that one.
    """

    values: Mapping[str, object] = field(default_factory=dict, repr=False)
    claims: Mapping[str, object] | None = None
    labels: Mapping[str, object] | None = None
    description: str | None = None
    revision: int | None = None


class Connections:
    """`Engine.connections`. Thread-safe. Methods raise AccessDeniedError, and audit that."""

    def __init__(
        self,
        store: Store,
        authorizer: Authorizer,
        book: ConnectionBook,
        clock: Callable[[], Millis],
        search_path: str,
    ) -> None:
        self._store = store
        self._authorizer = authorizer
        self._book = book
        self._clock = clock
        self._search_path = search_path

    def kinds(self) -> Collection[Kind]:
        return KINDS.values()

    def list(self, principal: Principal, kind: str | None = None) -> Sequence[Connection]:
        """Those that the principal may see, by name."""
        self._authorizer.require(principal, _READ)
        return [
            one
            for one in self._store.connections.all()
            if kind in (None, one.kind) and may_with_connection(principal, _READ, one).allowed
        ]

    def show(self, name: str, principal: Principal) -> Connection:
        """Raises NotFoundError."""
        return self._found(name, principal, _READ)

    def usable(self, connection: Connection, principal: Principal) -> bool:
        return may_with_connection(principal, Permission.CONNECTION_USE, connection).allowed

    def add(self, new: NewConnection, principal: Principal) -> Connection:
        """Raises InvalidConnectionError and DuplicateError."""
        self._authorizer.require(principal, _WRITE)
        named = name_problem(new.name)
        kind = _kind(new.kind, [named] if named else [])
        values, problems = check_values(kind, new.values)
        claims, unfit = check_claims(new.claims)
        problems += [*unfit, *check_labels(new.labels), *check_description(new.description)]
        _raise(([named] if named else []) + problems)
        now = self._clock()
        made = Connection(
            name=new.name,
            kind=kind.name,
            claims=claims,
            labels={name: str(text) for name, text in new.labels.items()},
            description=new.description,
            created_at=now,
            updated_at=now,
            updated_by=principal.subject,
        )
        made = self._with_values(made, kind, values, now)
        details = {"kind": kind.name, "fields": sorted(values), "claims": _claims_json(made)}
        self._store.connections.add(
            made, _event(AuditAction.CONNECTION_ADD, made.name, principal, details)
        )
        log.event("connection.added", connection=made.name, by=principal.subject)
        return made

    def edit(self, name: str, changes: Changes, principal: Principal) -> Connection:
        """Raises NotFoundError, InvalidConnectionError, and ConflictError if it has changed.

        Runs that wait use the new values; those that have started keep the ones they got.
        """
        before = self._found(name, principal, _WRITE)
        if changes.revision not in (None, before.revision):
            raise ConflictError(f"The connection {name} has changed meanwhile: read it again.")
        changed = self._changed(before, changes, principal)
        details = _differences(before, changed, changes)
        self._store.connections.replace(
            changed, _event(AuditAction.CONNECTION_EDIT, name, principal, details)
        )
        log.event("connection.edited", connection=name, by=principal.subject)
        return changed

    def _changed(self, before: Connection, changes: Changes, principal: Principal) -> Connection:
        kind = _kind(before.kind)
        secrets = self._known_secrets(before)
        values, problems = check_values(kind, {**before.values, **secrets, **changes.values})
        claims, unfit = check_claims(before.claims if changes.claims is None else changes.claims)
        labels = before.labels if changes.labels is None else changes.labels
        text = before.description if changes.description is None else changes.description
        _raise([*problems, *unfit, *check_labels(labels), *check_description(text)])
        now = self._clock()
        changed = dataclasses.replace(
            before,
            claims=claims,
            labels={name: str(label) for name, label in labels.items()},
            description=text,
            revision=before.revision + 1,
            updated_at=now,
            updated_by=principal.subject,
            # The result of a check says nothing of other values.
            check=before.check if not changes.values else None,
        )
        if {name: values[name] for name in kind.secrets & values.keys()} == secrets:
            return dataclasses.replace(changed, values=_open(kind, values))
        return self._with_values(changed, kind, values, now)

    def _known_secrets(self, connection: Connection) -> dict[str, str]:
        """None of them if they can't be decrypted: they have to be set again."""
        try:
            return self._book.vault.open(connection.name, connection.sealed)
        except StoreUnavailableError:
            log.warning("connection.not_opened", connection=connection.name)
            return {}

    def _with_values(
        self, made: Connection, kind: Kind, values: Mapping[str, object], now: Millis
    ) -> Connection:
        secrets = {name: str(values[name]) for name in kind.secrets & values.keys()}
        return dataclasses.replace(
            made,
            values=_open(kind, values),
            secrets=frozenset(secrets),
            sealed=self._book.vault.seal(made.name, secrets) if secrets else None,
            rotated_at=now,
        )

    def remove(self, name: str, principal: Principal) -> None:
        """Raises NotFoundError. Runs that wait for it to be used fail when they start."""
        found = self._found(name, principal, _WRITE)
        details = {"kind": found.kind}
        self._store.connections.remove(
            name, _event(AuditAction.CONNECTION_REMOVE, name, principal, details)
        )
        log.event("connection.removed", connection=name, by=principal.subject)

    def check(self, name: str, principal: Principal) -> LastCheck:
        """Ask the system whether it answers and accepts the credentials; the result is kept.

        Raises NotFoundError, and StoreUnavailableError if the secrets can't be decrypted.
        """
        found = self._found(name, principal, _READ)
        answer = ask(self._book.open(found), self._store, self._search_path)
        now = self._clock()
        for address, key in answer.host_keys.items():
            self._store.host_keys.meet(HostKey(address, key, now))
        result = LastCheck(answer.ok, answer.code, answer.message, answer.version, now)
        details = {"ok": result.ok, "code": result.code}
        self._store.connections.keep_check(
            found, result, _event(AuditAction.CONNECTION_CHECK, name, principal, details)
        )
        return result

    def retrust(
        self,
        name: str,
        principal: Principal,
        *,
        host: str | None = None,
        fingerprint: str | None = None,
    ) -> Retrusted:
        """Trust the host keys that the SSH servers of a connection show now.

        `host` is another host that is reached with the connection's values. With `fingerprint`, a
        new key must be this one. Raises what `check` raises.
        """
        found = self._found(name, principal, _WRITE)
        opened = self._book.open(found)
        if host is not None:
            opened = dataclasses.replace(opened, values={**opened.values, "host": host})
        answer = ask(opened, self._store, self._search_path, scan=True)
        result = retrusted(answer, self._store.host_keys.of, fingerprint)
        changed = [one for one in result.host_keys if one.is_changed]
        if changed:
            now = self._clock()
            details = {"kind": found.kind, "host_keys": [one.as_details() for one in changed]}
            self._store.host_keys.replace(
                [HostKey(one.address, one.key, now) for one in changed],
                _event(AuditAction.CONNECTION_RETRUST, name, principal, details),
            )
            log.event("connection.retrusted", connection=name, by=principal.subject)
        return result

    def reseal(self, principal: Principal) -> int:
        """Encrypt all secrets with a new key. Returns how many connections have secrets.

        Running processes notice by themselves. Raises StoreUnavailableError if some secrets can't
        be decrypted; nothing has changed then.
        """
        self._authorizer.require(principal, _WRITE)
        with self._book.vault.renewing(self._store.connections.keys) as renewal:
            details = {"key_id": renewal.key_id}
            event = _event(AuditAction.CONNECTIONS_RESEAL, "connections", principal, details)
            event = dataclasses.replace(event, target=Target(TargetKind.KEY, "connections"))
            count = self._store.connections.reseal(renewal.again, event)
        log.event("connections.resealed", connections=count, by=principal.subject)
        return count

    def _found(self, name: str, principal: Principal, permission: Permission) -> Connection:
        self._authorizer.require(principal, permission)
        found = self._store.connections.get(name)
        if found is None:
            raise NotFoundError(f"There is no connection named {name[:80]}.")
        self._authorizer.require(principal, permission, found)
        return found


def _kind(name: str, others: Sequence[Problem] = ()) -> Kind:
    if name not in KINDS:
        _raise([*others, unknown_kind(name, KINDS)])
    return KINDS[name]


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise InvalidConnectionError("; ".join(texts_of(problems)), problems=tuple(problems))


def _open(kind: Kind, values: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in values.items() if name not in kind.secrets}


def _event(
    action: AuditAction, name: str, principal: Principal, details: Mapping[str, object]
) -> NewAuditEvent:
    return NewAuditEvent(actor_of(principal), action, Target(TargetKind.CONNECTION, name), details)


def _claims_json(connection: Connection) -> dict[str, list[str]]:
    return {name: list(allowed) for name, allowed in connection.claims.items()}


def _differences(before: Connection, after: Connection, changes: Changes) -> dict[str, object]:
    """What has changed, for the audit trail: secrets and other values by their names only."""
    names = {
        name
        for name in before.values.keys() | after.values.keys()
        if before.values.get(name) != after.values.get(name)
    }
    details: dict[str, object] = {"kind": after.kind, "revision": after.revision}
    rotated = before.rotated_at != after.rotated_at or before.sealed != after.sealed
    secrets = (after.secrets | before.secrets) & changes.values.keys() if rotated else set()
    details["fields"] = sorted(names | secrets)
    if before.claims != after.claims:
        details |= {"claims": _claims_json(after), "claims_before": _claims_json(before)}
    if dict(before.labels) != dict(after.labels):
        details["labels"] = dict(after.labels)
    return details
