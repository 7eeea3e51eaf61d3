"""The options of bubblewrap: what a script finds in its sandbox.

The system is read-only, /tmp is the run's own, and what belongs to the engine or to other runs is
an empty folder. Processes outside can't be seen.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path

from runbook.quick_dataclass import dataclass

PROGRAM = "/usr/bin/bwrap"
NOTHING = "/dev/null"
TEMPORARY = ("/tmp", "/var/tmp")  # noqa: S108 - hidden behind folders of the run
STATE_OF_SYSTEM = "/run"
"""It has the sockets of services: of databases, of Docker, of systemd."""
RESOLVERS = ("/etc/resolv.conf", "/run/nscd")
"""What looking up names needs of it."""

_ALWAYS = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--cap-drop", "ALL"),
    # The first process of the sandbox is ours: see start.INIT. Its session isn't bubblewrap's, so
    # that signals for the script don't end that.
    *("--die-with-parent", "--new-session", "--as-pid-1"),
    *("--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
)
_NO_USER_NAMESPACES = "--disable-userns"
"""In a user namespace of its own, a script of root could change its own limits."""


class _Kind(IntEnum):
    """In the order in which they apply to the same path."""

    WRITE = 0
    HIDE = 1
    SHOW = 2


@dataclass(frozen=True, slots=True)
class _Mount:
    kind: _Kind
    source: str
    path: str

    def options(self) -> list[str]:
        if self.kind is _Kind.HIDE:
            if os.path.isdir(self.path):  # noqa: PTH112 - called often
                return ["--perms", "0755", "--tmpfs", self.path]
            return ["--ro-bind", NOTHING, self.path]
        if self.kind is _Kind.SHOW:
            return ["--ro-bind", self.source, self.path]
        # Devices are usable only if the mount allows it.
        bind = "--dev-bind" if self.path.startswith("/dev/") else "--bind"
        return [bind, self.source, self.path]


@dataclass(frozen=True, slots=True)
class View:
    """What scripts see of the file system; all else is read-only.

    `hidden` are files and folders of the engine, `shown` what is needed inside of them. `writable`
    are the operator's exceptions.
    """

    hidden: Sequence[Path] = ()
    shown: Sequence[Path] = ()
    writable: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Makes the sandboxes of runs. `nested` if user namespaces inside can't be prevented."""

    view: View
    nested: bool = False
    program: str = PROGRAM

    def command(
        self,
        directory: Path,
        temporary: Path,
        *,
        shown: Iterable[Path] = (),
        writable: Iterable[Path] = (),
    ) -> list[str]:
        """Bubblewrap for one script. `temporary` is what it sees as /tmp.

        `shown` and `writable` are more of what it sees, beside its directory. A folder of that
        which is named, too, can't be replaced by a link for the engine or the next step.
        """
        own = [
            *(_Mount(_Kind.WRITE, str(temporary), path) for path in self._private()),
            *(_seen(_Kind.WRITE, path) for path in (directory, temporary, *writable)),
            *(_seen(_Kind.SHOW, path) for path in shown),
        ]
        mounts = sorted((*_mounts_of(self.view), *own), key=_depth)
        limits = () if self.nested else (_NO_USER_NAMESPACES,)
        command = [self.program, *_ALWAYS, *limits]
        for mount in mounts:
            command += mount.options()
        for mount in mounts:
            if mount.kind is _Kind.HIDE and "--tmpfs" in mount.options():
                command += ["--remount-ro", mount.path]
        return command

    def _private(self) -> list[str]:
        """The folders for temporary files, unless the operator shares them."""
        shared = _real(self.view.writable)
        return [path for path in _existing(TEMPORARY) if os.path.realpath(path) not in shared]


def _mounts_of(view: View) -> list[_Mount]:
    # EXECUTION_DIR may be /tmp, in whose place there is a folder of the run.
    hidden = _real((*view.hidden, STATE_OF_SYSTEM)) - _real(TEMPORARY)
    resolvers = [_folder_of_link(path) for path in RESOLVERS]
    concealed = hidden | _real(TEMPORARY)
    shown = _real((*view.shown, *resolvers))
    writable = _real(view.writable)
    return [
        *(_Mount(_Kind.WRITE, path, path) for path in _existing(writable)),
        *(_Mount(_Kind.HIDE, path, path) for path in _existing(hidden)),
        *(
            _Mount(_Kind.SHOW, path, path)
            for path in _existing(shown - hidden - writable)
            if any(_is_below(path, folder) for folder in concealed)
        ),
    ]


def _real(paths: Iterable[Path | str]) -> set[str]:
    return {os.path.realpath(path) for path in paths}


def _folder_of_link(path: str) -> str:
    """The folder of what a link leads to: its file is replaced with each change."""
    return os.path.dirname(os.path.realpath(path)) if os.path.islink(path) else path  # noqa: PTH114, PTH120


def _seen(kind: _Kind, path: Path) -> _Mount:
    real = os.path.realpath(path)
    return _Mount(kind, real, real)


def _existing(paths: Iterable[str]) -> list[str]:
    return [path for path in paths if os.path.exists(path)]  # noqa: PTH110 - called often


def _is_below(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


def _depth(mount: _Mount) -> tuple[int, int]:
    """Outer folders come first: they would hide the inner ones."""
    return mount.path.count("/"), mount.kind
