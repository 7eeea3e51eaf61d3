"""The host keys of SSH servers."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "host_keys",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("port", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("type", TEXT, nullable=False),
        sa.Column("key", TEXT, nullable=False),
        sa.Column("first_seen", BIG, nullable=False),
        sa.Column("run_id", TEXT),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
