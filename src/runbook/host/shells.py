"""Asks zsh and bash whether a script has a syntax error; nothing in it is executed.

zsh parses the script as the body of a function: with `zsh -n` it would still expand words, and so
read files (`$(<FILE)`) and fail where there are none. The shells get no variable of this process.
A script is checked once per process.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import threading
from collections import OrderedDict
from collections.abc import Mapping

from runbook.core.authoring.script_syntax import Complaint
from runbook.core.document import Language, Script
from runbook.quick_dataclass import dataclass

TIMEOUT_SECONDS = 5.0
CACHED_SCRIPTS = 2048
_PARSE = 'zmodload zsh/parameter || exit 0; functions[script]="$(<$1)"; (( $+functions[script] ))'
_COMMANDS: Mapping[Language, tuple[str, ...]] = {
    Language.ZSH: ("zsh", "-fc", _PARSE, "zsh"),
    Language.BASH: ("bash", "--noprofile", "--norc", "-n"),
}
_PLACE = re.compile(r"^[^:\n]*:(?: line)? ?(\d+): (.*)$", re.MULTILINE)
_SENTINEL = b"\n\n)\n"
"""A syntax error, unless it is part of a here-document that never ends."""
# With these, a script changes the grammar while it runs, which a check without running can't see.
_OWN_GRAMMAR = re.compile(
    rb"csh_?junkie|ignore_?(?:close_?)?braces|\bdisable\s+-r|\balias\s+-g"
    rb"|\bemulate\s+(?:-\S+\s+)*(?:sh|ksh|csh)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Answer:
    """`error` is what the shell printed; empty if it accepts the script."""

    error: str = ""

    @property
    def accepted(self) -> bool:
        return not self.error


class Shells:
    """The shells found on a search path. Thread-safe."""

    def __init__(self, search_path: str, *, timeout_s: float = TIMEOUT_SECONDS) -> None:
        self._path = search_path
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[Language, bytes], Complaint | None] = OrderedDict()

    def complaint(self, script: Script) -> Complaint | None:
        """What the script's shell says; None if it can't be asked."""
        source = script.source.encode("utf-8", "replace")
        key = script.language, hashlib.sha256(source).digest()
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
                return self._known[key]
        try:
            found = self._ask(script.language, source)
        except (OSError, subprocess.SubprocessError):  # no such shell, no process, too slow
            return None
        with self._lock:
            self._known[key] = found
            while len(self._known) > CACHED_SCRIPTS:
                self._known.popitem(last=False)
        return found

    def _ask(self, language: Language, source: bytes) -> Complaint | None:
        name, *options = _COMMANDS[language]
        program = shutil.which(name, path=self._path)
        if program is None:
            raise FileNotFoundError(name)
        command = [program, *options]
        answer = self._check(command, source)
        if not answer.accepted and language is Language.BASH and b"extglob" in source:
            command += ["-O", "extglob"]  # bash reads more patterns once a script has set this
            answer = self._check(command, source)
        if not answer.accepted:
            unclear = language is Language.ZSH and _OWN_GRAMMAR.search(source)
            return None if unclear else _complaint(answer.error)
        if b"<<" in source and self._check(command, source + _SENTINEL).accepted:
            return Complaint("a here-document is not closed", source.count(b"\n"))
        return None

    def _check(self, command: list[str], source: bytes) -> _Answer:
        """Raises OSError and subprocess.SubprocessError."""
        script = os.memfd_create("script", os.MFD_CLOEXEC)
        try:
            with open(script, "wb", closefd=False) as file:
                file.write(source)
            ended = subprocess.run(
                [*command, f"/proc/self/fd/{script}"],
                env={"PATH": self._path, "LC_ALL": "C.UTF-8"},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=(script,),
                timeout=self._timeout_s,
                start_new_session=True,
                check=False,
            )
        finally:
            os.close(script)
        if ended.returncode < 0:
            raise subprocess.SubprocessError(f"killed by signal {-ended.returncode}")
        text = ended.stderr.decode("utf-8", "replace").strip()
        return _Answer(text or "syntax error") if ended.returncode else _Answer()


def _complaint(error: str) -> Complaint:
    """The first line with a line number, for example `script:3: parse error near `fi'`."""
    match = _PLACE.search(error)
    if match is None:
        return Complaint(error.split("\n", 1)[0].rpartition(": ")[2], 0)
    return Complaint(match[2], int(match[1]) - 1)
