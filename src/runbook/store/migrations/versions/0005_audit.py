"""The audit trail."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("n", BIG, primary_key=True, autoincrement=False),
        sa.Column("at", BIG, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("origin", TEXT),
        sa.Column("address", TEXT),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("target_kind", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("details", sa.JSON(none_as_null=True), nullable=False),
        sa.Column("previous", TEXT, nullable=False),
        sa.Column("digest", TEXT, nullable=False),
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    for column in ("subject", "action", "target"):
        op.create_index(f"ix_audit_{column}", "audit", [column, "n"])


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
