"""Indexes for lists of runs whose time doesn't grow with the number of runs stored."""

from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# Three-character pieces of reasons. The table holds no copy of the reasons, nor their lengths, nor
# where in a text a piece stands.
HAS_FTS5 = "SELECT 1 FROM pragma_module_list WHERE name = 'fts5'"
PIECES = """
CREATE VIRTUAL TABLE runs_reason USING fts5 (
    reason, content = 'runs', content_rowid = 'seq', tokenize = 'trigram', detail = 'none',
    columnsize = 0
)
"""
ADD = "INSERT INTO runs_reason (rowid, reason) VALUES (new.seq, new.reason)"
REMOVE = (
    "INSERT INTO runs_reason (runs_reason, rowid, reason) VALUES ('delete', old.seq, old.reason)"
)
TRIGGERS = {
    "added": f"AFTER INSERT ON runs WHEN new.reason IS NOT NULL BEGIN {ADD}; END",
    "removed": f"AFTER DELETE ON runs WHEN old.reason IS NOT NULL BEGIN {REMOVE}; END",
    "changing": f"BEFORE UPDATE OF reason ON runs WHEN old.reason IS NOT NULL BEGIN {REMOVE}; END",
    "changed": f"AFTER UPDATE OF reason ON runs WHEN new.reason IS NOT NULL BEGIN {ADD}; END",
}
FILL = "INSERT INTO runs_reason (rowid, reason) SELECT seq, reason FROM runs WHERE reason NOT NULL"

# The like of it. An owner of the database may create the extension, if the server has it.
HAS_TRGM = "SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"
EXTENSION = "CREATE EXTENSION IF NOT EXISTS pg_trgm"
TRGM = "CREATE INDEX ix_runs_reason ON runs USING gin (reason gin_trgm_ops)"


def upgrade() -> None:
    for name, columns in (("ref", ["seq", "subject"]), ("subject", ["seq", "ref"])):
        op.drop_index(f"ix_runs_{name}", "runs")
        index(name, [name, *columns])
    for name in ("parent", "root"):  # most runs have neither
        op.drop_index(f"ix_runs_{name}", "runs")
        index(name, [f"{name}_id"], f"{name}_id IS NOT NULL")
    index("name", ["ref", "name"])
    index("created", ["created_at", "seq"])
    index("status", ["status", "seq"], "finished_at IS NOT NULL")
    index("ref_status", ["ref", "status", "seq"], "finished_at IS NOT NULL")
    index("subject_status", ["subject", "status", "seq", "ref"], "finished_at IS NOT NULL")
    index("relation", ["relation", "seq"], "relation IS NOT NULL")
    index("dry", ["seq"], f"dry_run IS {sa.true().compile(dialect=op.get_bind().dialect)}")
    index("id_end", [sa.text("substr(id, length(id) - 7)")])
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        index_reasons_of_sqlite(connection)
    else:
        index_reasons_of_postgresql(connection)


def index(name: str, columns: list[Any], condition: str | None = None) -> None:
    where = None if condition is None else sa.text(condition)
    op.create_index(f"ix_runs_{name}", "runs", columns, sqlite_where=where, postgresql_where=where)


def index_reasons_of_sqlite(connection: sa.Connection) -> None:
    if connection.exec_driver_sql(HAS_FTS5).scalar():
        connection.exec_driver_sql(PIECES)
        for name, rest in TRIGGERS.items():
            connection.exec_driver_sql(f"CREATE TRIGGER runs_reason_{name} {rest}")
        connection.exec_driver_sql(FILL)


def index_reasons_of_postgresql(connection: sa.Connection) -> None:
    if not connection.exec_driver_sql(HAS_TRGM).scalar():
        return
    # Not for this user, or in a schema that is not on the path.
    with suppress(sa.exc.ProgrammingError), connection.begin_nested():
        connection.exec_driver_sql(EXTENSION)
        connection.exec_driver_sql(f"{TRGM} WHERE reason IS NOT NULL")


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
