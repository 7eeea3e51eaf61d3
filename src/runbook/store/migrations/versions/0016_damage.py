"""When the latest backup of a device was found damaged."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("devices", sa.Column("last_damage", BIG))


def downgrade() -> None:
    raise NotImplementedError("Versions only go forward; restore a backup.")
