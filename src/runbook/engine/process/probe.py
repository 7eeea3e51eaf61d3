"""Starts a Python module that answers one question, in a separate process, with a time limit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress

MAX_ANSWER_BYTES = 64 * 1024


class ProbeError(Exception):
    """The process gave no answer."""


class ProbeTimeoutError(ProbeError):
    """The process gave no answer in time."""


def ask_module(module: str, *arguments: str, question: str, path: str, timeout_s: float) -> str:
    """What the module prints, given the question on standard input.

    It gets no variable of this process: secrets in the question are in no command line and in no
    environment. Raises ProbeError.
    """
    try:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", module, *arguments],
            env={"PATH": path, "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"},
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise ProbeError(f"No process could be started: {error.strerror}") from None
    try:
        answer, _ = process.communicate(question.encode(), timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ProbeTimeoutError from None
    finally:
        _kill(process)
    if process.returncode or len(answer) > MAX_ANSWER_BYTES:
        raise ProbeError
    return answer.decode("utf-8", "replace")


def try_command(command: Sequence[str], timeout_s: float) -> tuple[int, str]:
    """A command's exit code, and what it wrote to standard error. Raises ProbeError."""
    try:
        process = subprocess.Popen(
            command,
            env={},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as error:
        raise ProbeError(f"No process could be started: {error.strerror}") from None
    try:
        _, said = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise ProbeTimeoutError(f"It didn't end within {timeout_s:g} s") from None
    finally:
        _kill(process)
    return process.returncode, said[:MAX_ANSWER_BYTES].decode("utf-8", "replace")


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the process and its children."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
