"""What a waiting run waits for."""

from __future__ import annotations

from dataclasses import dataclass

from runbook.core.times import Millis


@dataclass(frozen=True, slots=True)
class Holder:
    """The holder of a lock: run `run_id` of `ref`, requested by `by`, holding it since `since`."""

    lock: str
    run_id: str
    ref: str
    by: str
    since: Millis
