"""Runs that were ended because their record is damaged."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "quarantine",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("reason", TEXT, nullable=False),
        sa.Column("damage", sa.JSON(none_as_null=True), nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
