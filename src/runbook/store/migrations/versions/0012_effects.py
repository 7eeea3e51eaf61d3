"""The changes that runs make outside, so that a later attempt can look for them."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "effects",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Integer),
        sa.Column("step_name", TEXT),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("what", TEXT, nullable=False),
        sa.Column("probe", sa.JSON, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("outcome", sa.JSON, nullable=False),
        sa.Column("settled_at", BIG),
        sa.Column("settled_by", TEXT),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
