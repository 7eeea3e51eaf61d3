"""Ends what a killed run has left half done."""

from __future__ import annotations

import runbook
from stacks_toolkit import changing, given
from stacks_toolkit.outcomes import EXIT_CODES, Outcome


def main() -> None:
    with given.opened() as job, changing.working(job):
        known = changing.state_of(job).known().change
        if known is None or not known.is_open:
            outcome = known.outcome if known is not None else "none"
            runbook.output("outcome", outcome)
            print(f"No change of {job.stack.name} is open. The last one: {outcome}")
            return
        print(f"{known.kind} of run {known.run_id} ended while it was {known.phase}", flush=True)
        if job.dry_run:
            return
        result = changing.settled(job)
        assert result is not None  # noqa: S101 - it is open
        runbook.output("outcome", result.outcome.value)
        runbook.output("run", known.run_id)
        print(f"{result.outcome}: {result.text}")
        if result.outcome is Outcome.UNKNOWN:
            raise SystemExit(EXIT_CODES[result.outcome])
