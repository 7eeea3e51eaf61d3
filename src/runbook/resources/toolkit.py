"""Toolkits."""

from __future__ import annotations

from typing import Annotated

from typing_extensions import TypedDict

from runbook.core.manifest import Manifest
from runbook.core.times import iso
from runbook.core.toolkit import InstalledToolkit
from runbook.resources.forms import Doc
from runbook.resources.runbook import ListedRunbookJson


class MissingPartsJson(TypedDict):
    """What a toolkit needs and this installation, or you, don't have."""

    extras: Annotated[list[str], Doc("Optional parts of this package that aren't installed")]
    commands: Annotated[list[str], Doc("Programs that the server doesn't find")]
    connections: Annotated[list[str], Doc("Kinds of which there is no connection you may use")]


class NeededPartsJson(TypedDict):
    """What a toolkit needs."""

    engine: Annotated[str, Doc("Versions of this program, such as `>=0.1`; empty for all")]
    extras: list[str]
    commands: list[str]
    connections: Annotated[list[str], Doc("Kinds of connections")]


class CardJson(TypedDict):
    """What a dashboard shows of a toolkit: the output of one of its runbooks."""

    title: str
    runbook: Annotated[str, Doc("The runbook's ref")]


class UpdateJson(TypedDict):
    """A newer version. `POST /api/toolkits/{slug}/update` installs it."""

    version: str
    origin: Annotated[str, Doc("Where it would come from: `bundled` or `catalogue`")]


class ToolkitJson(TypedDict):
    slug: Annotated[str, Doc("The first folder of its runbooks' refs")]
    name: str
    description: str
    version: Annotated[str | None, Doc("The installed version; null if it isn't installed")]
    bundled_version: Annotated[str | None, Doc("The version that comes with this program")]
    previous_version: Annotated[str | None, Doc("The version that a rollback brings back")]
    origin: Annotated[
        str | None, Doc("`bundled`, `folder`, `upload` or `catalogue`; null if it isn't installed")
    ]
    digest: Annotated[str | None, Doc("SHA-256 of its files, histories aside, when installed")]
    enabled: bool
    modified: Annotated[bool, Doc("Whether its files have been changed since")]
    installed_at: str | None
    installed_by: str | None
    needs: NeededPartsJson
    missing: MissingPartsJson
    card: CardJson | None
    update: Annotated[UpdateJson | None, Doc("A version newer than the installed one")]


class ToolkitDetailsJson(ToolkitJson):
    readme: Annotated[str | None, Doc("The text of its README, in Markdown")]
    runbooks: Annotated[
        list[ListedRunbookJson],
        Doc("Its runbooks that you may list, also while it is disabled or not installed"),
    ]


class InstalledToolkitJson(TypedDict):
    """A version that was just installed."""

    slug: str
    version: str
    enabled: bool


class CatalogueJson(TypedDict):
    """The catalogue that updates are looked up in."""

    checked_at: Annotated[str | None, Doc("When it was last read; null if it never was")]
    problem: Annotated[str | None, Doc("Why the last attempt to read it failed")]


class ToolkitReadmeJson(TypedDict):
    text: Annotated[str, Doc("Markdown; empty if the toolkit has no README.md")]


class ToolkitListJson(TypedDict):
    toolkits: list[ToolkitJson]
    catalogue: Annotated[CatalogueJson | None, Doc("null without TOOLKIT_CATALOGUE")]


def toolkit_json(
    manifest: Manifest,
    installed: InstalledToolkit | None,
    bundled: str | None,
    missing: MissingPartsJson,
    update: UpdateJson | None,
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
        "needs": {
            "engine": manifest.engine,
            "extras": list(manifest.extras),
            "commands": list(manifest.commands),
            "connections": list(manifest.connections),
        },
        "missing": missing,
        "card": _card_json(manifest),
        "update": update,
    }


def _card_json(manifest: Manifest) -> CardJson | None:
    card = manifest.card
    if card is None:
        return None
    return {"title": card.title, "runbook": f"{manifest.slug}/{card.runbook}"}
