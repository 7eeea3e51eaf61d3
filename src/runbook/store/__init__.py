"""The database of runs, SQLite by default. See `store.py`."""
