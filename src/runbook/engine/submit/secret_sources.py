"""Secrets that the server reads where a runbook's `from` says."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from runbook import log
from runbook.core.document import SecretKind, SecretSource
from runbook.core.environ import is_reserved
from runbook.library.refs import is_below, open_below

SECRET_LIMIT = 64 * 1024
"""Maximum size of a secret file, in bytes."""


class SecretSources:
    """Reads the server's environment, except its own settings, and SECRETS_DIR."""

    def __init__(self, supplied: Mapping[str, str], secrets_dir: Path | None) -> None:
        self._supplied = supplied
        self._secrets_dir = secrets_dir

    def find(self, source: SecretSource) -> str | None:
        """The secret, or None if it can't be read. Never raises."""
        if source.kind is SecretKind.ENV:
            return None if is_reserved(source.name) else self._supplied.get(source.name)
        if self._secrets_dir is None:
            return None
        try:
            text = _read(self._secrets_dir, source.name).decode()
        except (OSError, ValueError) as error:
            if not isinstance(error, FileNotFoundError):
                log.warning("secret.not_read", file=source.name, error=type(error).__name__)
            return None
        return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _read(folder: Path, name: str) -> bytes:
    """The bytes of a regular file below a folder; links may lead to one there (mounts are links).

    Raises OSError and ValueError.
    """
    root = Path(os.path.realpath(folder))
    real = Path(os.path.realpath(root / name, strict=True))
    if not is_below(real, root):
        raise ValueError("outside")
    with os.fdopen(open_below(root, real), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("no regular file")
        data = file.read(SECRET_LIMIT + 1)
    if len(data) > SECRET_LIMIT:
        raise ValueError("too large")
    return data
