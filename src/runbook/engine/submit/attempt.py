"""One attempt to execute a runbook, on its way from a request to a recorded run."""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from dataclasses import field
from typing import Any

from runbook.core.access import Principal
from runbook.core.document import Problem, errors_of, warnings_of
from runbook.core.inputs.preflight import ResolvedInputs
from runbook.core.run import RunbookVersion
from runbook.core.run_files import NO_FILES, RunFiles
from runbook.core.toolkit import ToolkitVersion
from runbook.engine.requests import ExecuteRequest, Rerun
from runbook.engine.submit.concealment import Concealer
from runbook.errors import NotFoundError
from runbook.library.catalog import Catalog, Entry
from runbook.quick_dataclass import dataclass
from runbook.store.models import NewRun, StoredDocument


@dataclass(frozen=True, slots=True)
class Attempt:
    """What is known of an attempt so far. Each stage returns a new one that knows more.

    `new` is the run as it will be recorded. `chains` are the call chains that must not contain
    the runbook. `masks` are secrets of other runs that must not show in this one; `concealer` masks
    those and the request's own.
    """

    entry: Entry
    principal: Principal
    request: ExecuteRequest
    new: NewRun
    rerun: Rerun | None = None
    chains: tuple[tuple[str, ...], ...] = ()
    masks: tuple[str, ...] = ()
    concealer: Concealer = field(default_factory=Concealer)
    inputs: ResolvedInputs = field(default_factory=ResolvedInputs)
    files: RunFiles = NO_FILES
    problems: tuple[Problem, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        return errors_of(self.problems)

    @property
    def warnings(self) -> tuple[Problem, ...]:
        return warnings_of(self.problems)

    def requesting(self, **changes: Any) -> Attempt:
        """With changes to the recorded request."""
        request = dataclasses.replace(self.new.request, **changes)
        return self.recording(request=request)

    def recording(self, **changes: Any) -> Attempt:
        """With changes to the recorded run."""
        return dataclasses.replace(self, new=dataclasses.replace(self.new, **changes))

    def with_problems(self, *problems: Problem) -> Attempt:
        """With further problems; the warnings among them are recorded with the run."""
        if not problems:
            return self
        found = dataclasses.replace(self, problems=(*self.problems, *problems))
        result = dataclasses.replace(self.new.result, warnings=found.warnings)
        return found.recording(result=result)


def version_of(entry: Entry, catalog: Catalog) -> RunbookVersion:
    document = entry.document
    return RunbookVersion(entry.ref, document.name, document.digest, _toolkit_of(entry, catalog))


def _toolkit_of(entry: Entry, catalog: Catalog) -> ToolkitVersion | None:
    with suppress(NotFoundError):  # its toolkit was just disabled
        return catalog.toolkit(entry.ref)
    return None


def document_of(entry: Entry) -> StoredDocument:
    return StoredDocument(entry.document.digest, entry.head)
