"""Sets how many containers a service has."""

from __future__ import annotations

import runbook
from runbook.connectors.errors import ConnectorError
from stacks_toolkit import changing, comparing, given
from stacks_toolkit.given import Job
from stacks_toolkit.outcomes import Result, committed, refused
from stacks_toolkit.state import Change, Kind, Phase


def main() -> None:
    with given.opened() as job, changing.working(job):
        try:
            result = scaled(job, given.text("SERVICE"), given.whole("REPLICAS", 1))
        except ConnectorError as error:
            if not error.nothing_changed:
                raise
            result = refused(str(error.code), error.message)
        result.end()


def scaled(job: Job, service: str, replicas: int) -> Result:
    changing.clear(job)
    containers = job.stack.containers()
    there = comparing.before(containers)
    _check(job, service, replicas)
    now = there[service].count if service in there else 0
    print(f"{service}: {now} → {replicas}", flush=True)
    runbook.output("before", now)
    if job.dry_run:
        job.stack.up({service: replicas}, services=[service], recreate=False)
        return committed("only a plan", "planned")
    change = changing.begun(
        job,
        Kind.SCALE,
        there,
        wanted={service: replicas},
        scale={service: replicas},
        only=service,
    )
    result = changing.made(job, change, lambda it: _act(job, it))
    runbook.output("replicas", _count(job, service))
    return result


def _act(job: Job, change: Change) -> Change:
    state = changing.state_of(job)
    change = state.at(change, Phase.CHANGING)
    runbook.progress(30, "scaling")
    job.stack.up(change.wanted, services=[change.only], recreate=False)
    return state.at(change, Phase.WAITING)


def _check(job: Job, service: str, replicas: int) -> None:
    """Raises ConnectorError if it can't be scaled, or would get containers of another image."""
    if service not in job.stack.services:
        known = ", ".join(job.stack.services)
        raise given.invalid(f"{job.stack.name} has no service {service}. It has {known}")
    comparing.check_counts(job.stack.services, {service: replicas})
    mine = [one for one in job.stack.containers() if one.service == service]
    image = job.stack.services[service].image
    local = job.engine.image_id(image) if image else ""
    if mine and local and any(one.image_id != local for one in mine):
        raise changing.conflict(f"Another image has the name {image} by now: run Rollout instead")


def _count(job: Job, service: str) -> int:
    there = comparing.before(job.stack.containers())
    return there[service].count if service in there else 0


def undo() -> None:
    changing.undo()
