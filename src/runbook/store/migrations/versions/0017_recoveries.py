"""Runs that are to be recovered."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "recoveries",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("run_id", TEXT, nullable=False, unique=True),
        sa.Column("ref", TEXT, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("backoff_ms", BIG, nullable=False),
        sa.Column("made", sa.Integer, nullable=False),
        sa.Column("due_at", BIG, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
