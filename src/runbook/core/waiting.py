"""Why a run waits."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.core.times import Millis


@dataclass(frozen=True, slots=True)
class Holder:
    """Why a run waits: `lock` is held by the run `run_id` of `ref`, started by `by`, since then."""

    lock: str
    run_id: str
    ref: str
    by: str
    since: Millis
