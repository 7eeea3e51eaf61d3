"""The files that a new run begins with: read now, or those of the run that it goes on from."""

from __future__ import annotations

from runbook.core.document import Problem
from runbook.core.run import Relation
from runbook.core.run_files import NO_FILES, RunFiles
from runbook.engine.parts import Parts
from runbook.engine.requests import Follows
from runbook.library.catalog import Entry


def input_files(
    parts: Parts, entry: Entry, follows: Follows | None = None
) -> tuple[RunFiles, list[Problem]]:
    """What the run's directory begins with, and everything that is wrong with it.

    A retry takes the files as they are now; what goes on from a run, or reverses it, has that
    run's own. Raises NotFoundError.
    """
    runbook = entry.document.runbook
    if runbook is None or not runbook.files_in:
        return NO_FILES, []
    if follows is not None and follows.relation is not Relation.RETRY:
        kept = parts.store.blobs.files_of(follows.run.id)
        if kept:  # an earlier version of the program kept none
            return RunFiles(kept), []
    return parts.catalog.read_inputs(entry.ref, runbook)


def check_files(parts: Parts, entry: Entry) -> list[Problem]:
    """Everything that is wrong with the files that the runbook asks for. Raises NotFoundError."""
    runbook = entry.document.runbook
    return [] if runbook is None else parts.catalog.check_inputs(entry.ref, runbook)
