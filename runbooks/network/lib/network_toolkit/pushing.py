"""Changes a device, and lets it go back by itself if it can't be reached afterwards."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

import runbook
from network_toolkit import devices, given, saving
from network_toolkit.devices import Cli
from network_toolkit.vendors import Vendor
from runbook.connectors import backups
from runbook.connectors.backups import BackupStore, Origin
from runbook.connectors.effects import EarlierChange, earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode

EFFECT = "network push"
MINUTE_S = 60.0
GRACE_S = 30.0
RETRY_S = 5.0
MOST_LINES = 5000


class Outcome(StrEnum):
    COMMITTED = "committed"
    REVERTED = "reverted"
    REFUSED = "refused"
    UNKNOWN = "unknown"


EXIT_CODES: Mapping[Outcome, int] = {
    Outcome.COMMITTED: 0,
    Outcome.REFUSED: 40,
    Outcome.REVERTED: 41,
    Outcome.UNKNOWN: 42,
}


@dataclass(frozen=True, slots=True)
class Result:
    outcome: Outcome
    text: str = ""


class _EndedError(ConnectorError):
    """The change was not made, is gone, or nobody knows."""

    def __init__(self, result: Result) -> None:
        gone = result.outcome is not Outcome.UNKNOWN
        super().__init__(result.text, ErrorCode.DEVICE_ERROR, nothing_changed=gone, answered=True)
        self.result = result


@dataclass(frozen=True, slots=True)
class Job:
    vendor: Vendor
    lines: tuple[str, ...]
    minutes: int
    store: BackupStore


def main() -> None:
    vendor = devices.vendor_of()
    job = Job(
        vendor, lines_of(given.text("CHANGE")), given.whole("MINUTES", 5), backups.open_store()
    )
    if not vendor.push.reverts and not given.flag("WITHOUT_REVERT"):
        raise given.invalid(
            f"Nothing reverts a change of {vendor.name}. Allow that by WITHOUT_REVERT"
        )
    result = pushed(job)
    runbook.output("OUTCOME", result.outcome.value)
    print(f"{result.outcome}{f': {result.text}' if result.text else ''}")
    if code := EXIT_CODES[result.outcome]:
        sys.exit(code)


def lines_of(change: str) -> tuple[str, ...]:
    """Without empty lines; comments stay, as some devices need them as separators."""
    lines = tuple(line.rstrip() for line in change.splitlines() if line.strip())
    if not lines or len(lines) > MOST_LINES:
        raise given.invalid(f"CHANGE must have 1 to {MOST_LINES} lines")
    if any(not re.fullmatch(r"[^\x00-\x08\x0b-\x1f\x7f]*", line) for line in lines):
        raise given.invalid("CHANGE has control characters")
    return lines


def pushed(job: Job) -> Result:
    with devices.opened(job.vendor) as cli:
        runbook.progress(10, "connected")
        before, version = cli.config(), cli.version()
        look_back(job, before)
        if runbook.dry_run():
            _send(cli, job)
            return Result(Outcome.COMMITTED, "only a plan")
        saved = saving.save(cli, before, version, Origin.SEEN, "Back up", job.store)
        runbook.progress(25, f"backed up as {saved.commit[:10]}")
        what = f"push {len(job.lines)} lines to {cli.name}"
        probe = {"before": job.store.fingerprint(before), "backup": saved.commit}
        try:
            with effect(what, key=EFFECT, probe=probe):
                result = _outcome(job, cli, before)
                _record(result)
        except _EndedError as ended:
            return ended.result
        return result


def look_back(job: Job, config: str) -> None:
    """What an earlier attempt has left. Raises `conflict` if it did something."""
    for change in earlier(EFFECT):
        if change.probe["before"] == job.store.fingerprint(config):
            change.did_not_happen()
        else:
            _refuse_again(change)


def _refuse_again(change: EarlierChange) -> None:
    text = (
        f"Run {change.run_id} has changed the device, or somebody has since. "
        f"Compare it with backup {str(change.probe['backup'])[:10]} by Diff, then push anew"
    )
    raise ConnectorError(text, ErrorCode.CONFLICT, nothing_changed=True)


def _record(result: Result) -> None:
    """Within the record of the change: let it say that it isn't there, or that nobody knows."""
    if result.outcome is not Outcome.COMMITTED:
        raise _EndedError(result)


def _outcome(job: Job, cli: Cli, before: str) -> Result:
    try:
        _send(cli, job)
    except ConnectorError as error:
        if error.code is ErrorCode.DEVICE_ERROR:
            return _aborted(job, cli, before, error)
        # It may be gone because of the change, which is what the revert is for.
        return _after_silence(job, before, error)
    runbook.progress(60, "applied")
    try:
        return _verified(job)
    except ConnectorError as error:
        return _after_silence(job, before, error)


def _send(cli: Cli, job: Job) -> None:
    push = cli.vendor.push
    cli.all(push.enter, minutes=job.minutes)
    for line in job.lines:
        cli.change(line)
    cli.all((*push.check, *push.apply), minutes=job.minutes)
    cli.all(push.leave)


def _aborted(job: Job, cli: Cli, before: str, error: ConnectorError) -> Result:
    """The device said that a line is wrong. What came before it is taken back."""
    for command in job.vendor.push.abort:
        with suppress(ConnectorError):
            cli.change(command)
    text = error.message
    with suppress(ConnectorError):
        if cli.config() == before:
            return Result(Outcome.REFUSED, text)
    return Result(Outcome.UNKNOWN, f"{text}. The lines before it may be in effect: execute Diff")


def _verified(job: Job) -> Result:
    """By a new connection, which also confirms."""
    with devices.opened(job.vendor) as cli:
        runbook.progress(70, "reached again")
        cli.all(job.vendor.push.confirm)
        cli.all(job.vendor.push.save)
        saving.save(cli, cli.config(), cli.version(), Origin.RUN, "Push", job.store)
    return Result(Outcome.COMMITTED)


def _after_silence(job: Job, before: str, error: ConnectorError) -> Result:
    """Wait until the device must have gone back, and look."""
    if not job.vendor.push.reverts:
        return Result(Outcome.UNKNOWN, f"{error.message}. Nothing reverts it by itself")
    print(f"{error.message}. Waiting until the device goes back by itself", flush=True)
    runbook.progress(75, "waiting for the device to revert")
    deadline = time.monotonic() + job.minutes * MINUTE_S + GRACE_S
    while time.monotonic() < deadline:
        with suppress(ConnectorError), devices.opened(job.vendor) as cli:
            if cli.config() == before:
                return Result(Outcome.REVERTED, error.message)
        time.sleep(RETRY_S)
    return Result(Outcome.UNKNOWN, f"{error.message}. The device didn't come back as it was")
