"""The installed toolkits. Each change is recorded in the audit trail, in the same transaction."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin
from runbook.store.audit import append_audit
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import counters, toolkits

CHANGES = "toolkits"
"""The counter of changes."""

_ALL = sa.select(toolkits).order_by(toolkits.c.slug)
_OF_SLUG = toolkits.c.slug == sa.bindparam("of_slug")
_ONE = sa.select(toolkits).where(_OF_SLUG)
_INSERT = insert(toolkits)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=["slug"],
    # Not `enabled`: it may have been changed while the new version was prepared.
    set_={
        column.name: _INSERT.excluded[column.name]
        for column in toolkits.c
        if column.name not in ("slug", "enabled")
    },
)
_ENABLE = sa.update(toolkits).where(_OF_SLUG).values(enabled=sa.bindparam("is_enabled"))
_REMOVE = sa.delete(toolkits).where(_OF_SLUG)
_COUNT = (
    insert(counters)
    .values(name=CHANGES, value=1)
    .on_conflict_do_update(index_elements=["name"], set_={"value": counters.c.value + 1})
)
_CHANGES = sa.select(counters.c.value).where(counters.c.name == CHANGES)


class Toolkits(Component):
    def all(self) -> tuple[InstalledToolkit, ...]:
        """By slug."""
        return self._database.read(
            lambda connection: tuple(
                _toolkit_of(dict(row)) for row in connection.execute(_ALL).mappings()
            )
        )

    def get(self, slug: str) -> InstalledToolkit | None:
        def work(connection: sa.Connection) -> InstalledToolkit | None:
            row = connection.execute(_ONE, {"of_slug": slug}).mappings().first()
            return None if row is None else _toolkit_of(dict(row))

        return self._database.read(work)

    def changes(self) -> int:
        """A number that grows with each change."""
        return self._database.read(lambda connection: connection.scalar(_CHANGES)) or 0

    def put(self, toolkit: InstalledToolkit, audit: NewAuditEvent) -> None:
        """Record an installed version in place of the one before, enabled if that one is."""
        values = asdict(toolkit) | {"origin": toolkit.origin.value}

        def work(connection: sa.Connection) -> None:
            connection.execute(_PUT, values)
            self._changed(connection, audit)

        self._database.write(work, durable=True)

    def enable(self, slug: str, audit: NewAuditEvent, *, enabled: bool) -> bool:
        """Enable or disable a toolkit. False, and nothing is recorded, if it isn't installed."""

        def work(connection: sa.Connection) -> bool:
            given = {"of_slug": slug, "is_enabled": enabled}
            if not connection.execute(_ENABLE, given).rowcount:
                return False
            self._changed(connection, audit)
            return True

        return self._database.write(work, durable=True)

    def remove(self, slug: str, audit: NewAuditEvent) -> bool:
        """False, and nothing is recorded, if it isn't installed."""

        def work(connection: sa.Connection) -> bool:
            if not connection.execute(_REMOVE, {"of_slug": slug}).rowcount:
                return False
            self._changed(connection, audit)
            return True

        return self._database.write(work, durable=True)

    def _changed(self, connection: sa.Connection, audit: NewAuditEvent) -> None:
        connection.execute(_COUNT)
        append_audit(connection, audit, self._clock())


def _toolkit_of(row: dict[str, Any]) -> InstalledToolkit:
    return InstalledToolkit(**row | {"origin": ToolkitOrigin(row["origin"])})
