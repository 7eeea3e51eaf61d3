"""Stage 4: what the runbook's Policy says: locks, queue, timeout, confirmation."""

from __future__ import annotations

from runbook.core.document import Policy, Problem
from runbook.core.inputs.devices import devices_of
from runbook.core.language.policy_rules import check_confirm, lock_request
from runbook.core.run import LockRequest
from runbook.engine.submit.attempt import Attempt


def apply_policy(attempt: Attempt, default_timeout_s: float, *, confirm: bool = True) -> Attempt:
    """The attempt with what its policy asks for. Skipped while there are errors.

    With `confirm`, runs that the policy wants confirmed must be.
    """
    runbook = attempt.entry.document.runbook
    if runbook is None or attempt.errors:
        return attempt
    policy = runbook.policy
    values, masked = attempt.inputs.values, attempt.concealer.text
    devices = devices_of(attempt.entry.document.inputs, values)
    locks = lock_request(policy, attempt.entry.ref, values, masked, devices)
    problems = [locks] if isinstance(locks, Problem) else []
    if confirm and (unconfirmed := _unconfirmed(attempt, policy)):
        problems.append(unconfirmed)
    return attempt.with_problems(*problems).requesting(
        locks=None if isinstance(locks, Problem) else _with_device(attempt, locks),
        queue=policy.queue,
        timeout_s=attempt.request.timeout_s or policy.timeout_s or default_timeout_s,
    )


def _unconfirmed(attempt: Attempt, policy: Policy) -> Problem | None:
    if attempt.new.request.dry_run:
        return None
    values, masked = attempt.inputs.values, attempt.concealer.text
    return check_confirm(policy, attempt.request.confirm, values, masked)


def _with_device(attempt: Attempt, own: LockRequest | None) -> LockRequest | None:
    """With the locks that the request asks for, or those of devices that a rerun's run had."""
    rerun = attempt.rerun
    asked = attempt.request.locks if rerun is None else rerun.run.request.locks
    if asked is None:
        return own
    from runbook.core.fanout.device_locks import device_locks_of, with_locks

    return with_locks(own, asked if rerun is None else device_locks_of(asked))
