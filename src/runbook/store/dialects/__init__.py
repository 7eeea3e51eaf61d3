"""The supported databases and their specifics."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.errors import ConfigurationError
from runbook.store.dialects.dialect import Dialect
from runbook.store.dialects.sqlite import SQLite


def dialect_of(url: str) -> Dialect:
    """The dialect for a database's URL. Raises ConfigurationError for an unsupported one."""
    try:
        parsed = sa.make_url(url)
    except (sa.exc.ArgumentError, ValueError):  # without its text, which may hold a password
        raise ConfigurationError("DATABASE_URL is not a database URL.") from None
    if parsed.get_backend_name() == "sqlite":
        return SQLite(parsed)
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return _postgresql(parsed)
    raise ConfigurationError(
        "DATABASE_URL must begin with sqlite:/// or with postgresql+psycopg://."
    )


def _postgresql(url: sa.URL) -> Dialect:
    try:
        from runbook.store.dialects.postgresql import PostgreSQL
    except ImportError:
        raise ConfigurationError(
            "DATABASE_URL names a PostgreSQL database, whose driver is not installed: "
            "install runbook-engine[postgres]."
        ) from None
    return PostgreSQL(url)
