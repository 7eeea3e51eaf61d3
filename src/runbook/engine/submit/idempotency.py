"""What a caller ties a request to: the document that it has read, and an Idempotency-Key."""

from __future__ import annotations

import json

from runbook.core.access import Principal
from runbook.core.reruns import diff_texts
from runbook.core.run import Relation, Run
from runbook.engine.requests import ExecuteRequest, Submitted
from runbook.engine.sealing import Sealer
from runbook.engine.submit.attempt import Attempt
from runbook.engine.submit.concealment import Concealer, values_given_again
from runbook.errors import DocumentChangedError
from runbook.store.models import IdempotencyKey
from runbook.store.store import Store


def idempotency_of(attempt: Attempt, sealer: Sealer) -> IdempotencyKey | None:
    """The caller's key with a digest of the request: a key is refused for any other request."""
    if attempt.rerun is not None:
        return attempt.rerun.key
    return _key(attempt.principal, attempt.request, sealer, attempt.concealer, (attempt.new.ref,))


def rerun_key(
    principal: Principal,
    request: ExecuteRequest,
    sealer: Sealer,
    relation: Relation,
    run: Run,
    start: str | None = None,
) -> IdempotencyKey | None:
    """The key of a retry, resume or undo of `run`, with a digest of what the caller sent.

    Not of what it leads to: once the rerun exists, the same request may lead to something else.
    """
    concealer = Concealer(values_given_again(request, run))
    return _key(principal, request, sealer, concealer, (run.ref, relation, run.id, start))


def replay(store: Store, key: IdempotencyKey | None) -> Submitted | None:
    """The run that the same request has created already. Raises IdempotencyKeyReusedError."""
    run = store.runs.created_by(key)
    return None if run is None else Submitted(run, replayed=True)


def _key(
    principal: Principal,
    request: ExecuteRequest,
    sealer: Sealer,
    concealer: Concealer,
    subject: tuple[str | None, ...],
) -> IdempotencyKey | None:
    """The digest covers secrets, so only the server can make it: nobody can try values with it.

    A key that contains a secret is stored as such a digest, too.
    """
    key = request.idempotency_key
    if key is None:
        return None
    ref, *earlier = subject
    what = [request.env_vars, request.reason, request.confirm, request.dry_run]
    read = [request.digest] if request.digest is not None else []
    asked = json.dumps([ref, *what, *earlier, *read], sort_keys=True)
    # Each run's script has keys of its own, so that it never gets another tree's run.
    caller = f"run:{principal.run_id}" if principal.run_id else principal.subject
    kept = sealer.digest(key) if concealer.holds(key) else key
    return IdempotencyKey(caller, kept, sealer.digest(asked))


def check_read(store: Store, sealer: Sealer, attempt: Attempt) -> None:
    """Raises DocumentChangedError if the runbook is not the version that the caller has read.

    Except when this very request has created its run already: repeating it answers that run.
    """
    wanted, entry = attempt.request.digest, attempt.entry
    current = entry.document.digest
    # The key's digest covers all inputs, so it is computed only if the documents differ.
    if wanted is None or wanted == current or replay(store, idempotency_of(attempt, sealer)):
        return
    read = store.documents.get(wanted)
    details: dict[str, object] = {"current_digest": current}
    if read is not None:
        details["diff"] = diff_texts(_text(read.content), _text(entry.head))
    raise DocumentChangedError(
        f"Runbook {entry.ref} has changed since you read it, so nothing was started. "
        "Read the current version, then try again.",
        **details,
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
