"""What PostgreSQL needs: a counter that orders endings, and each place of a lock given once."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

COUNT = """
INSERT INTO counters (name, value)
    SELECT 'revision', max(revision) FROM runbooks HAVING max(revision) IS NOT NULL
"""
NUMBER_PLACES = """
UPDATE locks SET place = (
    SELECT count(*) FROM locks AS earlier
    WHERE earlier.name = locks.name
        AND (earlier.taken_at, earlier.run_seq) < (locks.taken_at, locks.run_seq)
)
"""
NAME_LOCKS = "UPDATE runs SET waiting_lock = waiting ->> 'lock' WHERE status = 'waiting'"


def upgrade() -> None:
    op.create_table(
        "counters",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", BIG, nullable=False),
    )
    op.execute(COUNT)
    op.add_column("locks", sa.Column("place", sa.Integer, nullable=False, server_default="0"))
    op.execute(NUMBER_PLACES)
    op.create_index("ix_locks_place", "locks", ["name", "place"], unique=True)
    op.add_column("runs", sa.Column("waiting_lock", TEXT))
    op.execute(NAME_LOCKS)


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
