"""Connections. Each change is recorded in the audit trail, in the same transaction.

Secrets arrive and leave encrypted: the store has no key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.connection import Connection, ConnectionUse, LastCheck, LastUse, Sealed
from runbook.core.storable import storable
from runbook.errors import ConflictError, DuplicateError, NotFoundError
from runbook.store.audit import append_audit
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import connection_uses, connections, runs

_ALL = sa.select(connections).order_by(connections.c.name)
# The last use, found by an index however many there are.
_LAST = (
    sa.select(connection_uses.c.at, runs.c.id)
    .join(runs, runs.c.seq == connection_uses.c.run_seq)
    .where(connection_uses.c.name == connections.c.name)
    .order_by(connection_uses.c.run_seq.desc())
    .limit(1)
    .correlate(connections)
)
_SEEN = sa.select(
    connections,
    _LAST.with_only_columns(runs.c.id).scalar_subquery().label("used_by"),
    _LAST.with_only_columns(connection_uses.c.at).scalar_subquery().label("used_at"),
)
_OF_NAME = connections.c.name == sa.bindparam("of_name")
_ALL_SEEN = _SEEN.order_by(connections.c.name)
_ONE = _SEEN.where(_OF_NAME)
_INSERT = sa.insert(connections)
_OF_REVISION = connections.c.revision == sa.bindparam("of_revision")
_REPLACE = sa.update(connections).where(_OF_NAME, _OF_REVISION)
_CHECKED = (
    sa.update(connections).where(_OF_NAME, _OF_REVISION).values(last_check=sa.bindparam("result"))
)
_SEAL = (
    sa.update(connections)
    .where(_OF_NAME)
    .values(key_id=sa.bindparam("by_key"), sealed=sa.bindparam("data"))
)
_REMOVE = sa.delete(connections).where(_OF_NAME)
_KEYS = sa.select(connections.c.key_id).where(connections.c.key_id.is_not(None)).distinct()
_SEQ_OF_OWN = sa.select(runs.c.seq).where(
    runs.c.id == sa.bindparam("run_id"), runs.c.worker_id == sa.bindparam("owner")
)
_USE = insert(connection_uses).on_conflict_do_nothing()
_USES = (
    sa.select(connection_uses)
    .where(connection_uses.c.run_seq == SEQ_BY_ID)
    .order_by(connection_uses.c.input)
)


class Connections(Component):
    def all(self) -> tuple[Connection, ...]:
        """By name, without those whose rows are damaged: `get` says that they are."""
        return self._database.read(
            lambda c: tuple(
                one for row in c.execute(_ALL_SEEN).mappings() if (one := _whole(row)) is not None
            )
        )

    def get(self, name: str) -> Connection | None:
        def work(connection: sa.Connection) -> Connection | None:
            row = connection.execute(_ONE, {"of_name": name}).mappings().first()
            return None if row is None else _connection_of(row)

        return self._database.read(work)

    def add(self, new: Connection, audit: NewAuditEvent) -> None:
        """Raises DuplicateError."""

        def work(connection: sa.Connection) -> None:
            connection.execute(_INSERT, _row_of(new))
            append_audit(connection, audit, self._clock())

        try:
            self._database.write(work, durable=True)
        except DuplicateError:
            raise DuplicateError(f"There is a connection named {new.name} already.") from None

    def replace(self, changed: Connection, audit: NewAuditEvent) -> None:
        """Record a changed connection, whose revision is one more than that of the row.

        Raises ConflictError if it has changed meanwhile, NotFoundError if it was removed.
        """
        values = _row_of(changed)
        given = {"of_name": values.pop("name"), "of_revision": changed.revision - 1}

        def work(connection: sa.Connection) -> None:
            if not connection.execute(_REPLACE.values(**values), given).rowcount:
                if connection.execute(_ONE, {"of_name": changed.name}).first() is None:
                    raise _no_such(changed.name)
                raise ConflictError(
                    f"The connection {changed.name} has changed meanwhile: read it again."
                )
            append_audit(connection, audit, self._clock())

        self._database.write(work, durable=True)

    def remove(self, name: str, audit: NewAuditEvent) -> None:
        """Raises NotFoundError."""

        def work(connection: sa.Connection) -> None:
            if not connection.execute(_REMOVE, {"of_name": name}).rowcount:
                raise _no_such(name)
            append_audit(connection, audit, self._clock())

        self._database.write(work, durable=True)

    def keep_check(self, of: Connection, check: LastCheck, audit: NewAuditEvent) -> None:
        """Record the result of a check, unless the connection has changed meanwhile."""

        def work(connection: sa.Connection) -> None:
            given = {"of_name": of.name, "of_revision": of.revision, "result": _check_row(check)}
            if connection.execute(_CHECKED, given).rowcount:
                append_audit(connection, audit, self._clock())

        self._database.write(work)

    def keys(self) -> frozenset[str]:
        """The IDs of the keys that secrets are encrypted with."""
        return self._database.read(lambda c: frozenset(map(str, c.scalars(_KEYS))))

    def reseal(self, again: Callable[[str, Sealed], Sealed], audit: NewAuditEvent) -> int:
        """Encrypt all secrets again, all or none. Returns the number of connections that have any.

        `again` gets a connection's name and secrets, and may raise.
        """

        def work(connection: sa.Connection) -> int:
            rows = connection.execute(_ALL.with_for_update()).mappings().all()
            found = [one for row in rows if (one := _connection_of(row)).sealed is not None]
            for one in found:
                assert one.sealed is not None  # noqa: S101 - selected so
                sealed = again(one.name, one.sealed)
                given = {"of_name": one.name, "by_key": sealed.key_id, "data": sealed.data}
                connection.execute(_SEAL, given)
            append_audit(connection, audit, self._clock())
            return len(found)

        return self._database.write(work, durable=True)

    def use(self, run_id: str, worker_id: str, uses: Sequence[ConnectionUse]) -> None:
        """Record what a run of this worker uses. Does nothing if it is no longer its own."""

        def work(connection: sa.Connection) -> None:
            seq = connection.scalar(_SEQ_OF_OWN, {"run_id": run_id, "owner": worker_id})
            if seq is not None:
                now = self._clock()
                rows = [{**asdict(use), "run_seq": seq, "at": now} for use in uses]
                connection.execute(_USE, rows)

        if uses:
            self._database.write(work)

    def used_by(self, run_id: str) -> tuple[ConnectionUse, ...]:
        """What a run used, by input."""
        return self._database.read(
            lambda c: tuple(_use_of(row) for row in c.execute(_USES, {"run_id": run_id}).mappings())
        )


def _no_such(name: str) -> NotFoundError:
    return NotFoundError(f"There is no connection named {name}.")


def _row_of(one: Connection) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind,
        "fields": dict(one.values),
        "secrets": sorted(one.secrets),
        "claims": {name: list(allowed) for name, allowed in one.claims.items()},
        "labels": dict(one.labels),
        "description": one.description,
        "revision": one.revision,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "updated_by": storable(one.updated_by),
        "rotated_at": one.rotated_at,
        "last_check": None if one.check is None else _check_row(one.check),
        "key_id": None if one.sealed is None else one.sealed.key_id,
        "sealed": None if one.sealed is None else one.sealed.data,
    }


def _check_row(check: LastCheck) -> dict[str, Any]:
    row = asdict(check)
    return {name: storable(text) if isinstance(text, str) else text for name, text in row.items()}


def _connection_of(row: sa.RowMapping) -> Connection:
    """Raises ValueError and the like for a damaged row: nobody may use it then."""
    check: Mapping[str, Any] | None = row["last_check"]
    return Connection(
        name=str(row["name"]),
        kind=str(row["kind"]),
        values=dict(row["fields"]),
        secrets=frozenset(row["secrets"]),
        claims={name: tuple(allowed) for name, allowed in row["claims"].items()},
        labels=dict(row["labels"]),
        description=str(row["description"]),
        revision=int(row["revision"]),
        created_at=int(row["created_at"]),
        updated_at=int(row["updated_at"]),
        updated_by=str(row["updated_by"]),
        rotated_at=row["rotated_at"],
        check=None if check is None else LastCheck(**check),
        last_use=_last_use_of(row),
        sealed=None if row["sealed"] is None else Sealed(str(row["key_id"]), bytes(row["sealed"])),
    )


def _last_use_of(row: sa.RowMapping) -> LastUse | None:
    run_id, at = row.get("used_by"), row.get("used_at")
    return None if run_id is None or at is None else LastUse(str(run_id), int(at))


def _whole(row: sa.RowMapping) -> Connection | None:
    try:
        return _connection_of(row)
    except (LookupError, TypeError, ValueError, AttributeError):
        return None


def _use_of(row: sa.RowMapping) -> ConnectionUse:
    revision = row["revision"]
    return ConnectionUse(
        str(row["input"]),
        str(row["name"]),
        str(row["kind"]),
        revision if isinstance(revision, int) else None,
    )
