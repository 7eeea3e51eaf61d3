"""The input files of a new run: read now, or those of the run that it resumes or undoes."""

from __future__ import annotations

from runbook.core.document import Problem
from runbook.core.run import Relation
from runbook.core.run_files import NO_FILES, RunFiles
from runbook.engine.parts import Parts
from runbook.engine.requests import Rerun
from runbook.library.catalog import Entry


def input_files(
    parts: Parts, entry: Entry, rerun: Rerun | None = None
) -> tuple[RunFiles, list[Problem]]:
    """The files to copy into the run's directory, and everything that is wrong with them.

    A retry reads the files as they are now; a resume or undo reuses those of the earlier run.
    Raises NotFoundError.
    """
    runbook = entry.document.runbook
    if runbook is None or not runbook.files_in:
        return NO_FILES, []
    if rerun is not None and rerun.relation in (Relation.RESUME, Relation.UNDO):
        kept = parts.store.blobs.files_of(rerun.run.id)
        if kept:  # earlier versions of the program stored none
            return RunFiles(kept), []
    return parts.catalog.read_inputs(entry.ref, runbook)


def check_files(parts: Parts, entry: Entry) -> list[Problem]:
    """Everything that is wrong with the runbook's input files. Raises NotFoundError."""
    runbook = entry.document.runbook
    return [] if runbook is None else parts.catalog.check_inputs(entry.ref, runbook)
