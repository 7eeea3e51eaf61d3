"""From a request to a recorded run: authorize, preflight, submit. The only way to start a run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import uuid_utils

from runbook import log
from runbook.core import return_codes
from runbook.core.access import Decision, Principal, UnreadableClaims, was_local
from runbook.core.audit import NewAuditEvent, Target, TargetKind, refusal_event
from runbook.core.document import Problem, errors_of, texts_of, warnings_of
from runbook.core.events import EventType
from runbook.core.inputs.preflight import ResolvedInputs, check_chain, coerce_values, resolve_inputs
from runbook.core.language.policy_rules import check_confirm, lock_request
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS, SCRIPT_PERMISSIONS, Permission
from runbook.core.run import Relation, RerunOf, Run, RunbookVersion, RunRequest, RunTimes, RunTree
from runbook.core.run_files import RunFiles
from runbook.core.status import RunStatus
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.engine.record.ending import done_data
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.requests import ExecuteRequest, Follows, Report, Submitted
from runbook.engine.sealing import GivenInputs
from runbook.engine.submit.audit import rerun_event
from runbook.engine.submit.idempotency import check_read, idempotency_of
from runbook.engine.submit.inheritance import chains_of, hiding, secrets_of
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.engine.submit.input_files import check_files, input_files
from runbook.errors import QueueFullError
from runbook.library.catalog import Entry
from runbook.store.models import NewEvent, NewRun, StoredDocument


class Submission:
    """Checks requests and records every attempt, whatever its fate."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._options = parts.options
        self._store = parts.store
        self._authorizer = parts.authorizer
        self.knowledge = InputKnowledge(parts)

    def validate(self, ref: str, principal: Principal, request: ExecuteRequest) -> Report:
        entry = self._parts.catalog.get(ref)
        parent = self._authorizer.calling_run(principal)
        principal = self._in_the_name_of(principal, parent)
        new = self._new_run(entry, principal, request, parent)
        decision = self._authorizer.can(principal, Permission.RUNBOOK_VALIDATE, entry)
        if _is_refusal(decision, entry):
            self._refuse(new, entry, principal, decision)
        check_read(self._store, entry, request)
        inputs, problems = self._preflight(entry, principal, request, chains_of(parent, request))
        problems += check_files(self._parts, entry)
        if request.confirm is None:  # it is asked for when there is something to confirm
            new = _asking(new, dry_run=True)
        _, problems = self._with_policy(new, entry, inputs, request, problems)
        return Report(entry.ref, errors_of(problems), warnings_of(problems))

    def submit(self, ref: str, principal: Principal, request: ExecuteRequest) -> Submitted:
        entry = self._parts.catalog.get(ref)
        parent = self._authorizer.calling_run(principal)
        principal = self._in_the_name_of(principal, parent)
        new = self._new_run(entry, principal, request, parent)
        self._authorize(new, entry, principal)
        check_read(self._store, entry, request, partial(idempotency_of, new, principal, request))
        masks = secrets_of(self._parts, parent)
        request = hiding(request, masks)
        inputs, problems = self._preflight(entry, principal, request, chains_of(parent, request))
        files, unfit = input_files(self._parts, entry)
        problems += unfit
        new, problems = self._with_policy(new, entry, inputs, request, problems)
        if errors := errors_of(problems):
            return self._record_invalid(new, entry, errors)
        new = self._sealed(new, inputs, request, masks=masks)
        return self._queue(new, entry, principal, request, files)

    def submit_following(
        self, principal: Principal, request: ExecuteRequest, follows: Follows
    ) -> Submitted:
        """Submit a run that follows from an earlier one. Like `submit`, and its errors.

        Both the runbook as it is and, where another document is executed, that one must allow it;
        but for a run that belongs to one which is running, and has been allowed with it.
        """
        current = self._parts.catalog.get(follows.run.ref)
        entry = follows.entry or current
        new = dataclasses.replace(
            self._new_run(entry, principal, request, follows.parent),
            rerun_of=RerunOf(follows.relation, follows.run.id, follows.start_step),
        )
        if follows.parent is not None:
            new = dataclasses.replace(
                new, tree=dataclasses.replace(new.tree, chain=follows.parent.tree.chain)
            )
        if follows.inputs is not None:
            files, _ = input_files(self._parts, entry, follows)
            return self._queue(self._taking_over(new, follows), entry, principal, request, files)
        for checked in (current, entry) if follows.entry else (entry,):
            self._authorize(new, checked, principal)
        if follows.entry is None:  # what is executed is the runbook as it is now
            check_read(
                self._store, entry, request, partial(idempotency_of, new, principal, request)
            )
        inputs, problems = self._preflight(entry, principal, request, ())
        files, unfit = input_files(self._parts, entry, follows)
        problems = [*problems, *unfit, *follows.problems]
        if follows.relation is Relation.UNDO:  # what is to be confirmed is the doing, not this
            request = dataclasses.replace(request, confirm=None)
        new, problems = self._with_policy(new, entry, inputs, request, problems)
        if errors := errors_of(problems):
            return self._record_invalid(new, entry, errors)
        new = self._sealed(new, inputs, request, follows)
        return self._queue(new, entry, principal, request, files)

    def _in_the_name_of(self, principal: Principal, parent: Run | None) -> Principal:
        """A script may call what whoever executed it may execute.

        Claims and grants bind both, or neither.
        """
        if parent is None or self._options.enforce_claims or not was_local(parent.requester):
            return principal
        grants = ALL_GRANTS.limited_to(SCRIPT_PERMISSIONS)
        return dataclasses.replace(principal, local=True, grants=grants)

    def _authorize(self, new: NewRun, entry: Entry, principal: Principal) -> None:
        """Raises AccessDeniedError, which is recorded, in the file too."""
        decision = self._authorizer.can(principal, Permission.RUNBOOK_EXECUTE, entry)
        if _is_refusal(decision, entry):
            self._refuse(new, entry, principal, decision, in_file=True)

    def _with_policy(
        self,
        new: NewRun,
        entry: Entry,
        inputs: ResolvedInputs,
        request: ExecuteRequest,
        problems: list[Problem],
    ) -> tuple[NewRun, list[Problem]]:
        """The run with what its policy says, and what speaks against it."""
        runbook = entry.document.runbook
        if runbook is not None and not errors_of(problems):
            policy = runbook.policy
            locks = lock_request(policy, entry.ref, inputs.values)
            found = [locks] if isinstance(locks, Problem) else []
            if new.relation is not Relation.UNDO and not new.request.dry_run:
                unconfirmed = check_confirm(policy, request.confirm, inputs.values)
                found += [unconfirmed] if unconfirmed else []
            problems = [*problems, *found]
            new = _asking(
                new,
                locks=None if isinstance(locks, Problem) else locks,
                queue=policy.queue,
                timeout_s=request.timeout_s or policy.timeout_s or self._options.timeout_s,
            )
        return _warned(new, problems), problems

    def _preflight(
        self,
        entry: Entry,
        principal: Principal,
        request: ExecuteRequest,
        chains: Sequence[Sequence[str]],
    ) -> tuple[ResolvedInputs, list[Problem]]:
        document = entry.document
        given, problems = coerce_values(request.env_vars, document.inputs)
        facts = self.knowledge.facts(entry, principal, request.secrets)
        inputs, input_problems = resolve_inputs(document.inputs, given, facts)
        problems = [*document.problems, *problems, *input_problems]
        for chain in chains:
            if problem := check_chain(entry.ref, chain, self._options.max_recursion_depth):
                problems.append(problem)
        return inputs, problems

    def _new_run(
        self, entry: Entry, principal: Principal, request: ExecuteRequest, parent: Run | None
    ) -> NewRun:
        run_id = str(uuid_utils.uuid7())
        chain = parent.tree.chain if parent else request.recursion_stack
        return NewRun(
            id=run_id,
            runbook=_version(entry),
            status=RunStatus.QUEUED,
            requester=principal.requester(),
            correlation_id=parent.correlation_id if parent else request.correlation_id or run_id,
            tree=RunTree(
                (*chain, entry.ref),
                parent.id if parent else None,
                parent.tree_id if parent else None,
            ),
            request=RunRequest(
                reason=request.reason,
                timeout_s=request.timeout_s or self._options.timeout_s,
                # Whatever a dry run calls is a dry run too.
                dry_run=request.dry_run or (parent is not None and parent.request.dry_run),
            ),
            created_at=self._parts.clock(),
            assigned_to=(parent.worker_id if parent else None) or request.assigned_to,
        )

    def _sealed(
        self,
        new: NewRun,
        inputs: ResolvedInputs,
        request: ExecuteRequest,
        follows: Follows | None = None,
        *,
        masks: tuple[str, ...] = (),
    ) -> NewRun:
        secrets = inputs.secrets | (request.secrets & inputs.values.keys())
        shown = {name: None if name in secrets else inputs.shown[name] for name in inputs.shown}
        given = GivenInputs(dict(inputs.values), secrets, dict(inputs.files), masks=masks)
        if follows is not None:
            given = dataclasses.replace(
                given,
                variables=dict(follows.handed.variables),
                outputs=dict(follows.handed.outputs),
                masks=follows.masks,
            )
        asked = request.env_vars if isinstance(request.env_vars, Mapping) else {}
        new = dataclasses.replace(new, sealed_inputs=self._parts.sealer.seal(given, new.id))
        return _asking(
            new, inputs=shown, given=tuple(name for name in inputs.shown if name in asked)
        )

    def _taking_over(self, new: NewRun, follows: Follows) -> NewRun:
        """A run with the very inputs of the run that it belongs to."""
        run, inputs = follows.run, follows.inputs or GivenInputs({}, frozenset())
        new = dataclasses.replace(new, sealed_inputs=self._parts.sealer.seal(inputs, new.id))
        asked = run.request
        new = _asking(new, inputs=asked.inputs, given=asked.given, timeout_s=asked.timeout_s)
        return _warned(new, follows.problems)

    def _queue(
        self,
        new: NewRun,
        entry: Entry,
        principal: Principal,
        request: ExecuteRequest,
        files: RunFiles,
    ) -> Submitted:
        event = NewEvent(self._parts.clock(), EventType.QUEUED, data={"run_id": new.id})
        try:
            created = self._store.runs.create(
                new,
                [event],
                _document(entry),
                max_queued=self._options.max_queued_runs,
                idempotency=idempotency_of(new, principal, request),
                files=files,
                audit=rerun_event(new),
            )
        except QueueFullError as error:
            self._record_ended(
                new, entry, RunStatus.REFUSED, return_codes.QUEUE_FULL, (problem_of(error),)
            )
            raise
        if not created.replayed:
            self._parts.wakeups.wake_workers()
            self._parts.wakeups.wake_followers(new.id)
            if new.tree.parent_id is not None:
                self._parts.wakeups.wake_followers(new.tree.parent_id)
            log.event("run.queued", run_id=new.id, runbook=new.ref, by=principal.subject)
        return Submitted(created.run, created.replayed)

    def _refuse(
        self,
        new: NewRun,
        entry: Entry,
        principal: Principal,
        decision: Decision,
        *,
        in_file: bool = False,
    ) -> None:
        """Record the refusal, in the file too where asked, then raise AccessDeniedError."""
        text = f"RBAC Failure: Access denied for user {new.requester.subject}. {decision.text}"
        error = self._authorizer.refusal(principal, decision, entry)
        # Of an undo, the runbook as it is now may refuse what another document would do.
        new = dataclasses.replace(new, runbook=_version(entry))
        run = self._record_ended(
            new,
            entry,
            RunStatus.REFUSED,
            return_codes.REFUSED,
            (problem_of(error, decision.text),),
            entry_text=text if in_file else "",
            audit=refusal_event(principal, decision, Target(TargetKind.RUNBOOK, entry.ref)),
        )
        self._parts.observer.run_refused(run)
        log.warning("run.refused", run_id=run.id, runbook=run.ref, by=run.requester.subject)
        raise error

    def _record_invalid(self, new: NewRun, entry: Entry, errors: tuple[Problem, ...]) -> Submitted:
        run = self._record_ended(new, entry, RunStatus.INVALID, return_codes.INVALID, errors)
        self._parts.observer.run_ended(run)
        return Submitted(run)

    def _record_ended(
        self,
        new: NewRun,
        entry: Entry,
        status: RunStatus,
        code: int,
        errors: tuple[Problem, ...],
        *,
        entry_text: str = "",
        audit: NewAuditEvent | None = None,
    ) -> Run:
        """A run that ends at its birth: one row, its error as output, and `done`.

        With `entry_text` the history gets an entry too, before the row.
        """
        outcome = Outcome(status, code, errors, new.result.warnings)
        now = self._parts.clock()
        result = dataclasses.replace(new.result, return_code=code, errors=errors)
        new = dataclasses.replace(new, status=status, result=result, finished_at=now)
        text = "\n".join(texts_of(errors))
        stderr = NewEvent(now, EventType.STDERR, text=text, line=1, offset=0)
        done = NewEvent(now, EventType.DONE, data=done_data(new, outcome))
        head, _ = (
            self._parts.records.write_history(_run_of(new), RecordedOutput(error=entry_text))
            if entry_text
            else (None, None)
        )
        created = self._store.runs.create(
            new, [stderr, done], _document(entry), history=head, audit=audit
        )
        self._parts.wakeups.wake_followers(new.id)
        self._parts.records.log_run(created.run, RecordedOutput(stderr=text))
        return created.run


def _run_of(new: NewRun) -> Run:
    """A run that ended at its birth, as its history entry needs it."""
    return Run(
        id=new.id,
        runbook=new.runbook,
        status=new.status,
        requester=new.requester,
        correlation_id=new.correlation_id,
        tree=new.tree,
        times=RunTimes(new.created_at or 0, finished_at=new.finished_at),
        request=new.request,
        result=new.result,
        rerun_of=new.rerun_of,
    )


def _version(entry: Entry) -> RunbookVersion:
    return RunbookVersion(entry.ref, entry.document.name, entry.document.digest)


def _asking(new: NewRun, **changes: Any) -> NewRun:
    return dataclasses.replace(new, request=dataclasses.replace(new.request, **changes))


def _warned(new: NewRun, problems: Sequence[Problem]) -> NewRun:
    warnings = warnings_of(problems)
    return dataclasses.replace(new, result=dataclasses.replace(new.result, warnings=warnings))


def _is_refusal(decision: Decision, entry: Entry) -> bool:
    """Whether the principal is to blame.

    Claims that nobody can understand are the document's fault: it is invalid, which says on which
    line, and starts nothing either.
    """
    undecidable = decision.missing == (UnreadableClaims(),) and bool(entry.document.errors)
    return not decision.allowed and not undecidable


def _document(entry: Entry) -> StoredDocument:
    return StoredDocument(entry.document.digest, entry.head)
