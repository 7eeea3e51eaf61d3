"""Artifacts of a run."""

from __future__ import annotations

from collections.abc import Iterable

from typing_extensions import TypedDict

from runbook.core.outcome import Artifact


class ArtifactJson(TypedDict):
    name: str
    size: int
    sha256: str


class ArtifactListJson(TypedDict):
    artifacts: list[ArtifactJson]


def artifact_json(artifact: Artifact) -> ArtifactJson:
    return {"name": artifact.name, "size": artifact.size, "sha256": artifact.sha256}


def artifact_list_json(artifacts: Iterable[Artifact]) -> ArtifactListJson:
    return {"artifacts": [artifact_json(artifact) for artifact in artifacts]}
