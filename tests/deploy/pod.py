"""A process that sees what one in a container sees, made of namespaces and mounts. It needs root.

It has its own process IDs, host name and mounts: a read-only root, the system and this checkout
read-only, and what is mounted. Its user is 10001, without capabilities, and can't get any. The
network is that of the test.
"""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from needs import need

CHECKOUT = Path(__file__).parents[2]
USER = 10001
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc")
NAMESPACES = ("--mount", "--pid", "--uts", "--ipc", "--fork", "--kill-child=KILL")
BECOME = (
    *("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"),
    *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"),
)


class Pod:
    """`mounts` is a mapping of paths inside to folders, or to None for an empty one in memory."""

    def __init__(self, folder, name, mounts, *, writable=()):
        need(os.geteuid() == 0, "root, to make namespaces")
        self.name = name
        self._root = Path(folder)
        self._root.mkdir(parents=True, exist_ok=True)
        self._mounts = dict(mounts)
        self._writable = set(writable)
        self._outer = None

    def start(self, *command, environment, **streams):
        script = "\n".join(
            [
                *self._set_up(),
                f"exec chroot {self._q(self._root)} {shlex.join([*BECOME, *command])}",
            ]
        )
        self._outer = subprocess.Popen(
            ["unshare", *NAMESPACES, "sh", "-c", script],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            **streams,
        )
        return self._outer

    @property
    def process(self):
        """The first process inside."""
        (inner,) = psutil.Process(self._outer.pid).children()
        return inner

    def terminate(self):
        """What an engine does to stop a container."""
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        """The first process inside, and with it all others."""
        self.process.kill()
        self._outer.wait()

    def _set_up(self):
        root = self._root
        yield "set -e; mount --make-rprivate /"
        yield f"hostname {self._q(self.name)}"
        yield f"mount -t tmpfs -o mode=755 tmpfs {self._q(root)}"
        for path in map(Path, SYSTEM):
            if path.is_symlink():
                yield f"ln -s {self._q(os.readlink(path))} {self._q(root)}{path}"
            elif path.is_dir():
                yield from self._bind(path, path)
        # Python may be in a folder that only root may enter. Its parents are made anew.
        yield from self._bind(CHECKOUT, CHECKOUT)
        if not sys.base_prefix.startswith("/usr"):
            yield from self._bind(sys.base_prefix, sys.base_prefix)
        yield f"mkdir -p {self._q(root)}/dev {self._q(root)}/proc"
        yield f"mount --rbind /dev {self._q(root)}/dev"
        yield f"mount -t proc proc {self._q(root)}/proc"
        for inside, outside in self._mounts.items():
            if outside is None:
                yield f"mkdir -p {self._q(root)}{inside}"
                yield f"mount -t tmpfs -o mode=1777,size=64m tmpfs {self._q(root)}{inside}"
            else:
                yield from self._bind(outside, inside, writable=inside in self._writable)
        yield f"mount -o remount,ro {self._q(root)}"

    def _bind(self, outside, inside, *, writable=False):
        target = f"{self._q(self._root)}{self._q(inside)}"
        yield f"mkdir -p {target}"
        yield f"mount --bind {self._q(outside)} {target}"
        if not writable:
            yield f"mount -o remount,bind,ro {target}"

    @staticmethod
    def _q(text):
        return shlex.quote(str(text))
