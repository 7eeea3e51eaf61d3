"""The truth about runs: a database, SQLite by default. See `store.py`."""
