"""Devices, their tags and groups, and which run was for which devices."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON = sa.JSON(none_as_null=True)
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "devices",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("connection", TEXT),
        sa.Column("address", TEXT, nullable=False),
        sa.Column("vendor", TEXT, nullable=False),
        sa.Column("model", TEXT, nullable=False),
        sa.Column("version", TEXT, nullable=False),
        sa.Column("site", TEXT, nullable=False),
        sa.Column("role", TEXT, nullable=False),
        sa.Column("tags", JSON, nullable=False),
        sa.Column("groups", JSON, nullable=False),
        sa.Column("last_seen", BIG),
        sa.Column("last_backup", BIG),
        sa.Column("last_poll", BIG),
        sa.Column("last_proof", BIG),
        sa.Column("facts", JSON, nullable=False),
        sa.Column("revision", BIG, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("updated_at", BIG, nullable=False),
        sa.Column("updated_by", TEXT, nullable=False),
        sa.Column("updated_run", TEXT),
    )
    op.create_index("ix_devices_site", "devices", ["site", "name"])
    op.create_index("ix_devices_vendor", "devices", ["vendor", "name"])
    op.create_index("ix_devices_connection", "devices", ["connection", "name"])
    op.create_table(
        "device_words",
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("word", TEXT, primary_key=True),
        sa.Column("device", TEXT, primary_key=True),
    )
    op.create_index("ix_device_words_device", "device_words", ["device"])
    op.create_table(
        "run_devices",
        sa.Column("device", TEXT, primary_key=True),
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("input", TEXT, nullable=False),
    )
    op.create_index("ix_run_devices_run", "run_devices", ["run_seq"])


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
