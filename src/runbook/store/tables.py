"""The tables after all migrations. Times are milliseconds since the epoch."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.store import device_tables as _more  # noqa: F401 - tables, too
from runbook.store import schema
from runbook.store.dialects.portable import Text
from runbook.store.dialects.values import Bytes

metadata = schema.metadata
_BIG = schema.BIG
_json = schema.json_column


documents = sa.Table(
    "documents",
    metadata,
    sa.Column("digest", Text, primary_key=True),
    sa.Column("content", Bytes, nullable=False),
    sa.Column("created_at", _BIG, nullable=False),
)

# `seq` orders runs and is never reused, even after a purge; `id` is the public ID.
# `finished_at` is NULL exactly while the run is active.
runs = sa.Table(
    "runs",
    metadata,
    sa.Column("seq", _BIG, primary_key=True, autoincrement=True),
    sa.Column("id", Text, nullable=False, unique=True),
    sa.Column("ref", Text, nullable=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("digest", Text, sa.ForeignKey("documents.digest"), nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("requester", _json(), nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("correlation_id", Text, nullable=False),
    sa.Column("chain", _json(), nullable=False),
    sa.Column("created_at", _BIG, nullable=False),
    sa.Column("parent_id", Text),
    sa.Column("root_id", Text),
    sa.Column("reason", Text),
    sa.Column("timeout_s", sa.Float, nullable=False),
    sa.Column("inputs", _json(), nullable=False),
    sa.Column("started_at", _BIG),
    sa.Column("finished_at", _BIG),
    sa.Column("duration_ms", _BIG),
    sa.Column("return_code", sa.Integer),
    sa.Column("errors", _json(), nullable=False),
    sa.Column("warnings", _json(), nullable=False),
    sa.Column("outputs", _json(), nullable=False),
    sa.Column("worker_id", Text),
    sa.Column("cancel_at", _BIG),
    sa.Column("cancel_by", Text),
    sa.Column("log_bytes", _BIG, nullable=False),
    sa.Column("log_lines", _BIG, nullable=False),
    sa.Column("last_event", _BIG, nullable=False),
    sa.Column("assigned_to", Text),
    sa.Column("sealed_inputs", Bytes),
    sa.Column("dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("label", Text),
    sa.Column("relation", Text),
    sa.Column("related_id", Text),
    sa.Column("start_step", sa.Integer),
    sa.Column("queue", Text),
    sa.Column("given", _json()),
    sa.Column("locks", _json()),
    sa.Column("waiting", _json()),
    sa.Column("waiting_lock", Text),
    sa.Column("summary", Text),
    sa.Column("toolkit", Text),
    sa.Column("toolkit_version", Text),
    sa.Column("toolkit_digest", Text),
    sa.Column("purpose", Text),
    sqlite_autoincrement=True,
)
# The conditions apply to PostgreSQL too; see the migrations. SQLAlchemy would import its whole
# PostgreSQL dialect if they were repeated here, at every start.
#
# Each list of runs reads one or more of these in the order of `seq`; see `run/listing.py`. The last
# columns are there for conditions on them, without reading the rows.
sa.Index("ix_runs_ref", runs.c.ref, runs.c.seq, runs.c.subject, runs.c.purpose)
sa.Index("ix_runs_subject", runs.c.subject, runs.c.seq, runs.c.ref, runs.c.purpose)
sa.Index("ix_runs_name", runs.c.ref, runs.c.name)
sa.Index("ix_runs_created", runs.c.created_at, runs.c.seq)
_ENDED = runs.c.finished_at.is_not(None)
sa.Index("ix_runs_status", runs.c.status, runs.c.seq, sqlite_where=_ENDED)
sa.Index(
    "ix_runs_ref_status",
    runs.c.ref,
    runs.c.status,
    runs.c.seq,
    runs.c.purpose,
    sqlite_where=_ENDED,
)
sa.Index(
    "ix_runs_subject_status",
    runs.c.subject,
    runs.c.status,
    runs.c.seq,
    runs.c.ref,
    runs.c.purpose,
    sqlite_where=_ENDED,
)
sa.Index(
    "ix_runs_relation",
    runs.c.relation,
    runs.c.seq,
    sqlite_where=runs.c.relation.is_not(None),
)
sa.Index("ix_runs_dry", runs.c.seq, sqlite_where=runs.c.dry_run.is_(True))
sa.Index("ix_runs_purpose", runs.c.purpose, runs.c.seq, sqlite_where=runs.c.purpose.is_not(None))
# Besides these there are an index of the ends of IDs and one of the texts of reasons, which differ
# between databases; see `run/searching.py`.
sa.Index("ix_runs_parent", runs.c.parent_id, sqlite_where=runs.c.parent_id.is_not(None))
sa.Index("ix_runs_root", runs.c.root_id, sqlite_where=runs.c.root_id.is_not(None))
sa.Index("ix_runs_digest", runs.c.digest)
sa.Index(
    "ix_runs_related",
    runs.c.related_id,
    sqlite_where=runs.c.related_id.is_not(None),
)
sa.Index("ix_runs_finished", runs.c.finished_at)
# Used by claims, counts and sweeps; stays small however many runs have finished.
sa.Index(
    "ix_runs_active",
    runs.c.status,
    runs.c.seq,
    runs.c.parent_id,
    runs.c.assigned_to,
    sqlite_where=runs.c.finished_at.is_(None),
)

# `key` is the run's seq and the event's number in one (see `event_key`): the events of a run lie
# side by side, in their order, in a plain table, whose pages hold texts of a few KB without waste.
# `text` is UTF-8 in bytes: logs are cut at byte offsets, and PostgreSQL's text holds no NUL.
events = sa.Table(
    "events",
    metadata,
    sa.Column("key", _BIG, primary_key=True, autoincrement=False),
    sa.Column("run_seq", _BIG, nullable=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("type", Text, nullable=False),
    sa.Column("step", sa.Integer),
    sa.Column("line", _BIG),
    sa.Column("offset", _BIG),
    sa.Column("data", _json()),
    sa.Column("text", Bytes),
)
for _name, _column in (("ix_events_offset", events.c.offset), ("ix_events_line", events.c.line)):
    sa.Index(
        _name,
        events.c.run_seq,
        _column,
        sqlite_where=_column.is_not(None),
    )

# The result of each step of a run that has steps. `env` and `outputs` map names to values, or to
# null if a value must not be stored.
steps = sa.Table(
    "steps",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", Text, nullable=False),
    sa.Column("status", Text, nullable=False),
    sa.Column("started_at", _BIG, nullable=False),
    sa.Column("finished_at", _BIG),
    sa.Column("return_code", sa.Integer),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("first_line", _BIG, nullable=False),
    sa.Column("last_line", _BIG, nullable=False),
    sa.Column("env", _json(), nullable=False),
    sa.Column("outputs", _json(), nullable=False),
)

# The changes that a run made outside, or was about to make; see core/effects.py. `settled_by` is
# the ID of the run that said last how it ended.
effects = sa.Table(
    "effects",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer),
    sa.Column("step_name", Text),
    sa.Column("key", Text, nullable=False),
    sa.Column("what", Text, nullable=False),
    sa.Column("probe", _json(), nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("outcome", _json(), nullable=False),
    sa.Column("settled_at", _BIG),
    sa.Column("settled_by", Text),
)

# Who holds which lock. A lock of several places has as many rows at most, each for another place.
locks = sa.Table(
    "locks",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("taken_at", _BIG, nullable=False),
    sa.Column("place", sa.Integer, nullable=False, server_default="0"),
)
sa.Index("ix_locks_place", locks.c.name, locks.c.place, unique=True)
sa.Index("ix_locks_run", locks.c.run_seq)

# Runs that were ended because a record of theirs is damaged; `damage` maps columns of `runs` to
# what was there.
quarantine = sa.Table(
    "quarantine",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("reason", Text, nullable=False),
    sa.Column("damage", _json(), nullable=False),
)

# Artifacts of runs; their content is in DATA_DIR/artifacts.
artifacts = sa.Table(
    "artifacts",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("name", Text, primary_key=True),
    sa.Column("size", _BIG, nullable=False),
    sa.Column("sha256", Text, nullable=False),
)

# Numbers that grow in the order in which transactions commit.
counters = sa.Table(
    "counters",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("value", _BIG, nullable=False),
)

# Contents of input files, each stored once; `digest` is its SHA-256.
blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("digest", Text, primary_key=True),
    sa.Column("size", _BIG, nullable=False),
    sa.Column("content", Bytes, nullable=False),
    sa.Column("created_at", _BIG, nullable=False),
)

# The input files of a run; a folder has no digest. `path` is in bytes: file names need not be
# UTF-8.
run_files = sa.Table(
    "run_files",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("path", Bytes, primary_key=True),
    sa.Column("digest", Text, sa.ForeignKey("blobs.digest")),
    sa.Column("mode", sa.Integer, nullable=False),
)
sa.Index("ix_run_files_digest", run_files.c.digest)

# One row per runbook with a finished run; `revision` increases across the whole table.
runbooks = sa.Table(
    "runbooks",
    metadata,
    sa.Column("ref", Text, primary_key=True),
    sa.Column("revision", _BIG, nullable=False, unique=True),
    sa.Column("last_run_id", Text),
    sa.Column("last_status", Text),
    sa.Column("last_finished_at", _BIG),
    sa.Column("last_success_at", _BIG),
    sa.Column("last_by", Text),
    sa.Column("history_n", _BIG),
    sa.Column("history_digest", Text),
)

# Connections; `sealed` are their secrets, encrypted with the key `key_id`, which is not in here.
connections = sa.Table(
    "connections",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("fields", _json(), nullable=False),
    sa.Column("secrets", _json(), nullable=False),
    sa.Column("claims", _json(), nullable=False),
    sa.Column("labels", _json(), nullable=False),
    sa.Column("description", Text, nullable=False),
    sa.Column("revision", _BIG, nullable=False),
    sa.Column("created_at", _BIG, nullable=False),
    sa.Column("updated_at", _BIG, nullable=False),
    sa.Column("updated_by", Text, nullable=False),
    sa.Column("rotated_at", _BIG),
    sa.Column("last_check", _json()),
    sa.Column("key_id", Text),
    sa.Column("sealed", Bytes),
)

# The connection that a run used for an input. `revision` is NULL if it wasn't one of the above.
connection_uses = sa.Table(
    "connection_uses",
    metadata,
    sa.Column("run_seq", _BIG, primary_key=True, autoincrement=False),
    sa.Column("input", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("kind", Text, nullable=False),
    sa.Column("revision", _BIG),
    sa.Column("at", _BIG, nullable=False),
)
sa.Index("ix_connection_uses_name", connection_uses.c.name, connection_uses.c.run_seq)

# What SSH servers showed at the first connection; see core/ssh/host_key.py.
host_keys = sa.Table(
    "host_keys",
    metadata,
    sa.Column("host", Text, primary_key=True),
    sa.Column("port", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("type", Text, nullable=False),
    sa.Column("key", Text, nullable=False),
    sa.Column("first_seen", _BIG, nullable=False),
    sa.Column("run_id", Text),
)

workers = sa.Table(
    "workers",
    metadata,
    sa.Column("id", Text, primary_key=True),
    sa.Column("kind", Text, nullable=False),
    sa.Column("host", Text, nullable=False),
    sa.Column("boot_id", Text, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process_start", _BIG, nullable=False),
    sa.Column("slots", sa.Integer, nullable=False),
    sa.Column("started_at", _BIG, nullable=False),
    sa.Column("beat_at", _BIG, nullable=False),
    sa.Column("draining", sa.Boolean, nullable=False),
)

# The worker that holds a periodic task of the whole store, and the lease's expiry.
# `last_run` is its last start, `last_success` its last successful end; 0 means never.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("task", Text, primary_key=True),
    sa.Column("holder", Text),
    sa.Column("until", _BIG, nullable=False),
    sa.Column("last_run", _BIG, nullable=False),
    sa.Column("last_success", _BIG, nullable=False),
)

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("caller", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    sa.Column("request_digest", Text, nullable=False),
    sa.Column("run_id", Text, nullable=False),
    sa.Column("created_at", _BIG, nullable=False),
)
sa.Index("ix_idempotency_created", idempotency_keys.c.created_at)

# The audit trail: see core/audit.py. `n` has no gaps; `details` is JSON without secrets.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("n", _BIG, primary_key=True, autoincrement=False),
    sa.Column("at", _BIG, nullable=False),
    sa.Column("subject", Text, nullable=False),
    sa.Column("origin", Text),
    sa.Column("address", Text),
    sa.Column("action", Text, nullable=False),
    sa.Column("target_kind", Text, nullable=False),
    sa.Column("target", Text, nullable=False),
    sa.Column("details", _json(), nullable=False),
    sa.Column("previous", Text, nullable=False),
    sa.Column("digest", Text, nullable=False),
)
sa.Index("ix_audit_at", audit.c.at)
sa.Index("ix_audit_subject", audit.c.subject, audit.c.n)
sa.Index("ix_audit_action", audit.c.action, audit.c.n)
sa.Index("ix_audit_target", audit.c.target, audit.c.n)

# Installed toolkits. `origin` is a word of core/toolkit.py; `previous` is the version that a
# rollback brings back.
toolkits = sa.Table(
    "toolkits",
    metadata,
    sa.Column("slug", Text, primary_key=True),
    sa.Column("name", Text, nullable=False),
    sa.Column("version", Text, nullable=False),
    sa.Column("digest", Text, nullable=False),
    sa.Column("origin", Text, nullable=False),
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("previous", Text),
    sa.Column("installed_at", _BIG, nullable=False),
    sa.Column("installed_by", Text, nullable=False),
)
