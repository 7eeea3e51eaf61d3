"""The tables of the inventory, after all migrations."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.store.dialects.portable import Text
from runbook.store.schema import BIG, json_column, metadata

# Devices by name. `updated_run` is the ID of the run that changed one last, if it was a run.
devices = sa.Table(
    "devices",
    metadata,
    sa.Column("name", Text, primary_key=True),
    sa.Column("connection", Text),
    sa.Column("address", Text, nullable=False),
    sa.Column("vendor", Text, nullable=False),
    sa.Column("model", Text, nullable=False),
    sa.Column("version", Text, nullable=False),
    sa.Column("site", Text, nullable=False),
    sa.Column("role", Text, nullable=False),
    sa.Column("tags", json_column(), nullable=False),
    sa.Column("groups", json_column(), nullable=False),
    sa.Column("last_seen", BIG),
    sa.Column("last_backup", BIG),
    sa.Column("last_poll", BIG),
    sa.Column("last_proof", BIG),
    sa.Column("facts", json_column(), nullable=False),
    sa.Column("revision", BIG, nullable=False),
    sa.Column("created_at", BIG, nullable=False),
    sa.Column("updated_at", BIG, nullable=False),
    sa.Column("updated_by", Text, nullable=False),
    sa.Column("updated_run", Text),
)
sa.Index("ix_devices_site", devices.c.site, devices.c.name)
sa.Index("ix_devices_vendor", devices.c.vendor, devices.c.name)
sa.Index("ix_devices_connection", devices.c.connection, devices.c.name)

# The tags and groups of devices, to find devices by them; `kind` is "tag" or "group".
device_words = sa.Table(
    "device_words",
    metadata,
    sa.Column("kind", Text, primary_key=True),
    sa.Column("word", Text, primary_key=True),
    sa.Column("device", Text, primary_key=True),
)
sa.Index("ix_device_words_device", device_words.c.device)

# The devices that a run was for. The device may have been removed since.
run_devices = sa.Table(
    "run_devices",
    metadata,
    sa.Column("device", Text, primary_key=True),
    sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
    sa.Column("input", Text, nullable=False),
)
sa.Index("ix_run_devices_run", run_devices.c.run_seq)
