"""What the definitions of tables share."""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

# SQLite only assigns row numbers to columns of type INTEGER, which has 64 bits there.
BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def json_column() -> sa.JSON:
    return sa.JSON(none_as_null=True)
