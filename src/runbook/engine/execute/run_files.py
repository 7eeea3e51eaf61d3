"""The input files of a run, as they were when it was submitted."""

from __future__ import annotations

from runbook.core.run import Run
from runbook.core.run_files import RunFile, digest_of
from runbook.errors import NotFoundError
from runbook.store.store import Store


def files_of(store: Store, run: Run) -> tuple[RunFile, ...]:
    """Raises NotFoundError for runs of versions that didn't store files."""
    files = store.blobs.files_of(run.id)
    if not files:
        raise NotFoundError("The run's input files are not stored: retry the run.")
    return files


def content_of(store: Store, digest: str) -> bytes:
    """Raises NotFoundError if the database has no such content, or a changed one."""
    content = store.blobs.content(digest)
    if content is None or digest_of(content) != digest:
        raise NotFoundError("An input file is not in the database as it was kept.")
    return content
