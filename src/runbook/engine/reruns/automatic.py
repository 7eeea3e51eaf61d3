"""`on_failure: undo`: a failing run is undone before it ends."""

from __future__ import annotations

from runbook.core.access import Principal
from runbook.core.document import Problem, Runbook, warning
from runbook.core.reruns import undo_steps
from runbook.core.run import Run
from runbook.core.status import RunStatus
from runbook.engine.parts import Parts
from runbook.engine.process.run import Stop
from runbook.engine.record.ending import PARENT_ENDED
from runbook.engine.reruns.reruns import undo_rerun
from runbook.engine.reruns.rules import RerunRules
from runbook.engine.reruns.steps import steps_of_all, touched_by
from runbook.engine.sealing import RunInputs
from runbook.engine.submit.submission import Submission
from runbook.engine.wakeups import CANCEL

WATCH_S = 1.0


class AutomaticUndo:
    """Undoes a failing run by a child run. The failing run holds its locks meanwhile."""

    def __init__(self, parts: Parts, submission: Submission, rules: RerunRules) -> None:
        self._parts = parts
        self._store = parts.store
        self._submission = submission
        self._rules = rules

    def undo_failed(
        self, run: Run, runbook: Runbook, inputs: RunInputs, stop: Stop
    ) -> Problem | None:
        """Reverse the completed steps and wait for that; None if there are none to reverse.

        Answers a warning that names the child run. A request to stop `run` cancels the child.
        """
        touched = touched_by(self._store, run, runbook)
        if not undo_steps(runbook, steps_of_all(self._store, run, runbook), touched=touched):
            return None
        who = run.requester
        principal = Principal(who.subject, who.origin, who.claims, who.address)
        claim = self._rules.claim(run, ended=False)
        rerun = undo_rerun(self._parts, self._rules, run, claim)
        child = self._submission.undo_automatically(principal, rerun, inputs).run
        return _result(self._wait(child, stop))

    def _wait(self, run: Run, stop: Stop) -> Run:
        asked = False
        with self._parts.wakeups.following(run.id) as news:
            while True:
                news.clear()
                current = self._store.runs.get(run.id) or run
                if current.status.terminal:
                    return current
                if stop.reason is not None and not asked:
                    asked = True
                    self._store.runs.request_cancel(run.id, PARENT_ENDED)
                    self._parts.wakeups.wake_workers(CANCEL)
                news.wait(WATCH_S)


def _result(ended: Run) -> Problem:
    if ended.status is RunStatus.SUCCEEDED:
        text = f"Run {ended.id} has undone the completed steps"
        return warning("undone", text, run_id=ended.id)
    text = f"The completed steps were NOT all undone: run {ended.id} {ended.status}"
    return warning("not_all_undone", text, run_id=ended.id, status=ended.status.value)
