"""The host keys of SSH servers: the first that a server shows is the one to expect."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from runbook.core.audit import NewAuditEvent
from runbook.core.ssh.host_key import HostAddress, HostKey, PublicKey
from runbook.store.audit import append_audit
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import host_keys

_OF_ADDRESS = sa.and_(
    host_keys.c.host == sa.bindparam("of_host"), host_keys.c.port == sa.bindparam("of_port")
)
_ONE = sa.select(host_keys).where(_OF_ADDRESS)
_ALL = sa.select(host_keys).order_by(host_keys.c.host, host_keys.c.port)
_MEET = insert(host_keys).on_conflict_do_nothing()
_FORGET = sa.delete(host_keys).where(_OF_ADDRESS)


class HostKeys(Component):
    def of(self, address: HostAddress) -> HostKey | None:
        def work(connection: sa.Connection) -> HostKey | None:
            row = connection.execute(_ONE, _at(address)).mappings().first()
            return None if row is None else _host_key_of(row)

        return self._database.read(work)

    def all(self) -> tuple[HostKey, ...]:
        """By address."""
        return self._database.read(
            lambda c: tuple(_host_key_of(row) for row in c.execute(_ALL).mappings())
        )

    def meet(self, met: HostKey) -> HostKey:
        """Keep the key of a server that has none yet. Returns the one to expect."""

        def work(connection: sa.Connection) -> HostKey:
            connection.execute(_MEET, _row_of(met))
            row = connection.execute(_ONE, _at(met.address)).mappings().one()
            return _host_key_of(row)

        return self._database.write(work, durable=True)

    def replace(self, keys: Iterable[HostKey], audit: NewAuditEvent) -> None:
        """Expect these keys from now on."""

        def work(connection: sa.Connection) -> None:
            for one in keys:
                connection.execute(_FORGET, _at(one.address))
                connection.execute(_MEET, _row_of(one))
            append_audit(connection, audit, self._clock())

        self._database.write(work, durable=True)


def _at(address: HostAddress) -> dict[str, object]:
    return {"of_host": address.host, "of_port": address.port}


def _row_of(one: HostKey) -> dict[str, object]:
    return {
        "host": one.address.host,
        "port": one.address.port,
        "type": one.key.type,
        "key": one.key.base64,
        "first_seen": one.first_seen,
        "run_id": one.run_id,
    }


def _host_key_of(row: sa.RowMapping) -> HostKey:
    return HostKey(
        HostAddress(str(row["host"]), int(row["port"])),
        PublicKey(str(row["type"]), str(row["key"])),
        int(row["first_seen"]),
        row["run_id"],
    )
