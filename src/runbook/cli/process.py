"""How the command line's processes end: quickly.

Imports nothing heavy, because the guardian of `runbook execute` uses it.
"""

from __future__ import annotations

import atexit
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing typing takes longer than all of this module
    from collections.abc import Callable
    from typing import Never


def leave(code: int) -> Never:
    """End this process at once, after its exit handlers and with its output written.

    Python's own end first frees every object and module, which takes 0.2 s after an engine was in
    use. Threads that are not daemons still finish first.
    """
    if _threads_remain():
        sys.exit(code)
    atexit._run_exitfuncs()  # noqa: SLF001 - there is no public way
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):  # closed or full: the exit code is the command's all the same
            continue
    os._exit(code)


def _threads_remain() -> bool:
    threading = sys.modules.get("threading")
    if threading is None:
        return False
    main = threading.main_thread()
    return any(not (one is main or one.daemon) for one in threading.enumerate())


def leave_after(command: Callable[[], object]) -> Never:
    """Run a command that ends with SystemExit, and end this process with its exit code."""
    try:
        command()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            leave(end.code or 0)
        raise
    leave(0)
