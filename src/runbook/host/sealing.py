"""Hides the environment of a program, before anything else is imported.

Every process of the same user, including scripts, can read a process's environment in /proc. So
`seal_environment` copies it to a file in memory and restarts the program, in the same process,
with an environment that has no secrets.

Imports next to nothing, because the first start only gets as far as this.
"""

from __future__ import annotations

import os
import sys

from runbook.host.lines import open_standard_streams

TYPE_CHECKING = False
if TYPE_CHECKING:  # importing collections takes longer than all of this module
    from collections.abc import Mapping

SEALED_FD = "RUNBOOK_SEALED_FD"
"""The variable with the descriptor of the sealed environment."""

_MAGIC = b"runbook environment\0"
_SYSTEM_NAMES = frozenset({"PATH", "HOME", "LANG", "LANGUAGE", "TZ", "TMPDIR"})
_CERTIFICATE_NAMES = frozenset({"SSL_CERT_FILE", "SSL_CERT_DIR"})
_TERMINAL_NAMES = frozenset({"TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR"})
_OPEN_NAMES = _SYSTEM_NAMES | _CERTIFICATE_NAMES | _TERMINAL_NAMES
_OPEN_PREFIXES = ("LC_", "LD_", "MALLOC_", "PYTHON", "COVERAGE_", "COV_CORE_")
_READ_BYTES = 1 << 20


def seal_environment() -> Mapping[str, str]:
    """Hide the environment from /proc and return it.

    Must be the first thing that a program does: the first call restarts the program, and only the
    second one returns. Raises OSError if the program can't be restarted.
    """
    open_standard_streams()
    descriptor = descriptor_from(SEALED_FD)
    sealed = _read_sealed(descriptor)
    if descriptor is None or sealed is None:
        return _start_again()
    os.environ.pop(SEALED_FD)
    os.close(descriptor)
    return sealed


def pass_environment(mapping: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """The descriptor of a sealed environment, and the environment to start a child with.

    The child must inherit the descriptor under the same number; the caller closes its own copy.
    """
    descriptor = _write_sealed(mapping)
    open_part = {name: value for name, value in mapping.items() if _is_open(name)}
    return descriptor, open_part | {SEALED_FD: str(descriptor)}


def _start_again() -> Mapping[str, str]:
    """Restart the program in this process. Never returns."""
    descriptor, environment = pass_environment(os.environ)
    os.set_inheritable(descriptor, True)
    # By its path, because Python finds its virtual environment from it.
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606


def _is_open(name: str) -> bool:
    return name in _OPEN_NAMES or name.startswith(_OPEN_PREFIXES)


def descriptor_from(name: str) -> int | None:
    """The descriptor whose number a variable has, if any."""
    text = os.environ.get(name, "")
    return int(text) if text.isascii() and text.isdigit() else None


def _write_sealed(mapping: Mapping[str, str]) -> int:
    pairs = (os.fsencode(name) + b"=" + os.fsencode(value) for name, value in mapping.items())
    content = memoryview(_MAGIC + b"\0".join(pairs))
    descriptor = _anonymous_file()
    while content:
        content = content[os.write(descriptor, content) :]
    return descriptor


def _anonymous_file() -> int:
    try:
        return os.memfd_create("runbook-environment", os.MFD_CLOEXEC)
    except (AttributeError, OSError):  # another C library, or a system call filter
        import tempfile

        descriptor, path = tempfile.mkstemp()
        os.unlink(path)  # noqa: PTH108 - pathlib is heavy
        return descriptor


def _read_sealed(descriptor: int | None) -> dict[str, str] | None:
    """The environment in a descriptor, read without moving its offset; None if there is none."""
    if descriptor is None:
        return None
    content = b""
    try:
        while chunk := os.pread(descriptor, _READ_BYTES, len(content)):
            content += chunk
            if not content.startswith(_MAGIC):
                return None
    except OSError:  # closed, or a pipe: something else set the variable
        return None
    if not content:
        return None
    pairs = content.removeprefix(_MAGIC).split(b"\0")
    parts = (os.fsdecode(pair).partition("=") for pair in pairs if pair)
    return {name: value for name, _, value in parts}
