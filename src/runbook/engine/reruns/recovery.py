"""`recover` in Policy: another runbook ends what an interrupted run has left half done.

The run's end records that it is owed (see store/run/recoveries). A periodic task submits it, for
the same requester, until an attempt succeeds.
"""

from __future__ import annotations

import dataclasses
import posixpath

from runbook import log
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS, SCRIPT_PERMISSIONS
from runbook.core.run import Relation, Run
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Rerun
from runbook.engine.reruns.rules import RerunRules
from runbook.engine.submit.submission import Submission
from runbook.errors import NotFoundError, RunbookError, StoreBusyError, StoreUnavailableError
from runbook.library.catalog import Entry
from runbook.store.run.recoveries import Owed


class Recovering:
    """Starts the recoveries that are due. Each method raises StoreBusyError and so on."""

    def __init__(self, parts: Parts, submission: Submission, rules: RerunRules) -> None:
        self._parts = parts
        self._recoveries = parts.store.recoveries
        self._submission = submission
        self._rules = rules

    def start_due(self) -> None:
        for owed in self._recoveries.due():
            self._attend(owed)

    def _attend(self, owed: Owed) -> None:
        run, rule = owed.run, owed.rule
        attempts = [it for it in self._parts.store.runs.reruns(run.id) if _recovers(it)]
        if attempts and not attempts[-1].status.terminal:
            self._recoveries.put_off(owed, owed.made)  # its end says how to go on
        elif attempts and attempts[-1].success:
            self._recoveries.forget(run)
        elif owed.made >= rule.attempts:
            self._recoveries.forget(run)
            log.warning("recovery.given_up", run_id=run.id, runbook=rule.ref, attempts=owed.made)
        elif self._recoveries.put_off(owed, owed.made + 1):
            self._start(owed)

    def _start(self, owed: Owed) -> None:
        """One that can't be submitted counts as an attempt."""
        run, rule = owed.run, owed.rule
        try:
            self._rules.check_source(run)
            entry = self._find(run.ref, rule.ref)
            request = ExecuteRequest(
                env_vars=_inputs(run, entry), correlation_id=run.correlation_id
            )
            rerun = Rerun(Relation.RECOVERY, run, entry=entry)
            submitted = self._submission.rerun(self._principal(run), request, rerun)
        except (StoreBusyError, StoreUnavailableError):
            raise
        except RunbookError as error:
            log.warning("recovery.refused", run_id=run.id, runbook=rule.ref, error=error.message)
            return
        log.event("recovery.started", run_id=run.id, runbook=rule.ref, by_run=submitted.run.id)

    def _find(self, ref: str, wanted: str) -> Entry:
        """Below the folder of `ref`, else below the runbooks directory. Raises NotFoundError."""
        try:
            return self._parts.runbooks.get(posixpath.join(posixpath.dirname(ref), wanted))
        except NotFoundError:
            return self._parts.runbooks.get(wanted)

    def _principal(self, run: Run) -> Principal:
        """The requester of the run, with what its script was allowed at most."""
        parts = self._parts
        who = parts.connections.requester_of(run)
        grants = ALL_GRANTS if who.local else parts.options.role_grants(run.requester.roles)
        return dataclasses.replace(who, grants=grants.limited_to(SCRIPT_PERMISSIONS))


def _recovers(run: Run) -> bool:
    return run.relation is Relation.RECOVERY


def _inputs(run: Run, entry: Entry) -> dict[str, str]:
    """The values of inputs that both have. Secrets were wiped when the run ended."""
    declared = {item.name for item in entry.document.inputs}
    given = run.request.inputs.items()
    return {name: value for name, value in given if name in declared and value is not None}
