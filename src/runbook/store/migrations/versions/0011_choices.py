"""What runs are for: those that only provide choices are left out of lists."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
ENDED = sa.text("finished_at IS NOT NULL")
OF_RUNS = {
    "ref": (["ref", "seq", "subject"], None),
    "subject": (["subject", "seq", "ref"], None),
    "ref_status": (["ref", "status", "seq"], ENDED),
    "subject_status": (["subject", "status", "seq", "ref"], ENDED),
}
"""Indexes of lists of runs, whose last columns are there for conditions on them."""


def upgrade() -> None:
    op.add_column("runs", sa.Column("purpose", TEXT))
    for name, (columns, where) in OF_RUNS.items():
        op.drop_index(f"ix_runs_{name}", "runs")
        index(name, [*columns, "purpose"], where)
    index("purpose", ["purpose", "seq"], sa.text("purpose IS NOT NULL"))


def index(name: str, columns: list[str], where: sa.TextClause | None) -> None:
    op.create_index(f"ix_runs_{name}", "runs", columns, sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
