"""Database maintenance: version, health, backups and size."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

import sqlalchemy as sa

from runbook.core.audit import SYSTEM, Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.run import Relation
from runbook.core.times import Millis, iso
from runbook.errors import ConflictError, StoreUnavailableError
from runbook.quick_dataclass import dataclass
from runbook.store import migrate
from runbook.store.audit import record
from runbook.store.database import Database
from runbook.store.device_tables import fanout_devices, fanouts, recoveries, run_devices
from runbook.store.dialects.sqlite import SQLite, url_for
from runbook.store.migrate import Migration
from runbook.store.migrations import HEAD
from runbook.store.models import DatabaseState, PurgeCounts
from runbook.store.rows import EVENTS_PER_RUN, Component, event_key
from runbook.store.run.creation import IDEMPOTENCY_MS
from runbook.store.tables import (
    artifacts,
    audit,
    blobs,
    connection_uses,
    documents,
    effects,
    events,
    idempotency_keys,
    leases,
    quarantine,
    run_files,
    runs,
    steps,
    workers,
)

if TYPE_CHECKING:
    from runbook.store.copying import Copied


# Approximate number of rows that one purge transaction deletes from a table.
PURGE_ROWS = 200
_PURGE_BLOBS = 10
# Pause between purge transactions, so that others can write (seconds).
_PURGE_PAUSE_S = 0.002
# Forget a worker without runs if its last heartbeat is older than this.
DEAD_WORKER_MS = 24 * 3600 * 1000

_FILES_OF_RUN = (
    sa.select(sa.func.count()).where(run_files.c.run_seq == runs.c.seq).scalar_subquery()
)
_RERUN = runs.alias("rerun")
# By a run that resumes, undoes or recovers it, whose worker will read its steps or changes.
_IN_USE = sa.exists(
    sa.select(_RERUN.c.seq).where(
        _RERUN.c.related_id == runs.c.id,
        _RERUN.c.relation != Relation.RETRY.value,
        _RERUN.c.finished_at.is_(None),
    )
)
_THESE = runs.c.seq.in_(sa.bindparam("seqs", expanding=True))
_LOCK = sa.select(runs.c.seq).where(_THESE).order_by(runs.c.seq).with_for_update()
_UNUSED_ONES = sa.select(runs.c.seq).where(_THESE, ~_IN_USE)
_OLD_RUNS = (
    sa.select(runs.c.seq, runs.c.last_event, _FILES_OF_RUN)
    .where(runs.c.finished_at < sa.bindparam("before"), ~_IN_USE)
    .order_by(runs.c.finished_at)
    .limit(PURGE_ROWS)
)
_DELETE_EVENTS = sa.delete(events).where(
    events.c.key > sa.bindparam("after"), events.c.key <= sa.bindparam("last")
)
_DELETE_RUN = sa.delete(runs).where(runs.c.seq == sa.bindparam("of_run"))
_DELETE_PARTS = tuple(
    sa.delete(table).where(table.c.run_seq == sa.bindparam("of_run"))
    for table in (
        steps,
        effects,
        artifacts,
        run_files,
        quarantine,
        connection_uses,
        run_devices,
        fanout_devices,
        fanouts,
        recoveries,
    )
)


def _named_by_none(
    digest: sa.Column[str], naming: sa.Column[str] | sa.Column[str | None]
) -> sa.ColumnElement[bool]:
    """By one look-up of an index: for `NOT EXISTS`, PostgreSQL may read all rows that name any."""
    following = sa.select(sa.func.min(naming)).where(naming >= digest).scalar_subquery()
    return following.is_distinct_from(digest)


_UNUSED = _named_by_none(documents.c.digest, runs.c.digest)
_DELETE_DOCUMENTS = sa.delete(documents).where(
    documents.c.digest.in_(sa.select(documents.c.digest).where(_UNUSED).limit(PURGE_ROWS))
)
# These may be large, so delete only a few at once.
_UNNAMED = _named_by_none(blobs.c.digest, run_files.c.digest)
_DELETE_BLOBS = sa.delete(blobs).where(
    blobs.c.digest.in_(sa.select(blobs.c.digest).where(_UNNAMED).limit(_PURGE_BLOBS))
)
_DELETE_KEYS = sa.delete(idempotency_keys).where(
    idempotency_keys.c.run_id.in_(
        sa.select(idempotency_keys.c.run_id)
        .where(idempotency_keys.c.created_at <= sa.bindparam("before"))
        .limit(PURGE_ROWS)
    ),
    idempotency_keys.c.created_at <= sa.bindparam("before"),
)
_NOW = sa.bindparam("now", type_=sa.BigInteger)
_LAST_TIMES = sa.select(
    sa.select(sa.func.max(workers.c.beat_at)).where(workers.c.beat_at <= _NOW).scalar_subquery(),
    sa.select(sa.func.max(leases.c.last_run)).where(leases.c.last_run <= _NOW).scalar_subquery(),
    sa.select(runs.c.created_at)
    .where(runs.c.seq == sa.select(sa.func.max(_RERUN.c.seq)).scalar_subquery())
    .scalar_subquery(),
    sa.select(audit.c.at).order_by(audit.c.n.desc()).limit(1).scalar_subquery(),
)
_HOLDS_A_RUN = sa.exists(
    sa.select(runs.c.seq).where(
        runs.c.finished_at.is_(None),
        sa.func.coalesce(runs.c.worker_id, runs.c.assigned_to) == workers.c.id,
    )
)
_DELETE_WORKERS = sa.delete(workers).where(
    workers.c.beat_at <= sa.bindparam("before"), ~_HOLDS_A_RUN
)


class Maintenance(Component):
    def migrate(self) -> Migration:
        """Create or upgrade the database. Other processes that start now wait for it.

        Raises StoreUnavailableError, also if a newer version of the program created it.
        """
        if self._database.read_only:
            self.check()
            return Migration(HEAD)
        self._database.dialect.create()
        self._database.dialect.prepare()
        if self._database.read(migrate.version) != HEAD:
            return migrate.upgrade(self._database.dialect)
        return Migration(HEAD)

    def pending(self) -> Migration:
        """What `migrate` would do.

        Raises StoreUnavailableError, also if a newer version of the program created it.
        """
        dialect = self._database.dialect
        if isinstance(dialect, SQLite) and not dialect.path.exists():
            return Migration(None)
        return Migration(self._database.read(migrate.known_version))

    def check_place(self) -> None:
        """Raise StoreUnavailableError if an empty database can't be created or reached."""
        dialect = self._database.dialect
        if isinstance(dialect, SQLite) and not dialect.path.parent.is_dir():
            raise StoreUnavailableError("The folder of the database's file does not exist.")

    def check(self) -> None:
        """Raise StoreUnavailableError unless the database answers and has this version.

        It is also an error if other processes use a different database by now, because this
        process's writes would be lost.
        """
        self._database.read(migrate.check)
        self._database.check()

    @property
    def kind(self) -> Literal["sqlite", "postgresql"]:
        """`sqlite` or `postgresql`."""
        return self._database.dialect.kind

    @property
    def shown(self) -> str:
        """The database's URL without the password."""
        return self._database.dialect.shown

    def state(self) -> DatabaseState:
        return self._database.read(
            lambda c: DatabaseState(migrate.version(c), self._database.dialect.size(c), self.kind)
        )

    def last_recorded(self) -> Millis | None:
        """The time of the latest record, not counting those from the future; None without any."""
        now = self._clock()
        times = self._database.read(lambda c: c.execute(_LAST_TIMES, {"now": now}).one())
        return max((at for at in times if at is not None and at <= now), default=None)

    def backup(self, path: Path) -> None:
        """Copy a snapshot of the database to a new file, readable only by its owner.

        It is a SQLite file, whatever the database is, and stays empty until the copy is complete.
        Runs continue meanwhile. Raises ConflictError if the file exists.
        """
        _new_private_file(path)
        with TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
            try:
                self._copy_to(Path(folder) / path.name)
                (Path(folder) / path.name).replace(path)
            except BaseException:
                path.unlink(missing_ok=True)
                raise

    def forget_inputs(self) -> None:
        """Overwrite the encrypted inputs of all runs, in a copy whose runs won't be executed."""

        def work(connection: sa.Connection) -> None:
            sealed = runs.c.sealed_inputs.is_not(None)
            connection.execute(sa.update(runs).where(sealed).values(sealed_inputs=None))

        self._database.dialect.forget_thoroughly(self._database.engine())
        self._database.write(work)

    def check_integrity(self) -> None:
        """Read the whole database. Raises StoreDamagedError."""
        self._database.read(self._database.dialect.check_integrity)

    def _copy_to(self, path: Path) -> None:
        _new_private_file(path)
        dialect = self._database.dialect
        if isinstance(dialect, SQLite):
            with self._database.translating():
                dialect.backup(self._database.engine(), path)
            return
        with closing(Database(url_for(path))) as target:
            self._copy(target, with_active=True)

    def copy_to(self, target: Maintenance, *, with_active: bool) -> Copied:
        """See copying.copy."""
        return self._copy(target._database, with_active=with_active)

    def _copy(self, target: Database, *, with_active: bool) -> Copied:
        from runbook.store.copying import copy

        return copy(self._database, target, with_active=with_active)

    def purge(self, before: Millis, by: Actor = SYSTEM) -> PurgeCounts:
        """Delete the runs that finished before a time, and the data only they used.

        Uses many short transactions, so that others can write in between. The first transaction
        that deletes a run also records the purge in the audit trail.
        """
        gone_runs, gone_events = self._purge_runs(before, by)
        now = self._clock()
        return PurgeCounts(
            runs=gone_runs,
            events=gone_events,
            documents=self._delete_all(_DELETE_DOCUMENTS, {}),
            blobs=self._delete_all(_DELETE_BLOBS, {}),
            idempotency_keys=self._delete_all(_DELETE_KEYS, {"before": now - IDEMPOTENCY_MS}),
            workers=self._delete_all(_DELETE_WORKERS, {"before": now - DEAD_WORKER_MS}),
        )

    def _purge_runs(self, before: Millis, by: Actor) -> tuple[int, int]:
        gone: set[int] = set()
        gone_events = 0
        audit: NewAuditEvent | None = _purged(before, by)
        while old := self._database.read(
            lambda c: [_old_run_of(*row) for row in c.execute(_OLD_RUNS, {"before": before})]
        ):
            for batch in _batches(old):
                gone_events += sum(self._shorten(run.seq, run.last_event) for run in batch)
                gone_events += self._delete(_deletion(batch, audit, self._clock(), gone))
                audit = None
        return len(gone), gone_events

    def _shorten(self, seq: int, last: int) -> int:
        """Delete the first events of a long run, so that few remain."""
        gone = 0
        for end in range(PURGE_ROWS, last, PURGE_ROWS):
            gone += self._delete(_deleted(_DELETE_EVENTS, _up_to(seq, end)))
        return gone

    def _delete_all(self, statement: sa.Delete, values: dict[str, int]) -> int:
        gone = 0
        while count := self._delete(_deleted(statement, values)):
            gone += count
        return gone

    def _delete(self, work: Callable[[sa.Connection], int]) -> int:
        gone = self._database.write(work)
        time.sleep(_PURGE_PAUSE_S)
        return gone


@dataclass(frozen=True, slots=True)
class _OldRun:
    """A run to delete, and its number of rows."""

    seq: int
    last_event: int
    files: int

    @property
    def rows(self) -> int:
        return 1 + self.last_event + self.files


def _old_run_of(seq: int, last_event: object, files: int) -> _OldRun:
    """A number of events that can't be right says nothing: they are deleted anyway."""
    if not isinstance(last_event, int) or not 0 <= last_event < EVENTS_PER_RUN:
        last_event = 0
    return _OldRun(seq, last_event, files)


def _batches(old: list[_OldRun]) -> list[list[_OldRun]]:
    """Batches of runs with about PURGE_ROWS rows each; a larger run is its own batch."""
    batches: list[list[_OldRun]] = []
    size = 0
    for run in old:
        size += run.rows
        if not batches or size > PURGE_ROWS:
            batches.append([])
            size = run.rows
        batches[-1].append(run)
    return batches


def _up_to(seq: int, last: int) -> dict[str, int]:
    return {"after": event_key(seq, 0), "last": event_key(seq, last)}


def _purged(before: Millis, by: Actor) -> NewAuditEvent:
    target = Target(TargetKind.STORE, "runs")
    return NewAuditEvent(by, AuditAction.RUNS_PURGE, target, {"finished_before": iso(before)})


def _deletion(
    batch: list[_OldRun], audit: NewAuditEvent | None, at: Millis, gone: set[int]
) -> Callable[[sa.Connection], int]:
    """Deletes the batch, except runs that are in use by now; adds the others to `gone`."""

    def work(connection: sa.Connection) -> int:
        record(connection, audit, at)
        asked = {"seqs": [run.seq for run in batch]}
        connection.execute(_LOCK, asked)
        unused = list(connection.scalars(_UNUSED_ONES, asked))
        if not unused:
            return 0
        gone_events = connection.execute(
            _DELETE_EVENTS, [_up_to(seq, EVENTS_PER_RUN - 1) for seq in unused]
        ).rowcount
        for statement in (*_DELETE_PARTS, _DELETE_RUN):
            connection.execute(statement, [{"of_run": seq} for seq in unused])
        gone.update(unused)
        return gone_events

    return work


def _deleted(statement: sa.Delete, values: dict[str, int]) -> Callable[[sa.Connection], int]:
    return lambda connection: connection.execute(statement, values).rowcount


def _new_private_file(path: Path) -> None:
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise ConflictError("The backup's file exists; choose another name.") from None
    except OSError as error:
        raise StoreUnavailableError(
            f"The backup's file cannot be made: {error.strerror}."
        ) from error
