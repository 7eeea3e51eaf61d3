"""Backs up the volumes of a stack, and restores them."""

from __future__ import annotations

import datetime as dt
import os
import shutil
from pathlib import Path

import runbook
from runbook.connectors.errors import ConnectorError, ErrorCode
from stacks_toolkit import changing, comparing, given, volumes
from stacks_toolkit.given import Job
from stacks_toolkit.outcomes import Outcome, Result, committed, refused
from stacks_toolkit.state import Change, Kind, Phase

ARCHIVES, LATEST = "backups", "latest"


def folder_of(job: Job) -> Path:
    return changing.state_of(job).folder / ARCHIVES


def new_folder(job: Job) -> Path:
    """Its name sorts by time."""
    at = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
    return folder_of(job) / f"{at}-{os.environ['RUNBOOK_RUN_ID'][-8:]}"


# -- Backup ---------------------------------------------------------------------------------------


def back_up() -> None:
    with given.opened() as job, changing.working(job):
        changing.clear(job)
        how = given.text("CONSISTENCY", volumes.PAUSE)
        names = list(job.stack.volumes.values())
        print(f"Volumes: {', '.join(names) or 'none'}", flush=True)
        if job.dry_run:
            _plan_backup(job, how, names)
            return
        folder = new_folder(job)
        saved = _backed_up(job, how, folder)
        volumes.prune(folder_of(job), given.whole("KEEP", 7))
        runbook.output("backup", folder.name)
        runbook.output("volumes", {one.volume: one.sha256 for one in saved})


def _plan_backup(job: Job, how: str, names: list[str]) -> None:
    volumes.hold(job, how)
    for name in names:
        runbook.plan(f"save the volume {name} of {job.engine.name}", label="verified")


def _backed_up(job: Job, how: str, folder: Path) -> list[volumes.Saved]:
    containers = job.stack.containers()
    is_up = any(one.state == "running" for one in containers)
    held = how if is_up else ""
    image = volumes.image_of(job)
    change = changing.begun(
        job, Kind.BACKUP, comparing.before(containers), stopped=held, archive=str(folder)
    )
    state = changing.state_of(job)
    try:
        change = state.at(change, Phase.CHANGING)
        volumes.hold(job, held)
        saved = volumes.save_all(job, image, folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        volumes.resume(job, change)
        state.end(change, Outcome.REVERTED, "failed")
        raise
    volumes.resume(job, change)
    state.end(change, Outcome.COMMITTED, "saved")
    return saved


# -- Restore --------------------------------------------------------------------------------------


def restore() -> None:
    with given.opened() as job, changing.working(job):
        try:
            result = _restored(job, given.text("BACKUP", LATEST))
        except ConnectorError as error:
            if not error.nothing_changed:
                raise
            result = refused(str(error.code), error.message)
        result.end()


def _restored(job: Job, which: str) -> Result:
    changing.clear(job)
    chosen = _chosen(job, which)
    _, saved = volumes.checked(chosen)
    print(f"The backup {chosen.name} is whole: {', '.join(it.volume for it in saved)}", flush=True)
    containers = job.stack.containers()
    there = comparing.before(containers)
    known = changing.state_of(job).known().scale
    wanted = comparing.targets(job.stack.services, known, there)
    if job.dry_run:
        volumes.replace_all(job, chosen)
        job.stack.up(wanted)
        return committed("only a plan", "planned")
    changing.keep_configuration(job, [one.config_hash for one in containers])
    safety = new_folder(job)
    _backed_up(job, volumes.STOP, safety)
    change = changing.begun(job, Kind.RESTORE, there, wanted=wanted, archive=str(safety))
    result = changing.made(job, change, lambda it: _act(job, it, chosen))
    runbook.output("safety_backup", safety.name)
    return result


def _act(job: Job, change: Change, chosen: Path) -> Change:
    state = changing.state_of(job)
    change = state.at(change, Phase.CHANGING)
    runbook.progress(30, "restoring volumes")
    volumes.replace_all(job, chosen)
    job.stack.up(change.wanted)
    return state.at(change, Phase.WAITING)


def _chosen(job: Job, which: str) -> Path:
    known = volumes.kept(folder_of(job))
    for path in known:
        if which in (LATEST, path.name):
            return path
    names = ", ".join(path.name for path in known) or "none"
    text = f"{job.stack.name} has no backup {which}. It has: {names}"
    raise given.invalid(text, ErrorCode.NOT_FOUND)
