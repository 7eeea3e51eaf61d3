"""Secret settings in files: `JWT_SECRET_FILE` names the file with the value of `JWT_SECRET`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from runbook.core.environ import SECRET_FILES

MAX_BYTES = 64 * 1024


def read_secret_files(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values that files contain, by setting, and what is wrong with other files."""
    values: dict[str, str] = {}
    problems = []
    for variable in sorted(SECRET_FILES):
        path = environment.get(variable, "").strip()
        if not path:
            continue
        name = variable.removesuffix("_FILE")
        if environment.get(name, "").strip():
            problems.append(f"{variable}: {name} is set too. Unset one of them")
            continue
        try:
            values[name] = _read(path)
        except ValueError as error:
            problems.append(f"{variable}: {error}")
    return values, problems


def _read(path: str) -> str:
    """The file's text without the line feed at its end. Raises ValueError."""
    try:
        # Not blocked by a FIFO, which reads as empty.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MAX_BYTES + 1) or b""
    except OSError as error:
        raise ValueError(f"couldn't read {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise ValueError(f"{path} has more than {MAX_BYTES} bytes")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if not text.strip():
        raise ValueError(f"{path} is empty")
    return text
