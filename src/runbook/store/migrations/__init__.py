"""The database's migrations, oldest first. To downgrade, restore a backup."""

# What `alembic_version` holds when the database is of this version.
HEAD = "0017"
