"""The database's versions, oldest first. They only go forward; a backup is the way back."""

# What `alembic_version` holds when the database is of this version.
HEAD = "0006"
