"""The input files of a runbook: locating, checking and reading them.

They are below the root of the runbook's own source.
"""

from __future__ import annotations

import os
import posixpath
import stat
from dataclasses import replace
from pathlib import Path

from runbook.core.document import FileRequirement, Problem, Runbook
from runbook.core.run_files import InputLimits, RunFiles
from runbook.library.input_reader import InputReader, UnfitInputError, outside, special
from runbook.library.refs import Place, has_forbidden, is_below, shown


def check_input_files(place: Place, runbook: Runbook, limits: InputLimits) -> list[Problem]:
    """All problems of a runbook's input files, without reading them."""
    return _problems(place, runbook, InputReader(place.root, limits, keep=False))


def read_input_files(
    place: Place, runbook: Runbook, limits: InputLimits
) -> tuple[RunFiles, list[Problem]]:
    """The current input files, and all their problems."""
    reader = InputReader(place.root, limits, keep=True)
    problems = _problems(place, runbook, reader)
    return reader.found(), problems


def _problems(place: Place, runbook: Runbook, reader: InputReader) -> list[Problem]:
    lines: dict[str, int] = {}
    found = (_problem(place, item, reader, lines) for item in runbook.files_in)
    return [problem for problem in found if problem is not None]


def _problem(
    place: Place, item: FileRequirement, reader: InputReader, lines: dict[str, int]
) -> Problem | None:
    """The problem of one item. `lines` maps each name already read to its line."""
    source = _locate(place, item.path)
    if isinstance(source, Problem):
        return replace(source, line=item.line)
    if source.name in lines:
        return _collision(source.name, item.line, lines[source.name])
    lines[source.name] = item.line
    try:
        reader.read(source, item.path)
    except UnfitInputError as error:
        return replace(error.problem, line=item.line)
    return None


def _collision(name: str, line: int, first: int) -> Problem:
    text = f"Two input files would be copied as {name}; the first is on line {first}"
    return Problem(
        "input_file_collision",
        text,
        line,
        hint="Rename one of them",
        params={"file": name, "first_line": first},
    )


def _locate(place: Place, path: str) -> Path | Problem:
    """The first existing path; its last part is the name to copy it under."""
    if not _usable_path(path):
        return outside(path)
    real_root = Path(os.path.realpath(place.root))
    leads_out = False
    for folder in dict.fromkeys((posixpath.dirname(place.name), "")):
        relative = posixpath.normpath(posixpath.join(folder, path))
        if relative == "." or relative.startswith("../") or relative == "..":
            leads_out = True
            continue
        found = place.root / relative
        try:
            real = Path(os.path.realpath(found, strict=True))
            mode = real.stat().st_mode if is_below(real, real_root) else 0
        except (OSError, ValueError):
            continue
        if not mode:
            return outside(path)
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            return special(path)
        return found
    return outside(path) if leads_out and ".." in path.split("/") else _absent(path)


def _usable_path(path: str) -> bool:
    return not path.startswith("/") and not has_forbidden(path)


def _absent(path: str) -> Problem:
    text = f"Required input file does not exist: {shown(path)}"
    hint = "Use a path relative to the runbook's folder or to the runbooks directory"
    return Problem("input_file_missing", text, hint=hint, params={"path": shown(path)})
