"""What a called run takes over from its caller: the secrets that must not show in it either."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from runbook.core.output.mask import Masker
from runbook.core.run import Run
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest


def secrets_of(parts: Parts, caller: Run | None) -> tuple[str, ...]:
    """All that is masked in the run that calls; nothing without one."""
    sealed = parts.store.runs.sealed(caller.id) if caller is not None else None
    if caller is None or sealed is None:
        return ()
    return tuple(parts.sealer.open(sealed, caller.id).secret_values())


def hiding(request: ExecuteRequest, secrets: Sequence[str]) -> ExecuteRequest:
    """The request, with each value in which one of the secrets stands being secret as well.

    The called runbook may declare it as something else.
    """
    if not secrets or not isinstance(request.env_vars, Mapping):
        return request
    masker = Masker(secrets)
    holding = {
        name
        for name, value in request.env_vars.items()
        if isinstance(name, str) and (value in secrets or masker.mask_value(value) != value)
    }
    return dataclasses.replace(request, secrets=request.secrets | holding)


def chains_of(parent: Run | None, request: ExecuteRequest) -> list[tuple[str, ...]]:
    """What the run's token proves and what the header says: either may refuse."""
    chains = [parent.tree.chain] if parent else []
    if request.recursion_stack and request.recursion_stack not in chains:
        chains.append(request.recursion_stack)
    return chains
