"""What is there, what there should be, and the difference."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runbook.connectors.compose import Container, Service
from stacks_toolkit import given
from stacks_toolkit.given import Job
from stacks_toolkit.state import Running


@dataclass(frozen=True, slots=True)
class Row:
    """A service: `now` and `then` are counts of containers."""

    service: str
    now: int
    then: int
    image: str
    changes: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        count = f"{self.now} → {self.then}" if self.now != self.then else str(self.now)
        what = "; ".join(self.changes) or "no difference"
        return f"{self.service}: {count} x {self.image}: {what}"


def before(containers: Iterable[Container]) -> dict[str, Running]:
    """How many containers each service has, and their image; the newest one's if they differ."""
    found: dict[str, Running] = {}
    for one in sorted(containers, key=lambda one: one.started_at):
        count = found[one.service].count + 1 if one.service in found else 1
        found[one.service] = Running(count, one.image, one.image_id)
    return found


def targets(
    services: Mapping[str, Service], scale: Mapping[str, int], running: Mapping[str, Running]
) -> dict[str, int]:
    """How many containers each service is to have.

    What was set by Scale counts most, then what the file says, then what is there.
    """
    found = {}
    for name, service in services.items():
        there = running[name].count if name in running else 0
        default = service.replicas if service.replicas is not None else max(there, 1)
        found[name] = scale.get(name, default)
    return found


def check_counts(services: Mapping[str, Service], wanted: Mapping[str, int]) -> None:
    """Raises ConnectorError if a service can't be scaled to its count."""
    for name, count in sorted(wanted.items()):
        blocker = services[name].blocker
        if count > 1 and blocker:
            raise given.invalid(f"{name} can't have {count} containers: {blocker}")


def rows(job: Job, wanted: Mapping[str, int], containers: Sequence[Container]) -> list[Row]:
    """Of each service, also those that are no longer in the file."""
    there = before(containers)
    found = [_row(job, name, wanted[name], containers) for name in job.stack.services]
    found += [
        Row(name, one.count, one.count, one.image, ("not in the Compose file",))
        for name, one in there.items()
        if name not in job.stack.services
    ]
    return found


def _row(job: Job, name: str, wanted: int, containers: Sequence[Container]) -> Row:
    service = job.stack.services[name]
    mine = [one for one in containers if one.service == name]
    changes = []
    if len(mine) != wanted:
        changes.append(f"{len(mine)} containers instead of {wanted}")
    changes += _image_changes(job, service, mine)
    wanted_hash = job.stack.hashes.get(name, "")
    same_name = all(one.image == service.image for one in mine)
    if same_name and any(one.config_hash != wanted_hash for one in mine):
        changes.append("the configuration differs")
    return Row(name, len(mine), wanted, service.image or f"{job.stack.name}-{name}", tuple(changes))


def _image_changes(job: Job, service: Service, mine: Sequence[Container]) -> list[str]:
    names = sorted({one.image for one in mine if service.image and one.image != service.image})
    if names:
        return [f"the image is {', '.join(names)} instead of {service.image}"]
    local = job.engine.image_id(service.image) if service.image else ""
    old = sorted({one.image_id for one in mine if local and one.image_id != local})
    if old:
        return [f"the image {short(old[0])} is not the {short(local)} of this name"]
    if len({one.image_id for one in mine}) > 1:
        return ["its containers have different images"]
    return []


def short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:12]


def floats(image: str) -> bool:
    """Whether the name says no version: another image may have it tomorrow."""
    if "@" in image or not image:
        return False
    tag = image.rpartition("/")[2].partition(":")[2]
    return tag in ("", "latest")
