"""Retry, resume and undo: runs that repeat, continue or reverse an earlier one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence

from runbook.core.access import Principal
from runbook.core.document import Problem, Runbook, Severity
from runbook.core.language.parse import parse_stored
from runbook.core.outcome import StepRun
from runbook.core.reruns import irreversible, restored
from runbook.core.run import Relation, Run
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Rerun, Submitted
from runbook.engine.reruns.rules import RerunRules
from runbook.engine.reruns.steps import steps_of_all
from runbook.engine.submit.idempotency import replay, rerun_key
from runbook.engine.submit.submission import Submission
from runbook.errors import ConflictError, DocumentChangedError
from runbook.library.catalog import Entry
from runbook.store.models import IdempotencyKey, RerunClaim


class Reruns:
    """Submits reruns. Each method raises ConflictError, and what Submission.submit raises."""

    def __init__(self, parts: Parts, submission: Submission, rules: RerunRules) -> None:
        self._parts = parts
        self._submission = submission
        self._rules = rules

    def retry(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """The same inputs from the start, with the runbook as it is now."""
        key = rerun_key(principal, request, self._parts.sealer, Relation.RETRY, run)

        def submit() -> Submitted:
            self._rules.check_retry(run)
            self._rules.check_source(run)
            return self._submit(principal, request, Rerun(Relation.RETRY, run, key=key), ())

        return self._once(key, submit)

    def resume(
        self, run: Run, principal: Principal, request: ExecuteRequest, start: str | None
    ) -> Submitted:
        """Resume after the completed steps, or from the step with the name or number `start`.

        Raises DocumentChangedError too.
        """
        key = rerun_key(principal, request, self._parts.sealer, Relation.RESUME, run, start)

        def submit() -> Submitted:
            claim = self._rules.claim(run)
            number = self._rules.resume_step(run, start)
            self._rules.check_source(run)
            self._rules.check_unchanged(run, self._parts.catalog.get(run.ref), number)
            before = [row for row in self._parts.store.steps.of(run.id) if row.n < number]
            rerun = Rerun(Relation.RESUME, run, start_step=number, claim=claim, key=key)
            return self._submit(principal, request, rerun, before)

        return self._once(key, submit)

    def undo(self, run: Run, principal: Principal, request: ExecuteRequest) -> Submitted:
        """Reverse the completed steps, by the document that the run executed."""
        key = rerun_key(principal, request, self._parts.sealer, Relation.UNDO, run)

        def submit() -> Submitted:
            claim = self._rules.claim(run)
            self._rules.undo_plan(run)
            self._rules.check_source(run)
            rows = steps_of_all(self._parts.store, run, self._rules.runbook(run))
            rerun = undo_rerun(self._parts, self._rules, run, claim)
            rerun = dataclasses.replace(rerun, key=key)
            return self._submit(principal, request, rerun, rows)

        return self._once(key, submit)

    def _once(self, key: IdempotencyKey | None, submit: Callable[[], Submitted]) -> Submitted:
        """Submit, or return the rerun that the same request created.

        The run can't be rerun again because of that very rerun, so the key is looked up first, and
        again if the same request at the same time was faster.
        """
        known = replay(self._parts.store, key)
        if known is not None:
            return known
        try:
            return submit()
        except (ConflictError, DocumentChangedError):
            known = replay(self._parts.store, key)
            if known is None:
                raise
            return known

    def _submit(
        self, principal: Principal, request: ExecuteRequest, rerun: Rerun, rows: Sequence[StepRun]
    ) -> Submitted:
        """Combine what was stored of the earlier run with what is given again.

        `rows` are the steps that are not executed again.
        """
        run = rerun.run
        entry = rerun.entry or self._parts.catalog.get(run.ref)
        declared = {item.name for item in entry.document.inputs}
        again = dict(request.env_vars) if isinstance(request.env_vars, Mapping) else {}
        asked = _not_stored(rows)
        texts = {name: again[name] for name in asked if isinstance(again.get(name), str)}
        handed = restored(rows, texts)
        kept = {n: v for n, v in run.request.inputs.items() if v is not None and n in declared}
        new = {n: v for n, v in again.items() if n not in asked or n in declared}
        lost = [
            n
            for n in run.request.given
            if run.request.inputs.get(n) is None and n in declared - again.keys()
        ]
        needed = [_needed_again(name) for name in sorted({*handed.missing, *lost})]
        request = dataclasses.replace(
            request, env_vars={**kept, **new}, dry_run=run.request.dry_run or request.dry_run
        )
        rerun = dataclasses.replace(
            rerun,
            handed=handed,
            masks=tuple(texts.values()),
            problems=(*rerun.problems, *needed),
        )
        return self._submission.rerun(principal, request, rerun)


def undo_rerun(parts: Parts, rules: RerunRules, run: Run, claim: RerunClaim) -> Rerun:
    """The undo of a run: its own document, and a warning for each step without an Undo."""
    stored = rules.document(run)
    runbook = parts.documents.runbook(stored)
    entry: Entry = dataclasses.replace(
        parts.catalog.get(run.ref), document=parse_stored(stored.content), head=stored.content
    )
    problems = _not_reversible(runbook, steps_of_all(parts.store, run, runbook))
    return Rerun(Relation.UNDO, run, entry=entry, problems=problems, claim=claim)


def _not_stored(rows: Sequence[StepRun]) -> frozenset[str]:
    """The names of handed over values that contained a secret."""
    values = [item for row in rows for item in (*row.env.items(), *row.outputs.items())]
    return frozenset(name for name, value in values if value is None)


def _needed_again(name: str) -> Problem:
    text = f"The value of {name} was not stored, so it has to be given again"
    hint = f"Give it in env_vars, or with --env {name}=... or --secret {name}=@FILE"
    return Problem("value_not_kept", text, hint=hint, params={"variable": name})


def _not_reversible(runbook: Runbook, rows: Sequence[StepRun]) -> tuple[Problem, ...]:
    return tuple(
        Problem(
            "not_reversible",
            f"Step '{item.step.name}' has no Undo: its changes stay in place",
            severity=Severity.WARNING,
            params={"step": item.step.name, "n": item.n},
        )
        for item in irreversible(runbook, rows)
    )
