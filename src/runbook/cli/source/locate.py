"""Finds a runbook by file or ref, with the settings to use."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from runbook.cli.source.opening import load_settings
from runbook.errors import NotFoundError
from runbook.library.refs import SUFFIX
from runbook.quick_dataclass import dataclass
from runbook.settings import Settings
from runbook.settings_checks import check_paths


@dataclass(frozen=True, slots=True)
class LocatedRunbook:
    """A runbook's file, its ref below the runbooks directory, and the settings to use.

    `is_configured` says whether that directory is RUNBOOKS_DIR rather than the file's folder.
    """

    file: Path
    ref: str
    settings: Settings
    is_configured: bool


def locate(name: str, environment: Mapping[str, str]) -> LocatedRunbook:
    """The runbook `name`: a file, or else a ref below RUNBOOKS_DIR.

    The runbooks directory is RUNBOOKS_DIR if the file is below it, else the file's folder. Raises
    NotFoundError and ConfigurationError.
    """
    settings = load_settings(environment)
    folder = Path(os.path.abspath(settings.runbooks_dir))  # noqa: PTH100 - links are kept
    file = _existing(name, folder)
    if folder in file.parents:
        check_paths(settings)
        return LocatedRunbook(
            file, file.relative_to(folder).as_posix(), settings, is_configured=True
        )
    settings = load_settings(environment, runbooks_dir=file.parent)
    return LocatedRunbook(file, file.name, settings, is_configured=False)


def _existing(name: str, folder: Path) -> Path:
    for candidate in (Path(name), folder / name):
        path = Path(os.path.abspath(candidate))  # noqa: PTH100 - links are kept
        if path.exists():
            return _checked(path, name)
    raise NotFoundError(f"No such runbook: {name}")


def _checked(path: Path, name: str) -> Path:
    if not path.is_file():
        raise NotFoundError(f"{name} is not a file")
    if path.suffix != SUFFIX:
        raise NotFoundError(f"{name} is not a runbook: its name doesn't end with {SUFFIX}")
    return path
