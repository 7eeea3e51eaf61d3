"""Finds a runbook by file or ref, with the settings to use."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runbook.cli.source.opening import load_settings
from runbook.errors import NotFoundError
from runbook.library.refs import SUFFIX, valid_segment
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings
from runbook.settings_checks import check_paths


@dataclass(frozen=True, slots=True)
class LocatedRunbook:
    """A runbook's file, its ref, and the settings to use.

    `is_configured` says whether it is in RUNBOOKS_DIR or an installed toolkit; otherwise, the
    runbooks directory of the settings is the file's folder.
    """

    file: Path
    ref: str
    settings: Settings
    is_configured: bool


def locate(name: str, environment: Mapping[str, str]) -> LocatedRunbook:
    """The runbook `name`: a file, or else a ref of RUNBOOKS_DIR or an installed toolkit.

    The runbooks directory is RUNBOOKS_DIR if the file is below it, else the file's folder. Raises
    NotFoundError and ConfigurationError.
    """
    settings = load_settings(environment)
    folders = roots(settings)
    file = _existing(name, folders)
    for folder in folders:
        ref = ref_below(folder, file)
        if ref is not None:
            check_paths(settings)
            return LocatedRunbook(file, ref, settings, is_configured=True)
    settings = load_settings(environment, runbooks_dir=file.parent)
    return LocatedRunbook(file, file.name, settings, is_configured=False)


def roots(settings: Settings) -> tuple[Path, Path]:
    """Where refs start: RUNBOOKS_DIR and the folder of the installed toolkits."""
    return absolute(settings.runbooks_dir), absolute(settings.toolkits_folder)


def ref_below(root: Path, file: Path) -> str | None:
    """The file's ref; None if it isn't below the root, or hidden there, as earlier versions are."""
    if root not in file.parents:
        return None
    parts = file.relative_to(root).parts
    return "/".join(parts) if all(map(valid_segment, parts)) else None


def absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - links are kept


def _existing(name: str, folders: Sequence[Path]) -> Path:
    for candidate in (Path(name), *(folder / name for folder in folders)):
        path = absolute(candidate)
        if path.exists():
            return _checked(path, name)
    raise NotFoundError(f"No such runbook: {name}")


def _checked(path: Path, name: str) -> Path:
    if not path.is_file():
        raise NotFoundError(f"{name} is not a file")
    if path.suffix != SUFFIX:
        raise NotFoundError(f"{name} is not a runbook: its name doesn't end with {SUFFIX}")
    return path
