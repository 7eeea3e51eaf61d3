"""What a caller binds a request to: the document that it has read, and an Idempotency-Key."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from runbook.core.access import Principal
from runbook.core.reruns import diff_texts
from runbook.engine.requests import ExecuteRequest
from runbook.errors import DocumentChangedError
from runbook.library.catalog import Entry
from runbook.store.models import IdempotencyKey, NewRun
from runbook.store.store import Store

KeyOf = Callable[[], IdempotencyKey | None]


def idempotency_of(
    new: NewRun, principal: Principal, request: ExecuteRequest
) -> IdempotencyKey | None:
    """The caller's key, bound to what was asked: the same key with another request is refused."""
    if request.idempotency_key is None:
        return None
    what = [request.env_vars, request.reason, request.confirm, request.dry_run]
    rerun = new.rerun_of
    follows = [rerun.relation, rerun.run_id, rerun.start_step] if rerun else []
    read = [request.digest] if request.digest is not None else []
    asked = json.dumps([new.ref, *what, *follows, *read], sort_keys=True)
    # A script's keys are its run's own: another tree of the same caller must not see this one's.
    caller = f"run:{principal.run_id}" if principal.run_id else principal.subject
    return IdempotencyKey(
        caller, request.idempotency_key, hashlib.sha256(asked.encode()).hexdigest()
    )


def check_read(
    store: Store, entry: Entry, request: ExecuteRequest, key_of: KeyOf | None = None
) -> None:
    """Raises DocumentChangedError where the runbook is not the one that the caller has read.

    Nor is it where that very request has made its run already: asking again answers that one.
    """
    current = entry.document.digest
    if request.digest is None or request.digest == current:
        return
    # The key's digest is over all inputs: it is made here only where it decides.
    if key_of is not None and store.runs.is_known(key_of()):
        return
    read = store.documents.get(request.digest)
    details: dict[str, object] = {"current_digest": current}
    if read is not None:
        details["diff"] = diff_texts(_text(read.content), _text(entry.head))
    raise DocumentChangedError(
        f"The runbook {entry.ref} has changed since it was read: nothing was started. "
        "Read what it is now, then ask again.",
        **details,
    )


def _text(content: bytes) -> str:
    return content.decode("utf-8", "replace")
