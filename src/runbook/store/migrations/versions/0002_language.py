"""Steps, locks, artifacts; what a run follows from, whether it is a dry run, why it waits."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON(none_as_null=True)
RELATED = sa.text("related_id IS NOT NULL")


def upgrade() -> None:
    _runs()
    _steps()
    _locks()
    _artifacts()


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")


def _runs() -> None:
    for column in (
        sa.Column("dry_run", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("label", TEXT),
        sa.Column("relation", TEXT),
        sa.Column("related_id", TEXT),
        sa.Column("start_step", sa.Integer),
        sa.Column("queue", TEXT),
        sa.Column("given", JSON),
        sa.Column("locks", JSON),
        sa.Column("waiting", JSON),
        sa.Column("summary", TEXT),
    ):
        op.add_column("runs", column)
    op.create_index(
        "ix_runs_related",
        "runs",
        ["related_id"],
        sqlite_where=RELATED,
        postgresql_where=RELATED,
    )


def _steps() -> None:
    op.create_table(
        "steps",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("started_at", BIG, nullable=False),
        sa.Column("finished_at", BIG),
        sa.Column("return_code", sa.Integer),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("first_line", BIG, nullable=False),
        sa.Column("last_line", BIG, nullable=False),
        sa.Column("env", JSON, nullable=False),
        sa.Column("outputs", JSON, nullable=False),
    )


def _locks() -> None:
    op.create_table(
        "locks",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("taken_at", BIG, nullable=False),
    )
    op.create_index("ix_locks_run", "locks", ["run_seq"])


def _artifacts() -> None:
    op.create_table(
        "artifacts",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("size", BIG, nullable=False),
        sa.Column("sha256", TEXT, nullable=False),
    )
