"""The audit trail: append-only events, each in the transaction of its change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from runbook.core.audit import (
    FIRST_PREVIOUS,
    SYSTEM,
    AuditAction,
    AuditEvent,
    AuditVerification,
    NewAuditEvent,
    Target,
    TargetKind,
    linked,
    verify_events,
)
from runbook.core.storable import storable
from runbook.core.times import Millis
from runbook.store.dialects.portable import Turn, exclusively
from runbook.store.models import AuditFilter, AuditPage
from runbook.store.rows import Component
from runbook.store.tables import audit

MAX_PAGE = 200
VERIFIED_AT_ONCE = 1000
PURGED_AT_ONCE = 10_000
REFUSALS_PER_MINUTE = 60
"""Per subject. Further ones are only logged and counted, because anyone can send requests."""
_MINUTE_MS = 60_000

_EVENTS = sa.select(audit)
_LAST = sa.select(audit.c.n, audit.c.digest).order_by(audit.c.n.desc()).limit(1)
_LAST_OF = (
    _EVENTS.where(audit.c.action == sa.bindparam("wanted"), audit.c.target == sa.bindparam("on"))
    .order_by(audit.c.n.desc())
    .limit(1)
)
_FROM = (
    _EVENTS.where(audit.c.n >= sa.bindparam("first")).order_by(audit.c.n).limit(VERIFIED_AT_ONCE)
)
_LOWEST = -(2**63)
_REFUSALS = sa.select(sa.func.count()).select_from(
    sa.select(audit.c.n)
    .where(
        audit.c.action == AuditAction.ACCESS_REFUSED.value,
        audit.c.subject == sa.bindparam("by"),
        audit.c.at > sa.bindparam("since"),
    )
    .limit(REFUSALS_PER_MINUTE)
    .subquery()
)
_OLDEST = sa.select(audit.c.n, audit.c.at, audit.c.digest).order_by(audit.c.n).limit(PURGED_AT_ONCE)
_DELETE = sa.delete(audit).where(audit.c.n <= sa.bindparam("last"))
_INSERT = sa.insert(audit)


def record(connection: sa.Connection, new: NewAuditEvent | None, at: Millis) -> None:
    """Append the event of a change, if there is one, in the change's transaction."""
    if new is None:
        return
    if new.action is AuditAction.ACCESS_REFUSED:
        append_refusal(connection, new, at)
    else:
        append_audit(connection, new, at)


def append_audit(connection: sa.Connection, new: NewAuditEvent, at: Millis) -> AuditEvent:
    """Append an event in the transaction of the change that it records."""
    exclusively(connection, Turn.AUDIT)
    last = connection.execute(_LAST).first()
    n, previous = (1, FIRST_PREVIOUS) if last is None else (last.n + 1, last.digest)
    # A damaged digest stays what it is: verifying the trail tells.
    event = linked(_storable(new), n, at, str(previous))
    connection.execute(_INSERT, _row_of(event))
    return event


def append_refusal(connection: sa.Connection, new: NewAuditEvent, at: Millis) -> bool:
    """Append a refused access, unless its subject recently had REFUSALS_PER_MINUTE of them."""
    asked = {"by": storable(new.actor.subject), "since": at - _MINUTE_MS}
    if (connection.scalar(_REFUSALS, asked) or 0) >= REFUSALS_PER_MINUTE:
        return False
    append_audit(connection, new, at)
    return True


class Audit(Component):
    def record(self, new: NewAuditEvent) -> AuditEvent:
        """Record an action outside this database, such as a shutdown; on disk on return."""
        return self._database.write(
            lambda connection: append_audit(connection, new, self._clock()), durable=True
        )

    def record_refusal(self, new: NewAuditEvent) -> bool:
        """See append_refusal; False if it was dropped. Reads first, as refusals come in floods."""
        asked = {"by": storable(new.actor.subject), "since": self._clock() - _MINUTE_MS}
        if (self._database.read(lambda c: c.scalar(_REFUSALS, asked)) or 0) >= REFUSALS_PER_MINUTE:
            return False
        return self._database.write(
            lambda connection: append_refusal(connection, new, self._clock())
        )

    def page(
        self, wanted: AuditFilter | None = None, cursor: int | None = None, limit: int = 50
    ) -> AuditPage:
        """The matching events, newest first. `cursor` is an earlier page's `next_cursor`."""
        size = max(1, min(limit, MAX_PAGE))
        statement = _EVENTS.where(*_conditions(wanted or AuditFilter()))
        if cursor is not None:
            statement = statement.where(audit.c.n < cursor)
        found = self._select(statement.order_by(audit.c.n.desc()).limit(size + 1), {})
        page = tuple(found[:size])
        return AuditPage(page, page[-1].n if len(found) > size else None)

    def last(self, action: AuditAction, target: str) -> AuditEvent | None:
        """The latest event for this action and target."""
        found = self._select(_LAST_OF, {"wanted": action.value, "on": target})
        return found[0] if found else None

    def verify(self) -> AuditVerification:
        """Verify the whole chain in parts, as the trail may be long."""
        return verify_events(self._all())

    def purge(self, before: Millis) -> int:
        """Delete the events before a time, and record the last one deleted; see verify_events.

        Keeps each event that follows one to be kept, since a trail may begin later but has no gaps.
        """
        gone = 0
        while count := self._database.write(lambda c: _purge(c, before, self._clock())):
            gone += count
        return gone

    def _all(self) -> Iterator[AuditEvent]:
        first = _LOWEST  # a number below 1 is none of ours: it shows as a gap
        while events := self._select(_FROM, {"first": first}):
            yield from events
            first = events[-1].n + 1

    def _select(self, statement: sa.Select[Any], values: dict[str, Any]) -> list[AuditEvent]:
        return self._database.read(
            lambda connection: [
                _event_of(row) for row in connection.execute(statement, values).mappings()
            ]
        )


def _purge(connection: sa.Connection, before: Millis, at: Millis) -> int:
    old = _leading(connection.execute(_OLDEST).all(), before, at)
    if not old:
        return 0
    last = old[-1]
    append_audit(
        connection,
        NewAuditEvent(
            SYSTEM,
            AuditAction.AUDIT_PURGE,
            Target(TargetKind.STORE, "audit"),
            {"events": len(old), "last_n": last.n, "last_digest": last.digest},
        ),
        at,
    )
    connection.execute(_DELETE, {"last": last.n})
    return len(old)


def _leading(events: Sequence[Any], before: Millis, now: Millis) -> Sequence[Any]:
    """The oldest events that can go, none of which is younger than `before`.

    Clocks are set back and forth: an event with a future time holds back none, and one that only
    seems old takes no others along.
    """
    kept = (n for n, event in enumerate(events) if _is_time(event.at, before, now))
    gone = events[: next(kept, len(events))]
    old = [n for n, event in enumerate(gone) if _is_time(event.at, 0, before - 1)]
    return gone[: old[-1] + 1] if old else ()


def _is_time(at: object, first: Millis, last: Millis) -> bool:
    return isinstance(at, int) and first <= at <= last


def _storable(new: NewAuditEvent) -> NewAuditEvent:
    """The event in text that every database takes: the digest covers what is stored."""
    actor = replace(new.actor, subject=storable(new.actor.subject))
    return replace(new, actor=actor, target=replace(new.target, name=storable(new.target.name)))


def _event_of(row: sa.RowMapping) -> AuditEvent:
    """The event. Where a value is damaged, the event no longer fits its digest."""
    values = dict(row)
    if not isinstance(values["at"], int):
        values["at"] = 0
    if not isinstance(values["details"], dict):
        values["details"] = {"damaged": True}
    for name in ("origin", "address"):
        values[name] = None if values[name] is None else str(values[name])
    for name in ("subject", "action", "target_kind", "target", "previous", "digest"):
        values[name] = str(values[name])
    return AuditEvent(**values)


def _row_of(event: AuditEvent) -> dict[str, Any]:
    return {column.name: getattr(event, column.name) for column in audit.c}


def _conditions(wanted: AuditFilter) -> list[sa.ColumnElement[bool]]:
    equal = (
        (audit.c.subject, wanted.subject),
        (audit.c.action, wanted.action),
        (audit.c.target, wanted.target),
    )
    conditions: list[sa.ColumnElement[bool]] = [
        column == value for column, value in equal if value is not None
    ]
    if wanted.since is not None:
        conditions.append(audit.c.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(audit.c.at < wanted.until)
    return conditions
