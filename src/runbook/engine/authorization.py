"""Who may do what with runbooks and runs. All permission checks are here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TypeVar

from runbook import log
from runbook.core.access import (
    Decision,
    ForeignRun,
    Principal,
    authorize,
    missing_json,
    permitted,
)
from runbook.core.audit import NewAuditEvent, Target, TargetKind, refusal_event
from runbook.core.connection import Connection
from runbook.core.permissions import Permission
from runbook.core.run import Run
from runbook.errors import AccessDeniedError, AuthenticationError, NotFoundError, RunbookError
from runbook.host.identity import host_name
from runbook.library.catalog import Catalog, Entry
from runbook.store.models import ActiveRun, RunFilter, Visibility
from runbook.store.store import Store

Resource = Entry | Run | ActiveRun | Connection | None
"""A runbook, a run, a connection, or None for the server as a whole."""
AnyRun = TypeVar("AnyRun", Run, ActiveRun)

_FREE_OF_CLAIMS = frozenset({Permission.RUNBOOK_LIST, Permission.RUNBOOK_READ})
"""Permissions that don't depend on the runbook's required claims."""


def may_with_runbook(principal: Principal, permission: Permission, entry: Entry) -> Decision:
    """The principal's grants and the runbook's required claims must both allow it."""
    decision = permitted(principal, permission, entry.ref)
    if not decision.allowed or permission in _FREE_OF_CLAIMS:
        return decision
    return _claims_allow(principal, permission, entry)


def _claims_allow(principal: Principal, permission: Permission, entry: Entry) -> Decision:
    document = entry.document
    return authorize(principal, document.claims, permission, known=document.claims_known)


def may_with_connection(
    principal: Principal, permission: Permission, connection: Connection
) -> Decision:
    """Who may change connections sees all; to use one, its claims must be met as well."""
    decision = permitted(principal, permission)
    reading = permission is Permission.CONNECTION_READ
    manages = principal.grants.allow(Permission.CONNECTION_WRITE)
    if not decision.allowed or permission is Permission.CONNECTION_WRITE or (reading and manages):
        return decision
    return authorize(principal, connection.required_claims, permission)


class Authorizer:
    """Decides what a principal may do. Thread-safe."""

    def __init__(self, store: Store, catalog: Catalog) -> None:
        self._store = store
        self._catalog = catalog

    def can(
        self, principal: Principal, permission: Permission, resource: Resource = None
    ) -> Decision:
        """Whether the principal may do it; the answer names what is missing.

        Without a resource: whether it may for any resource. Raises AuthenticationError for a run if
        the principal is a script whose own run has ended.
        """
        if resource is None:
            return permitted(principal, permission)
        if isinstance(resource, Entry):
            return may_with_runbook(principal, permission, resource)
        if isinstance(resource, Connection):
            return may_with_connection(principal, permission, resource)
        return self._view(principal, permission).of(resource)

    def require(
        self, principal: Principal, permission: Permission, resource: Resource = None
    ) -> None:
        """Raises AccessDeniedError unless `can` allows it, and as `can`. Audits refusals."""
        decision = self.can(principal, permission, resource)
        if not decision.allowed:
            self._audit(refusal_event(principal, decision, _target(resource)))
            raise self.refusal(principal, decision, resource)

    def _audit(self, refused: NewAuditEvent) -> None:
        try:
            self._store.audit.record_refusal(refused)
        except RunbookError as error:  # refused anyway
            log.warning("audit.not_recorded", action=refused.action.value, error=error.message)

    def refusal(
        self, principal: Principal, decision: Decision, resource: Resource = None
    ) -> AccessDeniedError:
        """Log a refusal and return its error. The caller audits it."""
        log.alert(
            "access.refused",
            log.Alert.ACCESS,
            by=principal.subject,
            permission=decision.permission.value,
            target=None if resource is None else _name(resource),
        )
        return AccessDeniedError(decision.text, missing=missing_json(decision))

    def calling_run(self, principal: Principal) -> Run | None:
        """The run whose script is asking, or None for any other caller.

        Raises AuthenticationError once that run has ended, because its token is invalid then.
        """
        if principal.run_id is None:
            return None
        run = self._store.runs.get(principal.run_id)
        if run is None or run.status.terminal:
            raise AuthenticationError("The token's run has ended.", reason="run_ended")
        return run

    def readable(self, principal: Principal, runs: Iterable[AnyRun]) -> tuple[AnyRun, ...]:
        """Those of the runs that the principal may read; each runbook is looked up once."""
        view = self._view(principal, Permission.RUN_READ)
        return tuple(run for run in runs if view.of(run).allowed)

    def narrowed(self, principal: Principal, wanted: RunFilter) -> RunFilter:
        """The filter, narrowed to the runs that the principal may read.

        If run.read is granted for some refs only, own runs of other runbooks are left out.
        """
        if (own := self.calling_run(principal)) is not None:
            return dataclasses.replace(wanted, root_id=_root(own))
        return dataclasses.replace(wanted, visible=self._visibility(principal))

    def _visibility(self, principal: Principal) -> Visibility:
        reads_all = principal.grants.allow_all(Permission.RUN_READ)
        if principal.local and reads_all:
            return Visibility(everything=True)
        refs = frozenset(
            entry.ref
            for entry in self._catalog.list().entries
            if may_with_runbook(principal, Permission.RUN_READ, entry).allowed
        )
        return Visibility(refs=refs, subject=principal.subject if reads_all else None)

    def _view(self, principal: Principal, permission: Permission) -> _RunView:
        own = self.calling_run(principal)
        return _RunView(principal, permission, None if own is None else _root(own), self._catalog)


class _RunView:
    """What a principal may do with runs. `tree` is the root run of the calling script, if any."""

    def __init__(
        self, principal: Principal, permission: Permission, tree: str | None, catalog: Catalog
    ) -> None:
        self._principal = principal
        self._permission = permission
        self._tree = tree
        self._catalog = catalog
        self._claims_met: dict[str, bool] = {}

    def of(self, run: Run | ActiveRun) -> Decision:
        """Scripts may access their tree; others their own runs, and runs whose claims they meet."""
        ref = None if self._tree is not None else run.ref
        decision = permitted(self._principal, self._permission, ref)
        if not decision.allowed or self._is_seen(run):
            return decision
        return Decision(self._permission, (ForeignRun(),))

    def _is_seen(self, run: Run | ActiveRun) -> bool:
        if self._tree is not None:
            return _root(run) == self._tree
        is_own = _requested_by(run) == self._principal.subject
        return self._principal.local or is_own or self._meets_claims(run.ref)

    def _meets_claims(self, ref: str) -> bool:
        if ref not in self._claims_met:
            self._claims_met[ref] = self._look_up(ref)
        return self._claims_met[ref]

    def _look_up(self, ref: str) -> bool:
        try:
            entry = self._catalog.get(ref)
        except NotFoundError:
            return False
        return _claims_allow(self._principal, self._permission, entry).allowed


def _name(resource: Entry | Run | ActiveRun | Connection) -> str:
    if isinstance(resource, Connection):
        return resource.name
    return resource.ref if isinstance(resource, Entry) else resource.id


def _target(resource: Resource) -> Target:
    if resource is None:
        return Target(TargetKind.SERVER, host_name())
    if isinstance(resource, Connection):
        return Target(TargetKind.CONNECTION, resource.name)
    kind = TargetKind.RUNBOOK if isinstance(resource, Entry) else TargetKind.RUN
    return Target(kind, _name(resource))


def _root(run: Run | ActiveRun) -> str:
    return run.tree_id if isinstance(run, Run) else run.root_id or run.id


def _requested_by(run: Run | ActiveRun) -> str:
    return run.by if isinstance(run, ActiveRun) else run.requester.subject
