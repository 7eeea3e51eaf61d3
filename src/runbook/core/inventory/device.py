"""Devices: what runbooks poll, back up and change, and how to reach them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum

from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

Facts = Mapping[str, object]


class Field(StrEnum):
    """A field of a device that people and runbooks set."""

    CONNECTION = "connection"
    ADDRESS = "address"
    VENDOR = "vendor"
    MODEL = "model"
    VERSION = "version"
    SITE = "site"
    ROLE = "role"
    TAGS = "tags"
    GROUPS = "groups"
    LAST_SEEN = "last_seen"
    LAST_BACKUP = "last_backup"
    LAST_POLL = "last_poll"
    LAST_PROOF = "last_proof"
    LAST_DAMAGE = "last_damage"
    FACTS = "facts"


LISTS = (Field.TAGS, Field.GROUPS)
TIMES = (
    Field.LAST_SEEN,
    Field.LAST_BACKUP,
    Field.LAST_POLL,
    Field.LAST_PROOF,
    Field.LAST_DAMAGE,
)
TEXTS = (Field.ADDRESS, Field.VENDOR, Field.MODEL, Field.VERSION, Field.SITE, Field.ROLE)
MANAGED = frozenset(
    {Field.CONNECTION, Field.ADDRESS, Field.SITE, Field.ROLE, Field.TAGS, Field.GROUPS}
)
"""What a device is for, and where its credentials are sent: only `inventory.write` changes them."""
OBSERVED = frozenset(Field) - MANAGED
"""What runbooks find out: each with the policy `inventory: update` may set it."""
DESCRIBED = tuple(name for name in Field if name not in (*TIMES, Field.FACTS))
"""What replacing a device replaces."""


@dataclass(frozen=True, slots=True)
class Device:
    """A device. `connection` names the connection whose credentials it takes.

    `last_proof` is when a backup of it was last restored and compared, `last_damage` when the
    latest one was found damaged or missing, if it was. `facts` is JSON of whatever runbooks found
    out. `revision` counts changes of what it is for; `updated_run` is the run that changed it
    last, if it was a run.
    """

    name: str
    connection: str | None = None
    address: str = ""
    vendor: str = ""
    model: str = ""
    version: str = ""
    site: str = ""
    role: str = ""
    tags: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    last_seen: Millis | None = None
    last_backup: Millis | None = None
    last_poll: Millis | None = None
    last_proof: Millis | None = None
    last_damage: Millis | None = None
    facts: Facts = field(default_factory=dict)
    revision: int = 1
    created_at: Millis = 0
    updated_at: Millis = 0
    updated_by: str = ""
    updated_run: str | None = None

    def value(self, name: Field) -> object:
        found: object = getattr(self, name.value)
        return found


@dataclass(frozen=True, slots=True)
class DeviceFilter:
    """A filter for devices; None and empty text are ignored.

    `text` is searched in name and address, ignoring case. `connections` limits them to those of
    these connections, with `loose` also to those that have none.
    """

    text: str = ""
    tag: str | None = None
    group: str | None = None
    site: str | None = None
    vendor: str | None = None
    connection: str | None = None
    connections: frozenset[str] | None = None
    loose: bool = False


ALL_DEVICES = DeviceFilter()


class DeviceSort(StrEnum):
    """The order of a list. By a time, those without it come first, with a minus sign last."""

    NAME = "name"
    SEEN = "last_seen"
    SEEN_LATEST = "-last_seen"
    POLL = "last_poll"
    POLL_LATEST = "-last_poll"
    BACKUP = "last_backup"
    BACKUP_LATEST = "-last_backup"
    PROOF = "last_proof"
    """Those with a damaged backup come before all others."""
    PROOF_LATEST = "-last_proof"


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices in order. `next_cursor` is None on the last page."""

    devices: tuple[Device, ...]
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Counted:
    """A value that devices have, and how many."""

    value: str
    devices: int


@dataclass(frozen=True, slots=True)
class DeviceCounts:
    """What to filter by: the most frequent values."""

    devices: int
    tags: tuple[Counted, ...]
    groups: tuple[Counted, ...]
    sites: tuple[Counted, ...]
    vendors: tuple[Counted, ...]
    connections: tuple[Counted, ...]
