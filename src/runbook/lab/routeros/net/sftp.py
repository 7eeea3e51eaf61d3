"""The router's files by SFTP."""

from __future__ import annotations

import stat
import time
from typing import Any

import paramiko

from runbook.lab.routeros import files
from runbook.lab.routeros.net.connection import Connection
from runbook.lab.routeros.state import File


class Files(paramiko.SFTPServerInterface):  # type: ignore[misc]
    def __init__(self, server: Any, connection: Connection) -> None:
        super().__init__(server)
        self._connection = connection
        self._router = connection.router

    def _may(self) -> bool:
        return "ftp" in self._connection.session.policies

    def list_folder(self, path: str) -> Any:
        if not self._may():
            return paramiko.SFTP_PERMISSION_DENIED
        top = path.strip("/")
        prefix = f"{top}/" if top else ""
        with self._router.lock:
            return [
                _attributes(name.removeprefix(prefix), one)
                for name, one in self._router.state.files.items()
                if name.startswith(prefix) and "/" not in name.removeprefix(prefix)
            ]

    def stat(self, path: str) -> Any:
        name = path.strip("/")
        if not name:
            return _attributes("/", File(b"", "", "directory"))
        found = self._router.state.files.get(name)
        return _attributes(name, found) if found else paramiko.SFTP_NO_SUCH_FILE

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:  # noqa: ARG002 - of the interface
        import os

        if not self._may():
            return paramiko.SFTP_PERMISSION_DENIED
        name = path.strip("/")
        found = self._router.state.files.get(name)
        writes = bool(flags & (os.O_WRONLY | os.O_RDWR))
        if found is None and not flags & os.O_CREAT:
            return paramiko.SFTP_NO_SUCH_FILE
        start = b"" if found is None or flags & os.O_TRUNC else found.content
        return _Handle(self, name, bytearray(start), writes=writes, flags=flags)

    def keep(self, name: str, content: bytes) -> None:
        with self._router.lock:
            files.write(self._router, name, content)
        if name.endswith(".auto.rsc"):
            self._router.background(
                lambda: self._router.run_script(content.decode(), self._connection.session), "auto"
            )

    def remove(self, path: str) -> Any:
        with self._router.lock:
            if self._router.state.files.pop(path.strip("/"), None) is None:
                return paramiko.SFTP_NO_SUCH_FILE
        return paramiko.SFTP_OK

    def rename(self, oldpath: str, newpath: str) -> Any:
        with self._router.lock:
            found = self._router.state.files.pop(oldpath.strip("/"), None)
            if found is None:
                return paramiko.SFTP_NO_SUCH_FILE
            self._router.state.files[newpath.strip("/")] = found
        return paramiko.SFTP_OK

    posix_rename = rename

    def mkdir(self, path: str, attr: Any) -> Any:  # noqa: ARG002 - of the interface
        self._router.state.files[path.strip("/")] = File(b"", "", "directory")
        return paramiko.SFTP_OK

    def chattr(self, path: str, attr: Any) -> Any:  # noqa: ARG002 - of the interface
        return paramiko.SFTP_OK


class _Handle(paramiko.SFTPHandle):  # type: ignore[misc]
    def __init__(
        self, owner: Files, name: str, content: bytearray, *, writes: bool, flags: int
    ) -> None:
        super().__init__(flags)
        self._owner, self._name, self._content = owner, name, content
        self._writes = writes

    def read(self, offset: int, length: int) -> bytes:
        return bytes(self._content[offset : offset + length])

    def write(self, offset: int, data: bytes) -> Any:
        if len(self._content) < offset:
            self._content.extend(bytes(offset - len(self._content)))
        self._content[offset : offset + len(data)] = data
        return paramiko.SFTP_OK

    def stat(self) -> Any:
        return _attributes(self._name, File(bytes(self._content), ""))

    def close(self) -> None:
        if self._writes:
            self._owner.keep(self._name, bytes(self._content))


def _attributes(name: str, one: File) -> paramiko.SFTPAttributes:
    found = paramiko.SFTPAttributes()
    found.filename = name
    found.st_size = len(one.content)
    folder = one.type == "directory"
    found.st_mode = stat.S_IFDIR | 0o755 if folder else stat.S_IFREG | 0o644
    found.st_mtime = found.st_atime = int(time.time())
    return found
