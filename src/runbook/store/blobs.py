"""Input files: the list of files of each run, and each content once, by digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

import sqlalchemy as sa

from runbook.core.run_files import RunFile, RunFiles
from runbook.core.times import Millis
from runbook.errors import NotFoundError
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.dialects.portable import insert
from runbook.store.rows import Component
from runbook.store.tables import blobs, run_files

# Digests looked up per statement: databases limit the number of parameters.
_AT_ONCE = 200

_FILES = (
    sa.select(run_files.c.path, run_files.c.mode, run_files.c.digest, blobs.c.size)
    .select_from(run_files.outerjoin(blobs, blobs.c.digest == run_files.c.digest))
    .where(run_files.c.run_seq == SEQ_BY_ID)
    .order_by(run_files.c.path)
)
_CONTENT = sa.select(blobs.c.content).where(blobs.c.digest == sa.bindparam("wanted"))
_INSERT_BLOB = insert(blobs).on_conflict_do_nothing()
_INSERT_FILES = sa.insert(run_files)


class Blobs(Component):
    def files_of(self, run_id: str) -> tuple[RunFile, ...]:
        """The input files and folders of a run, each folder before its contents."""
        return self._database.read(
            lambda connection: tuple(
                _file_of(row) for row in connection.execute(_FILES, {"run_id": run_id}).mappings()
            )
        )

    def content(self, digest: str) -> bytes | None:
        return self._database.read(lambda c: c.scalar(_CONTENT, {"wanted": digest}))


def keep_files(connection: sa.Connection, run_seq: int, files: RunFiles, now: Millis) -> None:
    """Store the input files of a new run. Runs no query if there are none.

    Raises NotFoundError if a content is neither given nor stored.
    """
    if not files.files:
        return
    # In the same order everywhere: two transactions never wait for each other.
    wanted = sorted({file.digest for file in files.files if file.digest is not None})
    for digest in _missing(connection, wanted):
        _keep_blob(connection, digest, files.contents, now)
    rows = [
        {
            "run_seq": run_seq,
            "path": os.fsencode(file.path),
            "digest": file.digest,
            "mode": file.mode,
        }
        for file in files.files
    ]
    connection.execute(_INSERT_FILES, rows)


def _missing(connection: sa.Connection, digests: Sequence[str]) -> Iterator[str]:
    for start in range(0, len(digests), _AT_ONCE):
        some = digests[start : start + _AT_ONCE]
        kept = frozenset(
            connection.scalars(sa.select(blobs.c.digest).where(blobs.c.digest.in_(some)))
        )
        yield from (digest for digest in some if digest not in kept)


def _keep_blob(
    connection: sa.Connection, digest: str, contents: Mapping[str, bytes], now: Millis
) -> None:
    content = contents.get(digest)
    if content is None:
        raise NotFoundError("The input files of the earlier run have been deleted.")
    row = {"digest": digest, "size": len(content), "content": content, "created_at": now}
    connection.execute(_INSERT_BLOB, row)


def _file_of(row: sa.RowMapping) -> RunFile:
    return RunFile(os.fsdecode(row["path"]), row["mode"], row["digest"], row["size"] or 0)
