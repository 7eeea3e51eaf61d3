"""Brings a stack to what its Compose file says, with the images that the registry has now."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import runbook
from runbook.connectors.errors import ConnectorError
from stacks_toolkit import changing, comparing, given
from stacks_toolkit.given import Job
from stacks_toolkit.outcomes import Result, committed, refused
from stacks_toolkit.repository import Repository
from stacks_toolkit.state import Change, Kind, Phase


def main() -> None:
    """Rollout."""
    with given.opened() as job, changing.working(job):
        _ended(lambda: rolled_out(job))


def main_git() -> None:
    """RolloutGit."""
    with given.opened() as job, changing.working(job):
        _ended(lambda: rolled_out_from_git(job, given.text("REF")))


def _ended(work: Callable[[], Result]) -> None:
    try:
        result = work()
    except ConnectorError as error:
        if not error.nothing_changed:
            raise
        result = refused(str(error.code), error.message)
    result.end()


def rolled_out(job: Job) -> Result:
    changing.clear(job)
    return _rolled_out(job, "")


def rolled_out_from_git(job: Job, ref: str) -> Result:
    changing.clear(job)
    repository = Repository(job.stack.folder)
    dirty = repository.changed_files()
    if dirty:
        raise changing.conflict(f"Not committed: {', '.join(dirty[:10])}")
    old = repository.head()
    if job.dry_run:
        return _planned_from_git(job, repository, ref, old)
    new = repository.fetch(ref)
    print(f"{ref} is {new[:12]}; the folder has {old[:12]}", flush=True)
    if new != old:
        print(repository.summary(old, new), flush=True)
    runbook.output("commit", new)
    return _rolled_out(job, new)


def _planned_from_git(job: Job, repository: Repository, ref: str, old: str) -> Result:
    with repository.preview(ref) as (new, folder):
        print(f"{ref} is {new[:12]}; the folder has {old[:12]}", flush=True)
        runbook.output("commit", new)
        if new != old:
            runbook.plan(f"git -C {job.stack.folder} reset --keep {new}", label="verified")
        files = tuple(folder / file.name for file in job.stack.files)
        stack = replace(job.stack, folder=folder, files=files)
        show(replace(job, stack=stack))
    return _planned(job)


def _rolled_out(job: Job, commit: str) -> Result:
    wanted = show(job)
    if job.dry_run:
        return _planned(job)
    containers = job.stack.containers()
    changing.keep_configuration(job, [one.config_hash for one in containers])
    old = Repository(job.stack.folder).head() if commit else ""
    before = comparing.before(containers)
    change = changing.begun(job, Kind.ROLLOUT, before, wanted=wanted, commit=old)
    result = changing.made(job, change, lambda it: _act(job, it, commit))
    _tell(job)
    return result


def _act(job: Job, change: Change, commit: str) -> Change:
    state = changing.state_of(job)
    if commit:
        change = state.at(change, Phase.CHANGING)
        Repository(job.stack.folder).reset(commit)
        job = job.again()
    change = state.at(change, change.phase, wanted=_wanted(job))
    runbook.progress(20, "pulling images")
    job.stack.pull()
    change = state.at(change, Phase.CHANGING)
    runbook.progress(40, "replacing containers")
    job.stack.up(change.wanted)
    return state.at(change, Phase.WAITING)


def _planned(job: Job) -> Result:
    job.stack.pull()
    job.stack.up(_wanted(job))
    return committed("only a plan", "planned")


def _wanted(job: Job) -> dict[str, int]:
    """Raises ConnectorError if the file doesn't allow the counts that are remembered."""
    scale = changing.state_of(job).known().scale
    there = comparing.before(job.stack.containers())
    wanted = comparing.targets(job.stack.services, scale, there)
    comparing.check_counts(job.stack.services, wanted)
    return wanted


def show(job: Job) -> dict[str, int]:
    """Print the difference. Returns how many containers each service is to have."""
    wanted = _wanted(job)
    rows = comparing.rows(job, wanted, job.stack.containers())
    print("What differs, before images are pulled:", *rows, sep="\n", flush=True)
    runbook.output("differs", sorted(row.service for row in rows if row.differs))
    return wanted


def _tell(job: Job) -> None:
    images = {name: one.image_id for name, one in comparing.before(job.stack.containers()).items()}
    runbook.output("images", images)


def undo() -> None:
    changing.undo()
