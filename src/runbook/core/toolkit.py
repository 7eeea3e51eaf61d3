"""Installed toolkits, as they are recorded."""

from __future__ import annotations

from enum import StrEnum

from runbook.core.times import Millis
from runbook.quick_dataclass import dataclass


class ToolkitOrigin(StrEnum):
    """Where an installed toolkit came from."""

    BUNDLED = "bundled"
    FOLDER = "folder"
    UPLOAD = "upload"
    CATALOGUE = "catalogue"


@dataclass(frozen=True, slots=True)
class ToolkitVersion:
    """A version of a toolkit. `digest` covers its files, histories aside."""

    slug: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class InstalledToolkit:
    """A toolkit as it was installed. `digest` is that of a ToolkitVersion.

    `previous` is the version that a rollback brings back, if it was kept.
    """

    slug: str
    name: str
    version: str
    digest: str
    origin: ToolkitOrigin
    enabled: bool
    installed_at: Millis
    installed_by: str
    previous: str | None = None

    @property
    def recorded(self) -> ToolkitVersion:
        """What its runs record."""
        return ToolkitVersion(self.slug, self.version, self.digest)
