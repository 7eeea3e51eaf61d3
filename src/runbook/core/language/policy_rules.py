"""What a policy means for one run: its locks, what must be confirmed, when a step is retried."""

from __future__ import annotations

import re
from collections.abc import Mapping

from runbook.core.document import OnBusy, Policy, Problem, Retry, Step
from runbook.core.run import LockRequest, LockWant
from runbook.core.syntax.yaml_blocks import CONTROL

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
CONCURRENCY = "concurrency:"
"""How the names of the locks begin that count a runbook's own runs."""
TEXT_LIMIT = 200
"""Characters of a lock's name, and of a text to confirm."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `${NAME}` replaced by its value; what has none is empty."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), template)


def lock_request(
    policy: Policy, ref: str, values: Mapping[str, str]
) -> LockRequest | Problem | None:
    """The locks that a run of `ref` needs; None for none, a problem where a name is of no use.

    At most `policy.concurrency` runs of one ref hold its own lock at once.
    """
    names: dict[str, LockWant] = {}
    for template in policy.locks:
        name = fill(template, values).strip()
        if reason := _unusable(name, reserved=CONCURRENCY):
            text = f"The lock '{template}' {reason} with these inputs"
            return Problem(
                "bad_lock_name",
                text,
                hint="Give other values to its inputs",
                params={"lock": template},
            )
        names[name] = LockWant(name)
    wants = tuple(names.values())
    if policy.concurrency is not None:
        wants += (LockWant(f"{CONCURRENCY}{ref}", policy.concurrency),)
    return LockRequest(wants, waits=policy.on_busy is OnBusy.WAIT) if wants else None


def check_confirm(policy: Policy, given: str | None, values: Mapping[str, str]) -> Problem | None:
    """Whether the text that the policy wants to be typed was given, exactly."""
    if policy.confirm is None:
        return None
    wanted = fill(policy.confirm, values).strip()
    if reason := _unusable(wanted):
        text = f"The text to confirm, '{policy.confirm}', {reason} with these inputs"
        return Problem(
            "bad_confirmation",
            text,
            hint="Give other values to its inputs",
            params={"confirm": policy.confirm},
        )
    if given is not None and given.strip() == wanted:
        return None
    text = f"Confirmation needed: type '{wanted}'"
    hint = "Send it as `confirm` in the request; on the command line: --confirm"
    return Problem("confirmation_needed", text, hint=hint, params={"confirm": wanted})


def retry_of(step: Step, policy: Policy) -> Retry:
    """The step's own rule, else the policy's."""
    return policy.retry if step.retry is None else step.retry


def is_success(code: int, policy: Policy) -> bool:
    return code in policy.success_codes


def _unusable(text: str, *, reserved: str | None = None) -> str | None:
    """Why a filled text cannot be used; None where it can."""
    if not text:
        return "is empty"
    if CONTROL.search(text):
        return "holds a line break or a control character"
    if len(text) > TEXT_LIMIT:
        return f"is longer than {TEXT_LIMIT} characters"
    if reserved and text.startswith(reserved):
        return f"begins with {reserved}"
    return None
