"""Connections, with encrypted secrets, and which run used which."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "connections",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("fields", JSON, nullable=False),
        sa.Column("secrets", JSON, nullable=False),
        sa.Column("claims", JSON, nullable=False),
        sa.Column("labels", JSON, nullable=False),
        sa.Column("description", TEXT, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("updated_by", TEXT, nullable=False),
        sa.Column("rotated_at", BIG),
        sa.Column("last_check", JSON),
        sa.Column("key_id", TEXT),
        sa.Column("sealed", sa.LargeBinary),
    )
    op.create_table(
        "connection_uses",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("input", TEXT, primary_key=True),
        sa.Column("name", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("revision", BIG),
        sa.Column("at", BIG, nullable=False),
    )
    op.create_index("ix_connection_uses_name", "connection_uses", ["name", "run_seq"])


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
