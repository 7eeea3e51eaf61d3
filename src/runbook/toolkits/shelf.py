"""Which toolkits there are, installed or bundled, and what is in them and missing for them."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from packaging.version import Version

from runbook import log
from runbook.core.access import Decision, Principal
from runbook.core.manifest import MANIFEST, Manifest
from runbook.core.permissions import Permission
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin
from runbook.errors import NotFoundError, ToolkitRefusedError
from runbook.library.catalog import Entry
from runbook.library.loading import load
from runbook.library.refs import Place
from runbook.quick_dataclass import dataclass
from runbook.store.models import LastRun
from runbook.toolkits.catalogue import Offer
from runbook.toolkits.folder import ToolkitReader, manifest_in, readme_in, runbooks_in
from runbook.toolkits.parts import Parts


@dataclass(frozen=True, slots=True)
class Missing:
    """What a toolkit needs and this installation, or the caller, doesn't have."""

    extras: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()
    connections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Update:
    """A newer version of an installed toolkit: bundled, or an offer of the catalogue."""

    version: str
    offer: Offer | None = None

    @property
    def origin(self) -> ToolkitOrigin:
        return ToolkitOrigin.BUNDLED if self.offer is None else ToolkitOrigin.CATALOGUE


@dataclass(frozen=True, slots=True)
class Listed:
    """A toolkit that is installed, or bundled and could be. `folder` has its files.

    `modified` says that its files differ from what was installed, histories aside.
    """

    manifest: Manifest
    folder: Path
    installed: InstalledToolkit | None
    bundled: str | None
    missing: Missing
    modified: bool = False
    update: Update | None = None

    @property
    def is_enabled(self) -> bool:
        return self.installed is not None and self.installed.enabled


@dataclass(frozen=True, slots=True)
class Contained:
    """A runbook of a toolkit, and whether the caller may execute it."""

    entry: Entry
    decision: Decision
    last_run: LastRun | None


@dataclass(frozen=True, slots=True)
class Shown:
    """A toolkit with its documentation and those of its runbooks that the caller may list."""

    listed: Listed
    readme: str | None
    runbooks: tuple[Contained, ...]


class Shelf:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._reader = ToolkitReader()

    def list(self, principal: Principal) -> list[Listed]:
        """By slug. Raises AccessDeniedError."""
        self._parts.gate.require(principal, Permission.TOOLKIT_READ)
        bundled = dict(self._bundled())
        installed = {row.slug: row for row in self._parts.store.toolkits.all()}
        kinds = self._parts.usable_kinds(principal)
        return [
            self._listed(slug, installed.get(slug), bundled.get(slug), kinds)
            for slug in sorted(installed.keys() | bundled)
        ]

    def show(self, slug: str, principal: Principal) -> Shown:
        """Raises NotFoundError and AccessDeniedError."""
        listed = next((it for it in self.list(principal) if it.manifest.slug == slug), None)
        if listed is None:
            raise NotFoundError(f"There is no toolkit {slug}", toolkit=slug)
        can, last_runs = self._parts.gate.can, self._parts.last_runs()
        runbooks = tuple(
            Contained(
                entry,
                can(principal, Permission.RUNBOOK_EXECUTE, entry),
                last_runs.get(entry.ref)
                if can(principal, Permission.RUN_READ, entry).allowed
                else None,
            )
            for entry in self._entries(listed)
            if can(principal, Permission.RUNBOOK_LIST, entry).allowed
        )
        return Shown(listed, readme_in(listed.folder) or None, runbooks)

    def update_of(self, row: InstalledToolkit) -> Update | None:
        """The newer version of an installed toolkit, if there is one."""
        return self._update(row, dict(self._bundled()).get(row.slug))

    def _entries(self, listed: Listed) -> Iterable[Entry]:
        """Its runbooks, by ref. Those of a toolkit that isn't enabled are in no catalog."""
        prefix = f"{listed.manifest.slug}/"
        if listed.is_enabled:
            found = self._parts.catalog.list().entries
            return [entry for entry in found if entry.ref.startswith(prefix)]
        try:
            names = [str(path.relative_to(listed.folder)) for path in runbooks_in(listed.folder)]
            places = [Place(listed.folder, name, prefix + name) for name in names]
            return [load(place, None, time.time_ns()).entry.light() for place in places]
        except (ToolkitRefusedError, NotFoundError, OSError) as error:
            log.warning("toolkit.unreadable", toolkit=listed.manifest.slug, error=str(error))
            return []

    def _bundled(self) -> Iterator[tuple[str, Manifest]]:
        """By slug, which is also the folder's name."""
        for path in sorted(self._parts.bundled.glob(f"*/{MANIFEST}")):
            try:
                yield path.parent.name, manifest_in(path.parent)
            except (ToolkitRefusedError, OSError) as error:
                log.warning("toolkit.unreadable", toolkit=path.parent.name, error=str(error))

    def _listed(
        self,
        slug: str,
        row: InstalledToolkit | None,
        own: Manifest | None,
        kinds: Collection[str],
    ) -> Listed:
        bundled = own.version if own else None
        if row is None:
            folder, manifest, modified = self._parts.bundled / slug, own or Manifest(slug), False
        else:
            folder = self._parts.installation.folder(slug)
            manifest, modified = self._state(folder, row)
        return Listed(
            manifest=manifest,
            folder=folder,
            installed=row,
            bundled=bundled,
            missing=self._missing(manifest, kinds),
            modified=modified,
            update=self._update(row, own),
        )

    def _state(self, folder: Path, row: InstalledToolkit) -> tuple[Manifest, bool]:
        """The manifest of an installed toolkit, and whether its files were changed."""
        try:
            toolkit = self._parts.offload(partial(self._reader.read, folder))
        except (ToolkitRefusedError, OSError) as error:
            log.warning("toolkit.unreadable", toolkit=row.slug, error=str(error))
            return Manifest(row.slug, row.name, row.version), True
        return toolkit.manifest, toolkit.digest != row.digest

    def _update(self, row: InstalledToolkit | None, own: Manifest | None) -> Update | None:
        """The newest version that is newer than the installed one."""
        if row is None:
            return None
        found = [Update(own.version)] if own else []
        if self._parts.catalogue is not None:
            offers = self._parts.catalogue.known().offers
            engine = self._parts.engine_version
            suitable = (it for it in offers if it.slug == row.slug and it.suits(engine))
            found += [Update(offer.version, offer) for offer in suitable]
        newer = [it for it in found if Version(it.version) > Version(row.version)]
        return max(newer, key=lambda it: Version(it.version), default=None)

    def _missing(self, manifest: Manifest, kinds: Collection[str]) -> Missing:
        has_extra = self._parts.has_extra
        return Missing(
            tuple(extra for extra in manifest.extras if not has_extra(extra)),
            tuple(command for command in manifest.commands if shutil.which(command) is None),
            tuple(kind for kind in manifest.connections if kind not in kinds),
        )
