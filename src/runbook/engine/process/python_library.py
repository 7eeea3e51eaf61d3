"""The folder of Python modules that belongs to a runbook's toolkit."""

from __future__ import annotations

from pathlib import Path

from runbook.errors import NotFoundError
from runbook.library.catalog import Catalog

MANIFEST = "toolkit.yaml"
LIBRARY = "lib"


def library_of(catalog: Catalog, ref: str) -> Path | None:
    """`lib` in the folder of the toolkit that the runbook is in, if there is one."""
    try:
        path = catalog.path(ref)
    except NotFoundError:  # removed meanwhile; its script is stored
        return None
    for folder in path.parents[: ref.count("/") + 1]:
        if (folder / MANIFEST).is_file():
            library = folder / LIBRARY
            return library if library.is_dir() else None
    return None
