"""What stacks there are, and how they are: Status and Drift."""

from __future__ import annotations

import datetime as dt
import json
import os
import sys
from pathlib import Path
from typing import Any

import runbook
from runbook.connectors import compose
from runbook.connectors.compose import Engine
from stacks_toolkit import comparing, given, watching
from stacks_toolkit.comparing import Row
from stacks_toolkit.given import Job
from stacks_toolkit.state import Change, State, stacks_of

DIFFERENT = 3
"""Exit code of Drift if something differs, and the inputs say that this is a failure."""


def status() -> None:
    with compose.connect(given.ENGINE) as engine:
        name = given.text("STACK")
        names = [name] if name else sorted({*engine.projects(), *stacks_of(engine.name)})
        stacks = [_status(engine, one) for one in names]
    if not stacks:
        print(f"{engine.name} has no stack")
    runbook.output("stacks", stacks)
    runbook.output("half_done", [one["stack"] for one in stacks if one["half_done"]])


def _status(engine: Engine, name: str) -> dict[str, Any]:
    state = State(engine.name, name)
    known = state.known()
    containers = engine.containers(name)
    print(f"{name}:")
    services = {}
    for service, there in comparing.before(containers).items():
        mine = [one for one in containers if one.service == service]
        wanted = known.scale.get(service)
        found = watching.worst(mine, {service: wanted or len(mine)}, watching.restarts_of(mine))
        health = found.text or "healthy"
        of = f" of {wanted}" if wanted is not None else ""
        image = f"{there.image} ({comparing.short(there.image_id)})"
        print(f"  {service}: {there.count}{of} x {image}: {health}")
        services[service] = {
            "replicas": there.count,
            "desired": wanted,
            "image": there.image,
            "image_id": there.image_id,
            "healthy": not found.text,
        }
    if not services:
        print("  no containers")
    half_done = _half_done(state, known.change)
    rolled_out = known.rolled_out.get("run_id", "")
    return {"stack": name, "services": services, "half_done": half_done, "rolled_out": rolled_out}


def _half_done(state: State, change: Change | None) -> str:
    """The run that has left a change half done; empty if there is none."""
    if change is None:
        return ""
    at = dt.datetime.fromtimestamp(change.at, dt.UTC).isoformat(timespec="seconds")
    if not change.is_open:
        print(f"  last change: {change.kind} of {at} by run {change.run_id}: {change.outcome}")
        return ""
    if state.is_worked_on():
        print(f"  in progress: {change.kind} since {at} by run {change.run_id} ({change.phase})")
        return ""
    print(
        f"  HALF DONE: {change.kind} of {at} by run {change.run_id}, which ended while it was "
        f"{change.phase}. Run Recover"
    )
    return change.run_id


def drift() -> None:
    with given.opened() as job:
        found = _drift(job)
    if any(found.values()) and given.flag("FAIL"):
        sys.exit(DIFFERENT)


def _drift(job: Job) -> dict[str, list[str]]:
    known = State(job.engine.name, job.stack.name).known()
    containers = job.stack.containers()
    running = comparing.before(containers) if not known.rolled_out else {}
    wanted = comparing.targets(job.stack.services, known.scale, running)
    rows = comparing.rows(job, wanted, containers)
    floating = sorted({row.service for row in rows if comparing.floats(row.image)})
    healthy = watching.worst(containers, wanted, watching.restarts_of(containers))
    found = {
        "differs": [row.service for row in rows if row.differs],
        "floating": floating,
        "unhealthy": [healthy.text] if healthy.verdict is watching.Verdict.BAD else [],
    }
    _show(job, rows, found)
    return found


def _show(job: Job, rows: list[Row], found: dict[str, list[str]]) -> None:
    print(*rows, sep="\n")
    for service in found["floating"]:
        print(f"{service}: the image has no version, or latest")
    for text in found["unhealthy"]:
        print(text)
    for name, values in found.items():
        runbook.output(name, values)
    path = Path(os.environ["RUNBOOK_ARTIFACTS"]) / "drift.json"
    path.write_text(json.dumps({"stack": job.stack.name, **found}, indent=1), encoding="utf-8")
