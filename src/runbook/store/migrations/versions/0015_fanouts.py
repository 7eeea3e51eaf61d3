"""Fan-outs, their devices, and circuit breakers."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "fanouts",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("session", TEXT, nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("ref", TEXT, nullable=False),
        sa.Column("input", TEXT, nullable=False),
        sa.Column("parallel", sa.Integer, nullable=False),
        sa.Column("max_failures", sa.Integer),
        sa.Column("canaries", sa.Integer, nullable=False),
        sa.Column("when_busy", TEXT, nullable=False),
        sa.Column("paused", sa.Boolean, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
        sa.Column("finished_at", BIG),
        sa.Column("stopped", TEXT),
    )
    op.create_table(
        "fanout_devices",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("device", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("run_id", TEXT),
        sa.Column("earlier", sa.Boolean, nullable=False),
        sa.Column("code", TEXT),
        sa.Column("message", TEXT),
        sa.Column("until", BIG),
        sa.Column("phase", TEXT),
        sa.Column("percent", sa.Float),
        sa.Column("started_at", BIG),
        sa.Column("finished_at", BIG),
    )
    op.create_index("ix_fanout_devices_state", "fanout_devices", ["run_seq", "n", "state", "place"])
    op.create_table(
        "breakers",
        sa.Column("ref", TEXT, primary_key=True),
        sa.Column("device", TEXT, primary_key=True),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("open_until", BIG, nullable=False),
    )


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
