"""What a caller may do with a run now, by the same rules that the actions check."""

from __future__ import annotations

from runbook.core.access import Decision, Principal, missing_json
from runbook.core.document import Problem
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.core.run_details import Actions, RunAction
from runbook.engine.parts import Parts
from runbook.engine.problems import conflict, problem_of
from runbook.engine.reruns.rules import RerunRules
from runbook.errors import AccessDeniedError, RunbookError


class ActionRules:
    """Checks one run at a time, which reads its steps, its document and its reruns.

    Only an actual resume checks whether the runbook has changed above the step to resume from.
    """

    def __init__(self, parts: Parts, rules: RerunRules) -> None:
        self._parts = parts
        self._rules = rules

    def of(self, run: Run, principal: Principal) -> Actions:
        unavailable: dict[RunAction, Problem] = {}
        resume_from = None
        for action in RunAction:
            try:
                step = self._check(action, run, principal)
            except RunbookError as error:
                unavailable[action] = problem_of(error)
            else:
                resume_from = step or resume_from
        available = tuple(action for action in RunAction if action not in unavailable)
        return Actions(available, unavailable, resume_from)

    def _check(self, action: RunAction, run: Run, principal: Principal) -> int | None:
        """The step that a resume starts from. Raises RunbookError if it is not available."""
        can = self._parts.authorizer.can
        if action is RunAction.CANCEL:
            _check_cancel(run)
            _check_allowed(can(principal, Permission.RUN_CANCEL, run))
            return None
        step = None
        match action:
            case RunAction.RETRY:
                self._rules.check_retry(run)
            case RunAction.RESUME:
                step = self._rules.resume_step(run)
            case RunAction.UNDO:
                self._rules.undo_plan(run)
        self._rules.check_source(run)
        _check_allowed(can(principal, Permission.RUN_RERUN, run))
        entry = self._parts.catalog.get(run.ref)
        _check_allowed(can(principal, Permission.RUNBOOK_EXECUTE, entry))
        return step


def _check_allowed(decision: Decision) -> None:
    """Raises AccessDeniedError. Not audited, since nothing was requested yet."""
    if not decision.allowed:
        raise AccessDeniedError(decision.text, missing=missing_json(decision))


def _check_cancel(run: Run) -> None:
    if run.status.terminal:
        raise conflict("run_ended", f"The run has ended: {run.status}.", status=run.status.value)
    if run.cancel is not None:
        text = f"{run.cancel.by} has already cancelled the run."
        raise conflict("cancel_requested", text, by=run.cancel.by)
