"""Runbooks whose scripts have been checked by their shells."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict

from runbook.core.authoring.script_syntax import (
    ShellCheck,
    script_problems,
    with_script_problems,
)
from runbook.core.document import Document, Problem
from runbook.library.catalog import Catalog, Entry

CACHED_DOCUMENTS = 5_000


class CheckedRunbooks:
    """Each version of a runbook is checked once per process. Thread-safe."""

    def __init__(self, catalog: Catalog, shells: ShellCheck) -> None:
        self._catalog = catalog
        self._shells = shells
        self._lock = threading.Lock()
        self._problems: OrderedDict[str, tuple[Problem, ...]] = OrderedDict()

    def get(self, ref: str) -> Entry:
        """The current runbook, invalid if a script has a syntax error. Raises NotFoundError."""
        entry = self._catalog.get(ref)
        problems = self._problems_of(entry.document)
        if not problems:
            return entry
        return dataclasses.replace(entry, document=with_script_problems(entry.document, problems))

    def _problems_of(self, document: Document) -> tuple[Problem, ...]:
        digest = document.digest
        with self._lock:
            if digest in self._problems:
                self._problems.move_to_end(digest)
                return self._problems[digest]
        found = tuple(script_problems(document, self._shells))
        with self._lock:
            self._problems[digest] = found
            while len(self._problems) > CACHED_DOCUMENTS:
                self._problems.popitem(last=False)
        return found
