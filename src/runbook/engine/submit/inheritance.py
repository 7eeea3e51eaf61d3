"""What a called run inherits from its caller: secrets to mask, and the call chain."""

from __future__ import annotations

from runbook.core.access import Principal
from runbook.core.run import Run
from runbook.engine.parts import Parts
from runbook.engine.requests import ExecuteRequest
from runbook.engine.submit.concealment import Concealer


def secrets_of(parts: Parts, caller: Run | None) -> tuple[str, ...]:
    """All values that the calling run masks; none without one."""
    sealed = parts.store.runs.sealed(caller.id) if caller is not None else None
    if caller is None or sealed is None:
        return ()
    return tuple(parts.sealer.open(sealed, caller.id).secret_values())


def masked_for(parts: Parts, principal: Principal, text: str) -> str:
    """A text from a script without the secrets of its run; other callers' as it is."""
    run = parts.store.runs.get(principal.run_id) if principal.run_id else None
    return Concealer(secrets_of(parts, run)).text(text)


def chains_of(parent: Run | None, request: ExecuteRequest) -> list[tuple[str, ...]]:
    """The call chains of the run's token and of the request's header: both are checked."""
    chains = [parent.tree.chain] if parent else []
    if request.recursion_stack and request.recursion_stack not in chains:
        chains.append(request.recursion_stack)
    return chains
