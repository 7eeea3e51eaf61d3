"""The documents that runs execute, each stored once."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.times import Millis
from runbook.store.dialects.portable import insert
from runbook.store.models import StoredDocument
from runbook.store.rows import Component
from runbook.store.tables import documents

_HAS = sa.select(sa.literal(1)).where(documents.c.digest == sa.bindparam("wanted"))
_CONTENT = sa.select(documents.c.content).where(documents.c.digest == sa.bindparam("wanted"))
_INSERT = insert(documents).on_conflict_do_nothing()


class Documents(Component):
    def get(self, digest: str) -> StoredDocument | None:
        content = self._database.read(lambda c: c.scalar(_CONTENT, {"wanted": digest}))
        return None if content is None else StoredDocument(digest, content)


def keep_document(connection: sa.Connection, document: StoredDocument, now: Millis) -> None:
    if connection.scalar(_HAS, {"wanted": document.digest}) is None:
        connection.execute(
            _INSERT,
            {"digest": document.digest, "content": document.content, "created_at": now},
        )
