"""The tables of the inventory and of recoveries, after all migrations."""

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
    sa.Column("last_damage", BIG),
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

# Fan-outs: the `n`-th of a run executes runbook `ref` for each device. `session` is that of the
# script, `ordinal` counts those of one script in one session.
fanouts = sa.Table(
    "fanouts",
    metadata,
    sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("session", Text, nullable=False),
    sa.Column("ordinal", sa.Integer, nullable=False),
    sa.Column("ref", Text, nullable=False),
    sa.Column("input", Text, nullable=False),
    sa.Column("parallel", sa.Integer, nullable=False),
    sa.Column("max_failures", sa.Integer),
    sa.Column("canaries", sa.Integer, nullable=False),
    sa.Column("when_busy", Text, nullable=False),
    sa.Column("paused", sa.Boolean, nullable=False),
    sa.Column("created_at", BIG, nullable=False),
    sa.Column("finished_at", BIG),
    sa.Column("stopped", Text),
)

# A device of a fan-out. The columns from `code` on are set once its child run has ended.
fanout_devices = sa.Table(
    "fanout_devices",
    metadata,
    sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
    sa.Column("n", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("device", Text, nullable=False),
    sa.Column("state", Text, nullable=False),
    sa.Column("run_id", Text),
    sa.Column("earlier", sa.Boolean, nullable=False),
    sa.Column("code", Text),
    sa.Column("message", Text),
    sa.Column("until", BIG),
    sa.Column("phase", Text),
    sa.Column("percent", sa.Float),
    sa.Column("started_at", BIG),
    sa.Column("finished_at", BIG),
)
sa.Index(
    "ix_fanout_devices_state",
    fanout_devices.c.run_seq,
    fanout_devices.c.n,
    fanout_devices.c.state,
    fanout_devices.c.place,
)

# Circuit breakers that aren't closed.
breakers = sa.Table(
    "breakers",
    metadata,
    sa.Column("ref", Text, primary_key=True),
    sa.Column("device", Text, primary_key=True),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("open_until", BIG, nullable=False),
)

# Runs that are to be recovered by the runbook `ref` from `due_at` on; `made` counts the attempts.
recoveries = sa.Table(
    "recoveries",
    metadata,
    sa.Column("run_seq", BIG, primary_key=True, autoincrement=False),
    sa.Column("run_id", Text, nullable=False, unique=True),
    sa.Column("ref", Text, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("backoff_ms", BIG, nullable=False),
    sa.Column("made", sa.Integer, nullable=False),
    sa.Column("due_at", BIG, nullable=False),
)
