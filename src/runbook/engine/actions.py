"""What a caller may do with a run now, by the very rules that the actions themselves obey."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.access import Action, Principal
from runbook.core.actions import Actions, RunAction
from runbook.core.run import Relation, Run
from runbook.engine.parts import Parts
from runbook.engine.problems import conflict, problem_of
from runbook.engine.reruns import Following
from runbook.engine.submit.submission import Submission
from runbook.errors import AccessDeniedError, RunbookError

_RERUNS: Mapping[RunAction, Relation] = {
    RunAction.RETRY: Relation.RETRY,
    RunAction.RESUME: Relation.RESUME,
    RunAction.UNDO: Relation.UNDO,
}


class ActionRules:
    """Asked for one run at a time: it reads the run's steps, its document and what follows it.

    Whether the runbook was changed above the step to go on with is only found out by a resume.
    """

    def __init__(self, parts: Parts, submission: Submission, reruns: Following) -> None:
        self._parts = parts
        self._submission = submission
        self._reruns = reruns

    def of(self, run: Run, principal: Principal) -> Actions:
        available, unavailable = [], {}
        for action in RunAction:
            try:
                self._check(action, run, principal)
            except RunbookError as error:
                unavailable[action] = problem_of(error)
            else:
                available.append(action)
        return Actions(tuple(available), unavailable)

    def _check(self, action: RunAction, run: Run, principal: Principal) -> None:
        if principal.run_id is not None:
            raise AccessDeniedError("A script's token is not accepted here.")
        if action is RunAction.CANCEL:
            _check_cancel(run)
        else:
            self._reruns.check(run, _RERUNS[action])
            self._check_allowed(run, principal)

    def _check_allowed(self, run: Run, principal: Principal) -> None:
        """Raises NotFoundError where the runbook is gone, and AccessDeniedError."""
        entry = self._parts.catalog.get(run.ref)
        decision = self._submission.decide(entry, principal, Action.EXECUTE)
        if not decision.allowed:
            raise AccessDeniedError(decision.text, missing=list(decision.missing))


def _check_cancel(run: Run) -> None:
    if run.status.terminal:
        raise conflict("run_ended", f"The run has ended: {run.status}.", status=run.status.value)
    if run.cancel is not None:
        text = f"{run.cancel.by} has asked for the end of the run."
        raise conflict("cancel_requested", text, by=run.cancel.by)
