"""A store moves to another database, whole or not at all."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.run_files import RunFile, RunFiles, digest_of
from runbook.store.models import IdempotencyKey

EVENT = NewAuditEvent(SYSTEM, AuditAction.SERVER_SHUTDOWN, Target(TargetKind.SERVER, "\u2028é"))


@pytest.fixture
def filled(helper, store):
    """A store that has something in each table, whose last run is forgotten."""
    content = bytes(range(256)) * 9
    files = RunFiles(
        (RunFile("d", 0o700), RunFile("d/\udcff", 0o600, digest_of(content), 2304)),
        {digest_of(content): content},
    )
    helper.submit(files=files, idempotency=IdempotencyKey("ada", "k", "x"), label="\u0100 'é")
    run = store.runs.claim("w", root_slots=1).run
    store.events.append(run.id, [helper.output("a\0b\ud83d\n".encode("utf-8", "replace").decode())])
    return store


def rows(database, table):
    statement = sa.select(table).order_by(*table.primary_key.columns)
    return database.read(lambda c: [tuple(row) for row in c.execute(statement)])
