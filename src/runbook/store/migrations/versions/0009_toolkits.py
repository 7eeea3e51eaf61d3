"""Installed toolkits, and the toolkit that a run's runbook belongs to."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "toolkits",
        sa.Column("slug", TEXT, primary_key=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
        sa.Column("origin", TEXT, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("previous", TEXT),
        sa.Column("installed_at", BIG, nullable=False),
        sa.Column("installed_by", TEXT, nullable=False),
    )
    for name in ("toolkit", "toolkit_version", "toolkit_digest"):
        op.add_column("runs", sa.Column(name, TEXT))


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
