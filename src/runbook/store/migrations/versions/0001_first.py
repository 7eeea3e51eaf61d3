"""Runs, their events and documents; runbooks; workers; idempotency keys."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)
ACTIVE = sa.text("finished_at IS NULL")


def upgrade() -> None:
    _documents()
    _runs()
    _events()
    _runbooks()
    _workers()
    _idempotency_keys()


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")


def _documents() -> None:
    op.create_table(
        "documents",
        sa.Column("digest", TEXT, primary_key=True),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )


def _runs() -> None:
    op.create_table(
        "runs",
        sa.Column("seq", BIG, primary_key=True, autoincrement=True),
        sa.Column("id", TEXT, nullable=False, unique=True),
        sa.Column("ref", TEXT, nullable=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("digest", TEXT, sa.ForeignKey("documents.digest"), nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("requester", JSON, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("correlation_id", TEXT, nullable=False),
        sa.Column("chain", JSON, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("parent_id", TEXT),
        sa.Column("root_id", TEXT),
        sa.Column("reason", TEXT),
        sa.Column("timeout_s", sa.Float, nullable=False),
        sa.Column("inputs", JSON, nullable=False),
        sa.Column("started_at", BIG),
        sa.Column("finished_at", BIG),
        sa.Column("duration_ms", BIG),
        sa.Column("return_code", sa.Integer),
        sa.Column("errors", JSON, nullable=False),
        sa.Column("warnings", JSON, nullable=False),
        sa.Column("outputs", JSON, nullable=False),
        sa.Column("worker_id", TEXT),
        sa.Column("cancel_at", BIG),
        sa.Column("cancel_by", TEXT),
        sa.Column("log_bytes", BIG, nullable=False),
        sa.Column("log_lines", BIG, nullable=False),
        sa.Column("last_event", BIG, nullable=False),
        sa.Column("assigned_to", TEXT),
        sa.Column("sealed_inputs", sa.LargeBinary),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_runs_ref", "runs", ["ref", "seq"])
    op.create_index("ix_runs_subject", "runs", ["subject", "seq"])
    op.create_index("ix_runs_parent", "runs", ["parent_id"])
    op.create_index("ix_runs_root", "runs", ["root_id"])
    op.create_index("ix_runs_digest", "runs", ["digest"])
    op.create_index("ix_runs_finished", "runs", ["finished_at"])
    op.create_index(
        "ix_runs_active",
        "runs",
        ["status", "seq", "parent_id", "assigned_to"],
        sqlite_where=ACTIVE,
        postgresql_where=ACTIVE,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("key", BIG, primary_key=True, autoincrement=False),
        sa.Column("run_seq", BIG, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("step", sa.Integer),
        sa.Column("line", BIG),
        sa.Column("offset", BIG),
        sa.Column("data", JSON),
        sa.Column("text", sa.LargeBinary),
    )
    for column in ("offset", "line"):
        given = sa.column(column).is_not(None)
        op.create_index(
            f"ix_events_{column}",
            "events",
            ["run_seq", column],
            sqlite_where=given,
            postgresql_where=given,
        )


def _runbooks() -> None:
    op.create_table(
        "runbooks",
        sa.Column("ref", TEXT, primary_key=True),
        sa.Column("revision", BIG, nullable=False, unique=True),
        sa.Column("last_run_id", TEXT),
        sa.Column("last_status", TEXT),
        sa.Column("last_finished_at", BIG),
        sa.Column("last_success_at", BIG),
        sa.Column("last_by", TEXT),
        sa.Column("history_n", BIG),
        sa.Column("history_digest", TEXT),
    )


def _workers() -> None:
    op.create_table(
        "workers",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("boot_id", TEXT, nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_start", BIG, nullable=False),
        sa.Column("slots", sa.Integer, nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("beat_at", BIG, nullable=False),
        sa.Column("draining", sa.Boolean, nullable=False),
    )


def _idempotency_keys() -> None:
    op.create_table(
        "idempotency_keys",
        sa.Column("caller", TEXT, primary_key=True),
        sa.Column("key", TEXT, primary_key=True),
        sa.Column("request_digest", TEXT, nullable=False),
        sa.Column("run_id", TEXT, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )
    op.create_index("ix_idempotency_created", "idempotency_keys", ["created_at"])
