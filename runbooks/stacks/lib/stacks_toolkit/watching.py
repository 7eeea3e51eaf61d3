"""Waits until a stack is healthy, and says why it isn't."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from runbook.connectors.compose import Container, Engine
from runbook.connectors.errors import ConnectorError
from stacks_toolkit.given import Job

PAUSE_S = 0.5
LOG_LINES = 10


class Verdict(StrEnum):
    GOOD = "good"
    NOT_YET = "not yet"
    BAD = "bad"
    """It won't become healthy by waiting."""


@dataclass(frozen=True, slots=True)
class Finding:
    verdict: Verdict
    text: str = ""
    container: Container | None = None


def trouble(job: Job, expected: Mapping[str, int], restarts: Mapping[str, int]) -> str:
    """Empty once all services are healthy. `restarts` are those from before, by container.

    A container without a health check must run for `settle_s` without a restart.
    """
    deadline = time.monotonic() + job.wait_s
    good_since: float | None = None
    while True:
        containers = job.stack.containers()
        found = worst(containers, expected, restarts)
        now = time.monotonic()
        if found.verdict is Verdict.BAD:
            return explained(job.engine, found)
        good_since = (good_since or now) if found.verdict is Verdict.GOOD else None
        if good_since is not None and now - good_since >= _settling(job, containers):
            return ""
        if now > deadline + (job.settle_s if good_since is not None else 0):
            return f"not healthy after {job.wait_s:g} s: {explained(job.engine, found)}"
        time.sleep(PAUSE_S)


def _settling(job: Job, containers: Iterable[Container]) -> float:
    checked = all(one.health for one in containers if one.is_up)
    return 0.0 if checked else job.settle_s


def restarts_of(containers: Iterable[Container]) -> dict[str, int]:
    return {one.id: one.restarts for one in containers}


def worst(
    containers: Iterable[Container], expected: Mapping[str, int], restarts: Mapping[str, int]
) -> Finding:
    """Of all services that are expected."""
    by_service: dict[str, list[Container]] = {name: [] for name in expected}
    for one in containers:
        if one.service in by_service:
            by_service[one.service].append(one)
    findings = [_of_container(one, restarts) for group in by_service.values() for one in group]
    findings += [
        Finding(Verdict.NOT_YET, f"{name} has {len(group)} containers instead of {expected[name]}")
        for name, group in by_service.items()
        if len(group) != expected[name]
    ]
    order = (Verdict.BAD, Verdict.NOT_YET)
    unfit = sorted((one for one in findings if one.verdict in order), key=_rank)
    return next(iter(unfit), Finding(Verdict.GOOD))


def _rank(finding: Finding) -> bool:
    return finding.verdict is not Verdict.BAD


def _of_container(one: Container, restarts: Mapping[str, int]) -> Finding:
    again = one.restarts > restarts.get(one.id, 0)
    text = ""
    match one.state:
        case "running" if one.health == "unhealthy":
            text = f"{one.name} is unhealthy: {one.error}"
        case "running" if again:
            text = f"{one.name} has restarted"
        case "running" if one.health in ("", "healthy"):
            return Finding(Verdict.GOOD)
        case "exited" if one.exit_code == 0 and one.restart_policy in ("no", "on-failure"):
            return Finding(Verdict.GOOD)  # its work is done
        case "exited" | "dead" | "restarting":
            text = f"{one.name} ended with {one.exit_code} {one.error}"
        case "created" if one.error:
            text = f"{one.name} can't start: {one.error}"
    if text:
        return Finding(Verdict.BAD, text, one)
    return Finding(Verdict.NOT_YET, f"{one.name} is {one.health or one.state}", one)


def explained(engine: Engine, found: Finding) -> str:
    """With the last lines that the container printed, which are shown but not kept."""
    if found.container is not None:
        try:
            lines = engine.logs(found.container.id, LOG_LINES).splitlines()
        except ConnectorError:
            lines = []
        if lines:
            print(f"The last lines of {found.container.name}:", *lines, sep="\n", flush=True)
    return found.text.strip().removesuffix(":")
