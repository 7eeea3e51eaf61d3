"""The user that scripts run as, if the server is root."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from runbook.errors import ConfigurationError
from runbook.quick_dataclass import dataclass

Acting = Callable[[], AbstractContextManager[None]]
"""Makes this thread use files with the rights of scripts' user, within the context."""

as_ourselves: Acting = nullcontext

_PROGRAM_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_UNCHANGED = -1
_LAST_ID = 2**32 - 2


@dataclass(frozen=True, slots=True)
class ScriptUser:
    name: str
    uid: int
    gid: int
    groups: Sequence[int]

    @classmethod
    def find(cls, name: str) -> ScriptUser:
        """The user of RUN_AS_USER: a name or a number. Raises ConfigurationError."""
        if os.geteuid() != 0:
            raise ConfigurationError(
                "RUN_AS_USER requires a server that runs as root. Unset it, or start the server as "
                "root"
            )
        try:
            found = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
            groups = os.getgrouplist(found.pw_name, found.pw_gid)
            user = cls(found.pw_name, found.pw_uid, found.pw_gid, tuple(groups))
        except (KeyError, OverflowError):
            if not name.isdecimal() or int(name) > _LAST_ID:
                text = f"RUN_AS_USER {name} is not a user of this machine"
                raise ConfigurationError(text) from None
            user = cls(name, int(name), int(name), (int(name),))  # as usual in containers
        if user.uid == 0:
            raise ConfigurationError("RUN_AS_USER must not be root")
        return user

    def prefix(self) -> list[str]:
        """The command that becomes another one as this user. Raises FileNotFoundError."""
        program = shutil.which("setpriv", path=_PROGRAM_PATH)
        if program is None:
            raise FileNotFoundError("setpriv is needed for RUN_AS_USER: install util-linux")
        groups = ",".join(str(group) for group in self.groups)
        return [program, f"--reuid={self.uid}", f"--regid={self.gid}", f"--groups={groups}", "--"]

    @contextmanager
    def acting(self) -> Iterator[None]:
        """This thread's file accesses are the user's: links of a script lead nowhere else.

        The kernel takes root's rights to foreign files away until the end.
        """
        import ctypes  # imported late: few processes need it

        libc = ctypes.CDLL(None)
        libc.setfsgid(self.gid)
        libc.setfsuid(self.uid)
        try:
            if libc.setfsuid(_UNCHANGED) != self.uid or libc.setfsgid(_UNCHANGED) != self.gid:
                raise PermissionError("The user of scripts can't be assumed")
            yield
        finally:
            libc.setfsuid(0)
            libc.setfsgid(0)

    def own(self, path: Path) -> None:
        """Give this user a file or folder that no script can replace yet."""
        os.chown(path, self.uid, self.gid, follow_symlinks=False)
