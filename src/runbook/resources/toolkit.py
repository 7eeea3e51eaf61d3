"""Toolkits."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.manifest import Manifest
from runbook.core.times import iso
from runbook.core.toolkit import InstalledToolkit
from runbook.resources.forms import Doc


class MissingPartsJson(TypedDict):
    """What a toolkit needs and this installation doesn't have."""

    extras: list[str]
    commands: list[str]


class ToolkitJson(TypedDict):
    slug: Annotated[str, Doc("The first folder of its runbooks' refs")]
    name: str
    description: str
    version: Annotated[str | None, Doc("The installed version; null if it isn't installed")]
    bundled_version: Annotated[str | None, Doc("The version that comes with this program")]
    previous_version: Annotated[str | None, Doc("The version that a rollback brings back")]
    origin: Annotated[str | None, Doc("`bundled`, `folder` or `upload`")]
    digest: Annotated[str | None, Doc("SHA-256 of its files, histories aside, when installed")]
    enabled: bool
    modified: Annotated[bool, Doc("Whether its files have been changed since")]
    installed_at: str | None
    installed_by: str | None
    missing: MissingPartsJson


class InstalledToolkitJson(TypedDict):
    """A version that was just installed."""

    slug: str
    version: str
    enabled: bool


class ToolkitListJson(TypedDict):
    toolkits: list[ToolkitJson]


def toolkit_json(
    manifest: Manifest,
    installed: InstalledToolkit | None,
    bundled: str | None,
    missing: MissingPartsJson,
    *,
    modified: bool,
) -> ToolkitJson:
    return {
        "slug": manifest.slug,
        "name": manifest.name,
        "description": manifest.description,
        "version": installed.version if installed else None,
        "bundled_version": bundled,
        "previous_version": installed.previous if installed else None,
        "origin": installed.origin.value if installed else None,
        "digest": installed.digest if installed else None,
        "enabled": installed is not None and installed.enabled,
        "modified": modified,
        "installed_at": iso(installed.installed_at) if installed else None,
        "installed_by": installed.installed_by if installed else None,
        "missing": missing,
    }
