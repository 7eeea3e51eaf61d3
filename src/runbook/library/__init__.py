"""Runbooks on disk: finding and reading them, and writing their history."""
