"""Whether a run that ends is to be recovered, by the policy in the document that it executed."""

from __future__ import annotations

from runbook import log
from runbook.core.document import Problem, warning
from runbook.core.language.parse import parse_stored
from runbook.core.outcome import Outcome
from runbook.core.recovery.rule import Recovery
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.errors import StoreBusyError, StoreUnavailableError
from runbook.store.store import Store

KEY = b"recover"


def recovery_of(store: Store, run: Run, outcome: Outcome) -> Recovery | None:
    """None if nothing is left half done, or nothing is to be done about it.

    Only a run that has started leaves anything. Raises StoreBusyError and StoreUnavailableError:
    whatever else is wrong, the run must end.
    """
    if outcome.status is RunStatus.SUCCEEDED or run.times.started_at is None:
        return None
    if run.request.dry_run or run.relation is Relation.RECOVERY:
        return None
    try:
        rule = _rule(store, run.runbook.digest)
    except (StoreBusyError, StoreUnavailableError):
        raise
    except Exception:  # noqa: BLE001 - a damaged record, or a fault of ours
        log.failure("recovery.unknown", run_id=run.id, runbook=run.ref)
        return None
    return None if rule is None or outcome.return_code in rule.unless else rule


def _rule(store: Store, digest: str) -> Recovery | None:
    stored = store.documents.get(digest)
    if stored is None or KEY not in stored.content:  # to parse it takes milliseconds
        return None
    runbook = parse_stored(stored.content).runbook
    return None if runbook is None else runbook.policy.recover


def planned(rule: Recovery) -> Problem:
    """The warning of a run that says so."""
    text = f"{rule.ref} will be executed to end what this run may have left half done"
    return warning("recovery_planned", text, runbook=rule.ref)
