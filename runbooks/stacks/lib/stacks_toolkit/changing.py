"""Changes a stack so that it goes back by itself if it doesn't become healthy."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import runbook
from runbook.connectors.compose import Stack
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
from stacks_toolkit import comparing, given, volumes, watching
from stacks_toolkit.given import Job
from stacks_toolkit.outcomes import Outcome, Result, committed, refused
from stacks_toolkit.repository import Repository
from stacks_toolkit.state import BEFORE, GOOD, Change, Kind, Phase, Running, State

EFFECT = "stacks.change"
KEPT = "runbook-kept"


class NotKeptError(ConnectorError):
    """The change is not there: `result` says why."""

    def __init__(self, result: Result) -> None:
        gone = result.outcome is not Outcome.UNKNOWN
        code = ErrorCode.TASK_FAILED
        super().__init__(result.text, code, nothing_changed=gone, answered=True)
        self.result = result


def state_of(job: Job) -> State:
    return State(job.engine.name, job.stack.name)


def working(job: Job) -> AbstractContextManager[None]:
    """Others can tell that this process changes the stack; a dry run doesn't."""
    return nullcontext() if job.dry_run else state_of(job).working()


def conflict(message: str) -> ConnectorError:
    return ConnectorError(message, ErrorCode.CONFLICT, nothing_changed=True)


def clear(job: Job) -> None:
    """End what an earlier run has left half done, before a new change begins."""
    known = state_of(job).known().change
    if known is None or not known.is_open:
        return
    if job.dry_run:
        text = f"Run {known.run_id} has left a {known.kind} half done, which a real run ends first"
        print(text, flush=True)
        return
    print(f"Run {known.run_id} has left a {known.kind} half done: ending it first", flush=True)
    result = settled(job)
    if result is not None:
        print(f"{result.outcome}: {result.text}", flush=True)
        if result.outcome is Outcome.UNKNOWN:
            raise conflict(result.text)


def begun(job: Job, kind: Kind, before: Mapping[str, Running], **more: Any) -> Change:
    """Nothing is changed before this returns."""
    file = str(job.stack.files[0]) if job.stack.files else ""
    folder = str(job.stack.folder)
    return state_of(job).begin(kind, before, folder=folder, file=file, **more)


def undo() -> None:
    """Bring back what was there before the change that this run undoes, if it was the last one."""
    with given.opened() as job, working(job):
        change = state_of(job).known().change
        known = {one.probe.get("run") for one in earlier(EFFECT)}
        if change is None or change.run_id not in known:
            refused("changed_since", f"{job.stack.name} was changed since").end()
            return
        if job.dry_run:
            print(f"Would go back to what was there before run {change.run_id}")
            return
        result = reverted(job, change, "the change is undone", "undone")
        if result.outcome is not Outcome.REVERTED:
            result.end()
        close_effects(change, stays=False)
        print(result.text)


def made(job: Job, change: Change, act: Callable[[Change], Change]) -> Result:
    """Make a change. `act` goes through its phases, up to WAITING, and returns the latest."""
    what = f"{change.kind} {job.stack.name} on {job.engine.name}"
    probe = {"engine": job.engine.name, "stack": job.stack.name, "run": change.run_id}
    try:
        with effect(what, key=EFFECT, probe=probe):
            return _kept(_attempted(job, change, act))
    except NotKeptError as error:
        return error.result


def _kept(result: Result) -> Result:
    """Within the record of the change: let it say that it isn't there, or that nobody knows."""
    if result.outcome is not Outcome.COMMITTED:
        raise NotKeptError(result)
    return result


def _attempted(job: Job, change: Change, act: Callable[[Change], Change]) -> Result:
    restarts = watching.restarts_of(job.stack.containers())
    try:
        change = act(change)
        runbook.progress(60, "waiting until it is healthy")
        why = watching.trouble(job, change.wanted, restarts)
    except ConnectorError as error:
        change = state_of(job).known().change or change
        return _gone_back(job, change, error.message, str(error.code))
    if why:
        return _gone_back(job, change, why, "unhealthy")
    return commit(job, change)


def commit(job: Job, change: Change) -> Result:
    state = state_of(job)
    if change.kind is Kind.ROLLOUT:
        state.save_sealed(GOOD, job.again().stack.resolved_text())
    _keep_images(job, change)
    state.end(change, Outcome.COMMITTED, "healthy")
    counts = ", ".join(f"{count} x {name}" for name, count in sorted(change.wanted.items()))
    return committed(f"{job.stack.name} is healthy: {counts}")


def _keep_images(job: Job, change: Change) -> None:
    """Those from before, for an undo. A prune of the engine leaves images alone that have names."""
    if change.kind is Kind.ROLLOUT:
        for name, one in change.before.items():
            if one.image_id:
                job.engine.tag(one.image_id, kept_name(job.stack.name, name))


def kept_name(stack: str, service: str) -> str:
    return f"{KEPT}/{stack}-{service}:previous".lower()


def _gone_back(job: Job, change: Change, why: str, reason: str) -> Result:
    print(f"Going back, because {why}", flush=True)
    if change.phase is Phase.PREPARING:
        return _given_up(job, change, why, reason)
    runbook.progress(80, "going back")
    return reverted(job, change, why, reason)


def _given_up(job: Job, change: Change, why: str, reason: str) -> Result:
    """No container was changed; but images may have got other names."""
    _restore_names(job, change)
    state_of(job).end(change, Outcome.REFUSED, reason)
    return Result(Outcome.REFUSED, reason, f"Nothing was changed: {why}")


def reverted(job: Job, change: Change, why: str, reason: str) -> Result:
    """Bring back what was there before. May be called again, after a crash or an error."""
    state = state_of(job)
    change = state.at(change, Phase.REVERTING)
    try:
        left = _reverted(job, change)
    except ConnectorError as error:
        text = f"{why}. Going back has failed: {error.message}. Run Recover"
        return Result(Outcome.UNKNOWN, str(error.code), text)
    if change.kind is Kind.SCALE:
        state.remember(change.scale_before)
    state.end(change, Outcome.REVERTED, reason)
    text = f"{job.stack.name} has the images, counts and configuration from before, because {why}"
    return Result(Outcome.REVERTED, reason, f"{text}. {left}" if left else text)


def _reverted(job: Job, change: Change) -> str:
    """What is still to say about the stack from before. Raises ConnectorError."""
    if change.kind is Kind.BACKUP:
        volumes.remove_helpers(job)
        volumes.resume(job, change)
        return ""
    if change.commit:
        Repository(job.stack.folder).reset(change.commit)
        job = job.again()
    if change.kind is Kind.RESTORE:
        volumes.replace_all(job, Path(change.archive))
    restarts = watching.restarts_of(job.stack.containers())
    counts = {name: one.count for name, one in change.before.items()}
    if change.kind is Kind.SCALE:
        only = {change.only: counts.get(change.only, 0)}
        job.stack.up(only, services=only, recreate=False)
        counts = only
    elif not change.before:
        job.stack.remove_containers()
    else:
        _restore_names(job, change)
        with _as_before(job, change) as stack:
            stack.up(_all_counts(stack, counts))
    _verify(job, change, counts)
    why = watching.trouble(job, counts, restarts)
    return f"But it isn't healthy: {why}" if why else ""


def _all_counts(stack: Stack, counts: Mapping[str, int]) -> dict[str, int]:
    """A service that wasn't there before goes."""
    return {name: counts.get(name, 0) for name in stack.services}


def _verify(job: Job, change: Change, counts: Mapping[str, int]) -> None:
    there = comparing.before(job.stack.containers())
    for name, count in counts.items():
        old, new = change.before.get(name), there.get(name, Running(0, "", ""))
        if new.count != count or (old and count and new.image_id != old.image_id):
            text = f"{name} has {new.count} containers of {comparing.short(new.image_id)}"
            raise ConnectorError(text, ErrorCode.TASK_FAILED)


def _restore_names(job: Job, change: Change) -> None:
    """What was pulled or built since has the names of the images from before."""
    for one in change.before.values():
        is_id = one.image.startswith("sha256:") or "@" in one.image
        if one.image_id and not is_id and job.engine.image_id(one.image) != one.image_id:
            job.engine.tag(one.image_id, one.image)


@contextmanager
def _as_before(job: Job, change: Change) -> Iterator[Stack]:
    """The stack as described by the configuration from before.

    If that isn't known, it is the one of now with the images from before.
    """
    state, stack = state_of(job), job.stack
    known = state.sealed(BEFORE)
    with tempfile.TemporaryDirectory(prefix="stack-") as folder:
        path = Path(folder) / "before.json"
        path.touch(mode=0o600)
        if known:
            path.write_text(known, encoding="utf-8")
            yield stack.described_by(path)
            return
        images = {
            name: {"image": one.image}
            for name, one in change.before.items()
            if name in stack.services
        }
        path.write_text(json.dumps({"services": images}), encoding="utf-8")
        yield stack.described_by(*stack.all_files(), path)


def keep_configuration(job: Job, containers: list[str]) -> None:
    """That of the containers that are there, if it is known: `containers` are their hashes."""
    state = state_of(job)
    state.forget(BEFORE)
    wanted = set(containers)
    good = state.sealed(GOOD)
    for text in filter(None, (good, job.stack.resolved_text())):
        with tempfile.TemporaryDirectory(prefix="stack-") as folder:
            path = Path(folder) / "known.json"
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
            with suppress(ConnectorError):
                if wanted <= set(job.stack.described_by(path).hashes.values()):
                    state.save_sealed(BEFORE, text)
                    return


# -- changes that were left half done -------------------------------------------------------------


def settled(job: Job) -> Result | None:
    """End what a killed run has left; None if there is nothing."""
    state = state_of(job)
    change = state.known().change
    if change is None or not change.is_open:
        return None
    job = _at_its_place(job, change)
    result = _settled(job, change)
    if result.outcome is not Outcome.UNKNOWN:
        close_effects(change, stays=result.outcome is Outcome.COMMITTED)
    return result


def _settled(job: Job, change: Change) -> Result:
    why = f"run {change.run_id} ended while it was {change.phase}"
    if change.phase is Phase.PREPARING and change.kind is not Kind.BACKUP:
        return _given_up(job, change, why, "interrupted")
    if change.phase is Phase.WAITING:
        unhealthy = watching.trouble(job, change.wanted, {})
        if not unhealthy:
            return commit(job, change)
        why = unhealthy
    return reverted(job, change, why, "interrupted")


def _at_its_place(job: Job, change: Change) -> Job:
    """With the files that the killed run had."""
    files = (Path(change.file),) if change.file else ()
    stack = Stack(job.engine, job.stack.name, Path(change.folder), files)
    return replace(job, stack=stack)


def close_effects(change: Change, *, stays: bool) -> None:
    """In the records of the run that this one recovers, retries or resumes."""
    for one in earlier(EFFECT):
        if one.probe.get("run") == change.run_id:
            if stays:
                one.made()
            else:
                one.undone()
