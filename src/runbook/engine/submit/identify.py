"""Stage 1: which runbook is to be executed, for whom, and on behalf of which run."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import uuid_utils

from runbook.core.access import Principal, was_local
from runbook.core.document import Problem
from runbook.core.permissions import ALL_GRANTS, SCRIPT_PERMISSIONS
from runbook.core.run import RerunOf, Run, RunRequest, RunTree
from runbook.core.status import RunStatus
from runbook.core.storable import is_storable
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest, Rerun
from runbook.engine.submit.attempt import Attempt, version_of
from runbook.engine.submit.concealment import take_in
from runbook.engine.submit.inheritance import chains_of, secrets_of
from runbook.errors import RequestError
from runbook.library.catalog import Entry
from runbook.store.models import NewRun


class Identification:
    """Starts attempts: requests of callers, reruns, and undos that a failed run starts itself."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._options = parts.options

    def of_request(self, ref: str, principal: Principal, request: ExecuteRequest) -> Attempt:
        """Raises RequestError, NotFoundError, AuthenticationError if the calling run has ended."""
        check_text(request)
        entry = self._parts.runbooks.get(ref)
        caller = self._parts.authorizer.calling_run(principal)
        masks = secrets_of(self._parts, caller)
        taken, concealer = take_in(request, entry.document.inputs, masks)
        return Attempt(
            entry,
            self._on_behalf_of(principal, caller),
            taken,
            self._new_run(entry, principal, request, caller),
            chains=tuple(chains_of(caller, request)),
            masks=masks,
            concealer=concealer,
        )

    def of_rerun(self, principal: Principal, request: ExecuteRequest, rerun: Rerun) -> Attempt:
        """Raises RequestError and NotFoundError."""
        check_text(request)
        entry = rerun.entry or self._parts.runbooks.get(rerun.run.ref)
        new = self._new_run(entry, principal, request)
        taken, concealer = take_in(request, entry.document.inputs, rerun.masks)
        attempt = Attempt(
            entry, principal, taken, new, rerun, masks=rerun.masks, concealer=concealer
        )
        return attempt.recording(rerun_of=_rerun_of(rerun), rerun_claim=rerun.claim)

    def of_automatic_undo(self, principal: Principal, rerun: Rerun) -> Attempt:
        """An undo that belongs to the failing run: its child, but one of the same call chain.

        Raises NotFoundError.
        """
        run, request = rerun.run, ExecuteRequest()
        entry = rerun.entry or self._parts.runbooks.get(run.ref)
        new = self._new_run(entry, principal, request, run)
        tree = dataclasses.replace(new.tree, chain=run.tree.chain)
        attempt = Attempt(entry, principal, request, new, rerun)
        return attempt.recording(rerun_of=_rerun_of(rerun), rerun_claim=rerun.claim, tree=tree)

    def _on_behalf_of(self, principal: Principal, caller: Run | None) -> Principal:
        """A script may call whatever the requester of its run may execute.

        Claims and grants bind both, or neither.
        """
        if caller is None or self._options.enforce_claims or not was_local(caller.requester):
            return principal
        grants = ALL_GRANTS.limited_to(SCRIPT_PERMISSIONS)
        return dataclasses.replace(principal, local=True, grants=grants)

    def _new_run(
        self,
        entry: Entry,
        principal: Principal,
        request: ExecuteRequest,
        parent: Run | None = None,
    ) -> NewRun:
        run_id = str(uuid_utils.uuid7())
        chain = parent.tree.chain if parent else request.recursion_stack
        return NewRun(
            id=run_id,
            runbook=version_of(entry, self._parts.catalog),
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
                # A run called by a dry run is a dry run, too, unless it only reads anyway.
                dry_run=request.purpose is None
                and (request.dry_run or (parent is not None and parent.request.dry_run)),
                purpose=request.purpose or (parent.request.purpose if parent else None),
            ),
            created_at=self._parts.clock(),
            assigned_to=(parent.worker_id if parent else None) or request.assigned_to,
        )


def _rerun_of(rerun: Rerun) -> RerunOf:
    return RerunOf(rerun.relation, rerun.run.id, rerun.start_step)


def check_text(request: ExecuteRequest) -> None:
    """Raises RequestError for text that no run can be recorded with.

    Values of inputs are checked with the inputs: those problems name the variable.
    """
    given = request.env_vars if isinstance(request.env_vars, Mapping) else {}
    texts = {
        "reason": request.reason,
        "confirm": request.confirm,
        "idempotency_key": request.idempotency_key,
        "correlation_id": request.correlation_id,
        "recursion_stack": request.recursion_stack,
        "env_vars": [list(given), [item for item in given.values() if not isinstance(item, str)]],
    }
    for name, value in texts.items():
        if not is_storable(value):
            text = f"{name} must not contain NUL or lone surrogates, which can't be stored"
            raise RequestError(text, problems=(Problem("bad_text", text, params={"name": name}),))
