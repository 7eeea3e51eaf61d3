"""The first `plan` event of a dry run."""

from __future__ import annotations

from collections.abc import Sequence

from runbook.core.document import Runbook, Step
from runbook.core.run import Run
from runbook.resources.preview import preview_json
from runbook.store.store import Store


def preview(runbook: Runbook, steps: Sequence[Step], run: Run, store: Store) -> dict[str, object]:
    """Its data, with the `steps` that a real run would execute."""
    wants = run.request.locks.wants if run.request.locks else ()
    holders = {want.name: store.locks.holder(want) for want in wants}
    return {"preview": preview_json(runbook, steps, run, holders)}
