"""Applies a policy to one run: its locks, confirmation and retries."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import product

from runbook.core.document import OnBusy, Policy, Problem, Retry, Step
from runbook.core.run import LockRequest, LockWant
from runbook.core.syntax.yaml_blocks import CONTROL

_PLACEHOLDER = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
CONCURRENCY = "concurrency:"
"""Prefix of the locks that limit a runbook's concurrent runs."""
Masking = Callable[[str], str]
"""Replaces the secrets in a text."""
NO_LISTS: Mapping[str, tuple[str, ...]] = {}
TEXT_LIMIT = 200
"""Maximum length of a lock's name or a confirmation text, in characters."""


def fill(template: str, values: Mapping[str, str]) -> str:
    """`template` with each `${NAME}` replaced by its value, or by empty text if there is none."""
    return _PLACEHOLDER.sub(lambda found: values.get(found[1], ""), template)


def lock_request(
    policy: Policy,
    ref: str,
    values: Mapping[str, str],
    masked: Masking = str,
    lists: Mapping[str, tuple[str, ...]] = NO_LISTS,
) -> LockRequest | Problem | None:
    """The locks that a run of `ref` needs; None if none, a problem if a name is invalid.

    For an input in `lists`, there is one lock for each of its values.

    Everyone sees the names of locks. So a secret in one is invalid: if it were masked, runs with
    different values would share the lock, or runs that must share it would not. At most
    `policy.concurrency` runs of one ref hold its own lock at once.
    """
    names: dict[str, LockWant] = {}
    for template, given in (pair for one in policy.locks for pair in _each(one, values, lists)):
        name = fill(template, given).strip()
        reason = _unusable(name, reserved=CONCURRENCY)
        if reason is None and _reveals(template, given, masked):
            reason = "contains a secret"
        if reason:
            text = f"The lock '{template}' {reason} with these inputs"
            return Problem(
                "bad_lock_name",
                text,
                hint="Change the input values",
                params={"lock": template},
            )
        names[name] = LockWant(name)
    wants = tuple(names.values())
    if policy.concurrency is not None:
        wants += (LockWant(f"{CONCURRENCY}{ref}", policy.concurrency),)
    return LockRequest(wants, waits=policy.on_busy is OnBusy.WAIT) if wants else None


def _each(
    template: str, values: Mapping[str, str], lists: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The template with the values of each lock that it stands for."""
    several = [name for name in dict.fromkeys(_PLACEHOLDER.findall(template)) if name in lists]
    for chosen in product(*(lists[name] for name in several)):
        yield template, {**values, **dict(zip(several, chosen, strict=True))}


def known_locks(policy: Policy, ref: str, values: Mapping[str, str]) -> tuple[LockWant, ...]:
    """The locks that a run with these values would take, as far as they are known.

    Skips locks that depend on other inputs, and whose names would be invalid.
    """
    known = tuple(
        template
        for template in policy.locks
        if all(name in values for name in _PLACEHOLDER.findall(template))
        and not _unusable(fill(template, values).strip(), reserved=CONCURRENCY)
    )
    request = lock_request(replace(policy, locks=known), ref, values)
    return request.wants if isinstance(request, LockRequest) else ()


def check_confirm(
    policy: Policy, given: str | None, values: Mapping[str, str], masked: Masking = str
) -> Problem | None:
    """The problem if the confirmation text that the policy requires is missing or wrong.

    Secrets in it are shown masked, so they may also be typed as shown.
    """
    if policy.confirm is None:
        return None
    wanted = fill(policy.confirm, values).strip()
    if reason := _unusable(wanted):
        text = f"The confirmation text '{policy.confirm}' {reason} with these inputs"
        return Problem(
            "bad_confirmation",
            text,
            hint="Change the input values",
            params={"confirm": policy.confirm},
        )
    shown = masked(wanted)
    if given is not None and given.strip() in {wanted, shown}:
        return None
    text = f"Confirmation needed: type '{shown}'"
    hint = "Send it as `confirm` in the request, or use --confirm on the command line"
    return Problem("confirmation_needed", text, hint=hint, params={"confirm": shown})


def _reveals(template: str, values: Mapping[str, str], masked: Masking) -> bool:
    """Whether the values put a secret into a text; what the document itself says is none."""
    used = [values.get(name, "") for name in _PLACEHOLDER.findall(template)]
    if any(masked(value) != value for value in used):
        return True
    own, filled = _PLACEHOLDER.sub(" ", template), fill(template, values)
    return bool(used) and masked(own) == own and masked(filled) != filled


def retry_of(step: Step, policy: Policy) -> Retry:
    """The step's own rule, or the policy's."""
    return policy.retry if step.retry is None else step.retry


def is_success(code: int, policy: Policy) -> bool:
    return code in policy.success_codes


def _unusable(text: str, *, reserved: str | None = None) -> str | None:
    """Why a filled text can't be used; None if it can."""
    if not text:
        return "is empty"
    if CONTROL.search(text):
        return "contains a line break or a control character"
    if len(text) > TEXT_LIMIT:
        return f"is longer than {TEXT_LIMIT} characters"
    if reserved and text.startswith(reserved):
        return f"starts with {reserved}"
    return None
