"""The catalogue of toolkits: where newer versions are, and the SHA-256 of each archive.

    {"toolkits": [{"slug": "lab", "version": "1.3.0", "archive": "lab-1.3.0.zip", "sha256": "…",
                   "engine": ">=0.1"}]}

It is only read when somebody asks and once a day. Nothing is ever installed from it by itself.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from runbook import log
from runbook.core.manifest import SLUG
from runbook.core.times import Millis
from runbook.errors import CatalogueError, ToolkitRefusedError
from runbook.library.refs import has_forbidden, shown
from runbook.quick_dataclass import dataclass
from runbook.toolkits.download import beside, fetch

CATALOGUE_BYTES = 1024 * 1024
ARCHIVE_BYTES = 50 * 1024 * 1024
TEXT_LIMIT = 500
"""Of each text of an offer, in characters; more than enough for a URL."""
_SHA256 = re.compile("[0-9a-f]{64}")
_INVALID = (
    ValueError,  # also of versions, specifiers and JSON
    LookupError,
    TypeError,
    AttributeError,
    RecursionError,
)


@dataclass(frozen=True, slots=True)
class Offer:
    """A version of a toolkit. `archive` is a URL or path, relative to the catalogue's."""

    slug: str
    version: str
    archive: str
    sha256: str
    engine: str = ""

    def suits(self, engine_version: str) -> bool:
        return not self.engine or SpecifierSet(self.engine).contains(
            engine_version, prereleases=True
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read, and when. `problem` says why the last attempt failed."""

    offers: tuple[Offer, ...] = ()
    checked_at: Millis | None = None
    problem: str | None = None


class Catalogue:
    """`location` is a URL or a path; `memory` is a file that keeps what was read."""

    def __init__(self, location: str, memory: Path, clock: Callable[[], Millis]) -> None:
        self._location = location
        self._memory = memory
        self._clock = clock

    def known(self) -> Reading:
        """What was read last."""
        try:
            found = json.loads(self._memory.read_text())
            if found["location"] != self._location:
                return Reading()
            offers = tuple(_offer(offer) for offer in found["offers"])
            return Reading(offers, found["checked_at"], found["problem"])
        except (OSError, *_INVALID):  # never read, or by another version
            return Reading()

    def check(self) -> Reading:
        """Read it now. Raises CatalogueError, and OSError if that can't be kept."""
        try:
            reading = Reading(read_offers(fetch(self._location, CATALOGUE_BYTES)), self._clock())
        except CatalogueError as error:
            before = self.known()
            self._keep(Reading(before.offers, before.checked_at, error.message))
            log.warning("catalogue.unreadable", error=error.message)
            raise
        self._keep(reading)
        return reading

    def archive(self, offer: Offer) -> io.BytesIO:
        """Raises CatalogueError, and ToolkitRefusedError if it isn't the archive of the offer."""
        content = fetch(beside(self._location, offer.archive), ARCHIVE_BYTES)
        digest = hashlib.sha256(content).hexdigest()
        if not hmac.compare_digest(digest, offer.sha256):
            text = f"The archive of {offer.slug} {offer.version} isn't the one of the catalogue"
            raise ToolkitRefusedError(f"{text}: its SHA-256 is {digest}", reason="checksum")
        return io.BytesIO(content)

    def _keep(self, reading: Reading) -> None:
        new = self._memory.with_name(f".{self._memory.name}-{os.getpid()}")
        new.write_text(json.dumps({"location": self._location, **asdict(reading)}))
        new.replace(self._memory)


def read_offers(content: bytes) -> tuple[Offer, ...]:
    """Raises CatalogueError."""
    try:
        return tuple(_offer(found) for found in json.loads(content)["toolkits"])
    except _INVALID as error:
        text = f"The catalogue is invalid: {type(error).__name__} {shown(str(error))}"
        raise CatalogueError(text, hint="docs/toolkits.md describes its format") from None


def _offer(found: dict[str, Any]) -> Offer:
    """Raises one of _INVALID."""
    offer = Offer(
        found["slug"], found["version"], found["archive"], found["sha256"], found.get("engine", "")
    )
    for name, value in asdict(offer).items():
        if not isinstance(value, str) or len(value) > TEXT_LIMIT or has_forbidden(value):
            raise ValueError(f"{name} must be a text of at most {TEXT_LIMIT} characters")
    Version(offer.version)
    SpecifierSet(offer.engine)
    urlsplit(offer.archive)
    is_named = SLUG.fullmatch(offer.slug) and _SHA256.fullmatch(offer.sha256)
    if not is_named or not offer.archive:
        raise ValueError(f"slug, archive or sha256 of {offer.slug}")
    return offer
