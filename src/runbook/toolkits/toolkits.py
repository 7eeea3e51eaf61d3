"""Installs, enables, upgrades and removes toolkits. See Installation for the files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from runbook.core.access import Principal
from runbook.core.audit import AuditAction, NewAuditEvent, Target, TargetKind, actor_of
from runbook.core.manifest import MANIFEST, SLUG, Manifest
from runbook.core.permissions import Permission
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin
from runbook.errors import ConflictError, NotFoundError, ToolkitRefusedError
from runbook.library.refs import shown
from runbook.toolkits.archive import unpack
from runbook.toolkits.catalogue import Offer, Reading
from runbook.toolkits.folder import Toolkit, copy_toolkit, manifest_in, read_toolkit, readme_in
from runbook.toolkits.installation import sync_tree
from runbook.toolkits.intents import Intent, intended, is_unsettled, settle
from runbook.toolkits.parts import Parts
from runbook.toolkits.shelf import Listed, Shelf, Shown


class Toolkits:
    """All methods that change something raise AccessDeniedError, and what the store raises."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._shelf = Shelf(parts)

    def list(self, principal: Principal) -> list[Listed]:
        """Installed toolkits and those that are bundled, by slug."""
        return self._shelf.list(principal)

    def show(self, slug: str, principal: Principal) -> Shown:
        """Raises NotFoundError."""
        return self._shelf.show(slug, principal)

    def readme(self, slug: str, principal: Principal) -> str:
        """The README.md of the installed version, else of the bundled one. Raises NotFoundError."""
        self._parts.gate.require(principal, Permission.TOOLKIT_READ)
        is_slug = SLUG.fullmatch(slug) is not None
        if is_slug and self._parts.store.toolkits.get(slug) is not None:
            return readme_in(self._parts.installation.folder(slug))
        if is_slug and (self._parts.bundled / slug / MANIFEST).is_file():
            return readme_in(self._parts.bundled / slug)
        raise _not_installed(slug)

    def install_bundled(self, slug: str, principal: Principal) -> InstalledToolkit:
        """Install or upgrade a toolkit of this package. Raises NotFoundError."""
        self._require(principal)
        bundled = self._parts.bundled
        folder = bundled / slug
        if not SLUG.fullmatch(slug) or not (folder / MANIFEST).is_file():
            names = ", ".join(path.parent.name for path in sorted(bundled.glob(f"*/{MANIFEST}")))
            raise NotFoundError(
                f"No toolkit {shown(slug)} comes with this program",
                toolkit=shown(slug),
                hint=f"bundled: {names}; or name a folder or .zip archive that exists",
            )
        return self.install_folder(folder, principal, ToolkitOrigin.BUNDLED)

    def install_folder(
        self, folder: Path, principal: Principal, origin: ToolkitOrigin = ToolkitOrigin.FOLDER
    ) -> InstalledToolkit:
        """Install or upgrade from a folder. Raises ToolkitRefusedError and OSError."""
        return self._install(lambda target: copy_toolkit(folder, target), principal, origin)

    def install_archive(self, archive: IO[bytes], principal: Principal) -> InstalledToolkit:
        """Install or upgrade from a .zip archive. Raises ToolkitRefusedError and OSError."""
        fill = lambda target: unpack(archive, target)  # noqa: E731 - what a closure is for
        return self._install(fill, principal, ToolkitOrigin.UPLOAD)

    def update(self, slug: str, principal: Principal) -> InstalledToolkit:
        """Upgrade to the version that is offered.

        Raises as `install_archive`, and NotFoundError, ConflictError and CatalogueError.
        """
        self._require(principal)
        update = self._shelf.update_of(self._row(slug))
        if update is None:
            raise ConflictError(f"There is no newer version of {slug}", toolkit=slug)
        if update.offer is None or self._parts.catalogue is None:
            return self.install_bundled(slug, principal)
        archive = self._parts.catalogue.archive(update.offer)
        fill = partial(_unpack_offer, archive, update.offer)
        return self._install(fill, principal, ToolkitOrigin.CATALOGUE)

    def catalogue(self) -> Reading | None:
        """What is known of the catalogue; None if there is none."""
        catalogue = self._parts.catalogue
        return None if catalogue is None else catalogue.known()

    def check_for_updates(self, principal: Principal) -> Reading:
        """Read the catalogue now. Raises NotFoundError if there is none, and CatalogueError."""
        self._require(principal)
        if self._parts.catalogue is None:
            raise NotFoundError(
                "There is no catalogue of toolkits", hint="set TOOLKIT_CATALOGUE to its URL"
            )
        return self._parts.catalogue.check()

    def enable(self, slug: str, principal: Principal) -> InstalledToolkit:
        """Offer its runbooks. Raises NotFoundError, SourceConflictError."""
        self._require(principal)
        self._parts.catalog.sources.check_free(f"{self._row(slug).slug}/")
        return self._switch(slug, principal, AuditAction.TOOLKIT_ENABLE)

    def disable(self, slug: str, principal: Principal) -> InstalledToolkit:
        """Hide its runbooks at once; runs that have begun go on. Raises NotFoundError."""
        return self._switch(slug, principal, AuditAction.TOOLKIT_DISABLE)

    def roll_back(self, slug: str, principal: Principal) -> InstalledToolkit:
        """Bring the previous version back. Raises NotFoundError, ConflictError, OSError."""
        self._require(principal)
        installation = self._parts.installation
        with self._exclusively():
            row = self._row(slug)
            previous = installation.previous(slug)
            if previous is None:
                raise ConflictError(f"No earlier version of {slug} was kept", toolkit=slug)
            made = self._made(read_toolkit(previous), row.origin, row, principal)
            event = _replacing(AuditAction.TOOLKIT_ROLLBACK, made, principal)
            self._change(Intent(slug, row, made), event, installation.roll_back(slug))
            return made

    def remove(self, slug: str, principal: Principal) -> None:
        """Remove a toolkit with the histories in its runbooks. Raises NotFoundError, OSError."""
        self._require(principal)
        with self._exclusively():
            row = self._row(slug)
            event = _event(AuditAction.TOOLKIT_REMOVE, slug, principal, version=row.version)
            self._change(Intent(slug, row, None), event, self._parts.installation.remove(slug))

    def settle(self) -> None:
        """Record what an installer did that died before it could. Raises OSError."""
        if is_unsettled(self._parts.installation):
            with self._exclusively():
                pass

    # -- helpers -----------------------------------------------------------------------------

    def _install(
        self, fill: Callable[[Path], None], principal: Principal, origin: ToolkitOrigin
    ) -> InstalledToolkit:
        self._require(principal)
        installation = self._parts.installation
        with self._exclusively(), installation.staged() as staged:
            toolkit = self._parts.offload(partial(_prepared, fill, staged))
            self._check(toolkit.manifest)
            slug = toolkit.manifest.slug
            row = self._parts.store.toolkits.get(slug)
            made = self._made(toolkit, origin, row, principal)
            event = _replacing(AuditAction.TOOLKIT_INSTALL, made, principal)
            self._change(Intent(slug, row, made), event, installation.put(staged, slug))
            return made

    @contextmanager
    def _exclusively(self) -> Iterator[None]:
        """Exclude other installers, once what dead ones left is recorded."""
        installation, store = self._parts.installation, self._parts.store.toolkits
        with installation.exclusively():
            if settle(installation, store):
                self._parts.switchboard.changed()
            yield

    def _change(
        self, intent: Intent, event: NewAuditEvent, change: AbstractContextManager[None]
    ) -> None:
        """Change the files and the row, or neither."""
        store = self._parts.store.toolkits
        with intended(self._parts.installation, intent), change:
            if intent.after is None:
                store.remove(intent.slug, event)
            else:
                store.put(intent.after, event)
        self._parts.switchboard.changed()

    def _made(
        self,
        toolkit: Toolkit,
        origin: ToolkitOrigin,
        before: InstalledToolkit | None,
        principal: Principal,
    ) -> InstalledToolkit:
        """The row of a new version."""
        manifest = toolkit.manifest
        return InstalledToolkit(
            slug=manifest.slug,
            name=manifest.name,
            version=manifest.version,
            digest=toolkit.digest,
            origin=origin,
            enabled=before is not None and before.enabled,
            installed_at=self._parts.clock(),
            installed_by=principal.subject,
            previous=None if before is None else before.version,
        )

    def _check(self, manifest: Manifest) -> None:
        version = self._parts.engine_version
        if not manifest.allows_engine(version):
            text = f"{manifest.slug} needs another version of this program: {manifest.engine}"
            raise ToolkitRefusedError(f"{text}. This is {version}", reason="engine_version")
        self._parts.catalog.sources.check_free(f"{manifest.slug}/")

    def _switch(self, slug: str, principal: Principal, action: AuditAction) -> InstalledToolkit:
        self._require(principal)
        enabled = action is AuditAction.TOOLKIT_ENABLE
        event = _event(action, slug, principal)
        if not self._parts.store.toolkits.enable(slug, event, enabled=enabled):
            raise _not_installed(slug)
        self._parts.switchboard.changed()
        return self._row(slug)

    def _require(self, principal: Principal) -> None:
        self._parts.gate.require(principal, Permission.TOOLKIT_WRITE)

    def _row(self, slug: str) -> InstalledToolkit:
        row = self._parts.store.toolkits.get(slug)
        if row is None:
            raise _not_installed(slug)
        return row


def _unpack_offer(archive: IO[bytes], offer: Offer, target: Path) -> None:
    """Raises ToolkitRefusedError, also if it's another toolkit or version than the offer says."""
    unpack(archive, target)
    found = manifest_in(target)
    if (found.slug, found.version) != (offer.slug, offer.version):
        text = f"The archive of {offer.slug} {offer.version} has {found.slug} {found.version}"
        raise ToolkitRefusedError(text, reason="other_toolkit")


def _prepared(fill: Callable[[Path], None], staged: Path) -> Toolkit:
    fill(staged)
    sync_tree(staged)
    return read_toolkit(staged)


def _not_installed(slug: str) -> NotFoundError:
    return NotFoundError(f"The toolkit {slug} isn't installed", toolkit=slug)


def _replacing(action: AuditAction, made: InstalledToolkit, principal: Principal) -> NewAuditEvent:
    previous = {} if made.previous is None else {"previous": made.previous}
    details = {"version": made.version, "digest": made.digest, **previous}
    return _event(action, made.slug, principal, **details)


def _event(
    action: AuditAction, slug: str, principal: Principal, **details: object
) -> NewAuditEvent:
    return NewAuditEvent(actor_of(principal), action, Target(TargetKind.TOOLKIT, slug), details)
