"""From a request to a recorded run, in stages. The only way to start a run.

    identify -> authorize -> check_read -> preflight -> apply_policy -> seal -> queue

Each stage takes an `Attempt` and returns one that knows more. A validation stops before `seal`.
"""

from __future__ import annotations

from runbook.core.access import Principal
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Report, Rerun, Submitted
from runbook.engine.sealing import RunInputs
from runbook.engine.submit.attempt import Attempt
from runbook.engine.submit.authorize import Admission
from runbook.engine.submit.births import Births
from runbook.engine.submit.idempotency import check_read
from runbook.engine.submit.identify import Identification
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.engine.submit.policy import apply_policy
from runbook.engine.submit.preflight import Preflight
from runbook.engine.submit.seal import seal, seal_inherited


class Submission:
    """Checks requests and records every attempt to execute a runbook, whatever its result."""

    def __init__(self, parts: Parts, knowledge: InputKnowledge) -> None:
        self._parts = parts
        self._identify = Identification(parts)
        self._births = Births(parts)
        self._admission = Admission(parts.authorizer, self._births)
        self._preflight = Preflight(parts, knowledge)

    def validate(self, ref: str, principal: Principal, request: ExecuteRequest) -> Report:
        """See Engine.validate."""
        attempt = self._identify.of_request(ref, principal, request)
        self._admission.check_validate(attempt)
        check_read(self._parts.store, self._parts.sealer, attempt)
        attempt = self._preflight.check(attempt)
        # A missing confirmation is no error yet: users are asked for it when they execute.
        attempt = self._apply_policy(attempt, confirm=request.confirm is not None)
        told = attempt.concealer.problems
        return Report(attempt.entry.ref, told(attempt.errors), told(attempt.warnings))

    def submit(self, ref: str, principal: Principal, request: ExecuteRequest) -> Submitted:
        """See Engine.submit."""
        attempt = self._identify.of_request(ref, principal, request)
        self._admission.check_execute(attempt, attempt.entry)
        check_read(self._parts.store, self._parts.sealer, attempt)
        return self._queue(attempt)

    def rerun(self, principal: Principal, request: ExecuteRequest, rerun: Rerun) -> Submitted:
        """Submit a run that retries, resumes or undoes an earlier one. Raises as `submit` does.

        An undo executes the document of the earlier run. Then both that document and the runbook
        as it is now must allow it.
        """
        attempt = self._identify.of_rerun(principal, request, rerun)
        if rerun.entry is None:
            self._admission.check_execute(attempt, attempt.entry)
            check_read(self._parts.store, self._parts.sealer, attempt)
        else:
            current = self._parts.catalog.get(rerun.run.ref)
            self._admission.check_execute(attempt, current, attempt.entry)
        return self._queue(attempt)

    def undo_automatically(
        self, principal: Principal, rerun: Rerun, inputs: RunInputs
    ) -> Submitted:
        """Submit the undo that a failing run starts itself, with that run's inputs and files.

        It was authorized together with the failing run. Raises NotFoundError, and what
        `Births.queue` raises.
        """
        attempt = self._identify.of_automatic_undo(principal, rerun)
        attempt = self._preflight.inherit_files(attempt).with_problems(*rerun.problems)
        return self._births.queue(seal_inherited(attempt, inputs, self._parts.sealer))

    def _queue(self, attempt: Attempt) -> Submitted:
        attempt = self._apply_policy(self._preflight.complete(attempt))
        if attempt.errors:
            return self._births.invalid(attempt)
        return self._births.queue(seal(attempt, self._parts.sealer))

    def _apply_policy(self, attempt: Attempt, *, confirm: bool = True) -> Attempt:
        return apply_policy(attempt, self._parts.options.timeout_s, confirm=confirm)
