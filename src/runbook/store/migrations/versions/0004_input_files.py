"""Input files are kept by their digest when a run is submitted."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    op.create_table(
        "blobs",
        sa.Column("digest", TEXT, primary_key=True),
        sa.Column("size", BIG, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("created_at", BIG, nullable=False),
    )
    op.create_table(
        "run_files",
        sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
        sa.Column("path", sa.LargeBinary, primary_key=True),
        sa.Column("digest", TEXT, sa.ForeignKey("blobs.digest")),
        sa.Column("mode", sa.Integer, nullable=False),
    )
    op.create_index("ix_run_files_digest", "run_files", ["digest"])


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
