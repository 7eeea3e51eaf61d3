"""The database of a storm, and what befalls the server behind it."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import databases


class Database:
    """A file in a folder. `server` is the PostgreSQL that has it instead, if one does."""

    def __init__(self, data: Path, server: databases.Server | None = None) -> None:
        self.server = server
        self.kind = "sqlite" if server is None else "postgresql"
        self.url = f"sqlite:///{data}/runbook.db"
        if server is not None:
            self.url = server.url("postgres").replace("postgresql:", "postgresql+psycopg:")
        self.is_down = False

    @property
    def settings(self) -> dict[str, str]:
        return {} if self.server is None else {"DATABASE_URL": self.url}

    def crash(self) -> bool:
        """Whether it was up until now; what was committed is there when it is up again."""
        if self.server is None or self.is_down:
            return False
        self.is_down = True
        self.server.stop()
        return True

    def recover(self) -> None:
        if self.server is not None and self.is_down:
            self.server.start()
            self.is_down = False


def new_server() -> databases.Server:
    """Not started yet; its folder is there."""
    return databases.Server(Path(tempfile.mkdtemp(prefix="pg-torture-")))


def removed(server: databases.Server) -> None:
    """Leave nothing of it, whatever state it is in."""
    try:
        server.stop()
    finally:
        shutil.rmtree(server.folder, ignore_errors=True)
