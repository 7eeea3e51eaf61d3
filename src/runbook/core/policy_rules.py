"""What a policy means for a run."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.document import Policy, Problem, Retry, Step
from runbook.core.run import LockRequest


def retry_of(step: Step, policy: Policy) -> Retry:
    """How often a step is tried: as it says itself, else as the policy says for all."""
    return step.retry or policy.retry


def is_success(code: int, policy: Policy) -> bool:
    """Whether a script that returned this code has succeeded."""
    return code in policy.success_codes


def lock_request(
    policy: Policy, ref: str, values: Mapping[str, str]
) -> LockRequest | Problem | None:
    return None


def check_confirm(policy: Policy, given: str | None, values: Mapping[str, str]) -> Problem | None:
    return None
