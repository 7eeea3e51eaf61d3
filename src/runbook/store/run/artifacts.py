"""The artifacts of runs; their content is stored beside the database."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from runbook.core.outcome import Artifact
from runbook.store.conditions import SEQ_BY_ID
from runbook.store.rows import Component
from runbook.store.tables import artifacts, runs

_ARTIFACTS = (
    sa.select(artifacts.c.name, artifacts.c.size, artifacts.c.sha256)
    .where(artifacts.c.run_seq == SEQ_BY_ID)
    .order_by(artifacts.c.name)
)
_ALL = (
    sa.select(runs.c.id, artifacts.c.name, artifacts.c.size, artifacts.c.sha256)
    .where(runs.c.seq == artifacts.c.run_seq)
    .order_by(artifacts.c.run_seq, artifacts.c.name)
)
_INSERT_ARTIFACT = sa.insert(artifacts)


class Artifacts(Component):
    def of(self, run_id: str) -> list[Artifact]:
        """The artifacts of a run, by name."""
        return self._database.read(
            lambda connection: [
                Artifact(str(name), size if isinstance(size, int) else 0, str(sha256))
                for name, size, sha256 in connection.execute(_ARTIFACTS, {"run_id": run_id})
            ]
        )

    def all(self) -> list[tuple[str, Artifact]]:
        """All artifacts, each with the ID of its run."""
        return self._database.read(
            lambda connection: [
                (run_id, Artifact(name, size, sha256))
                for run_id, name, size, sha256 in connection.execute(_ALL)
            ]
        )


def keep_artifacts(connection: sa.Connection, run_seq: int, kept: Sequence[Artifact]) -> None:
    if kept:
        connection.execute(
            _INSERT_ARTIFACT,
            [
                {"run_seq": run_seq, "name": a.name, "size": a.size, "sha256": a.sha256}
                for a in kept
            ],
        )
