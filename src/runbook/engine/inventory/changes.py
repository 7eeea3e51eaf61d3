"""From what is said of a device to the device as it will be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from runbook.core.document import Problem
from runbook.core.inventory.device import MANAGED, TIMES, Device, Field
from runbook.core.inventory.fields import Changes, changed, differing, unfit
from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass

_SENT = frozenset({Field.CONNECTION, Field.ADDRESS})
"""What decides where credentials are sent."""
_NO_CONNECTION = "Choose one of `runbook connections list`, or add it first"


@dataclass(frozen=True, slots=True)
class Author:
    """Who changes devices. `usable` names the connections that they may use, `known` all."""

    subject: str
    at: Millis
    usable: Collection[str]
    known: Collection[str]
    run_id: str | None = None


def made(name: str, changes: Changes, author: Author) -> Device:
    """A new device."""
    new = Device(
        name,
        created_at=author.at,
        updated_at=author.at,
        updated_by=author.subject,
        updated_run=author.run_id,
    )
    return changed(new, changes)


def merged(before: Device, changes: Changes, author: Author) -> Device:
    """The device with these changes; itself if they change nothing."""
    different = differing(before, changes)
    if not different:
        return before
    after = changed(before, changes)
    if different <= frozenset(TIMES):  # a poll that found nothing new
        return after
    return replace(
        after,
        revision=before.revision + bool(different & MANAGED),
        updated_at=author.at,
        updated_by=author.subject,
        updated_run=author.run_id,
    )


def refusals(
    name: str, before: Device | None, changes: Changes, author: Author
) -> Iterable[Problem]:
    """Why the author can't send the credentials of a connection where these changes say.

    Both the connection before and the one after must be usable: a device's address decides who
    gets its password.
    """
    old = before.connection if before is not None else None
    different = differing(before or Device(name), changes)
    if not different & _SENT:
        return
    new = changes.get(Field.CONNECTION, old)
    if Field.CONNECTION in different and new is not None and new not in author.known:
        rule = f"is {new}, which doesn't exist"
        yield unfit(name, Field.CONNECTION.value, rule, hint=_NO_CONNECTION)
        return
    for one in sorted({old, new} - {None}, key=str):
        if one in author.known and one not in author.usable:
            field = Field.CONNECTION if Field.CONNECTION in different else Field.ADDRESS
            yield unfit(name, field.value, "can only be changed by who may use the connection")
