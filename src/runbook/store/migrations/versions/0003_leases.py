"""Leases: which worker does a periodic task of the whole store."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("task", TEXT, primary_key=True),
        sa.Column("holder", TEXT),
        sa.Column("until", BIG, nullable=False),
        sa.Column("last_run", BIG, nullable=False),
        sa.Column("last_success", BIG, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
