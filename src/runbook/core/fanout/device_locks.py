"""The lock of a device: whatever works on it takes it, so that nothing else does so at once."""

from __future__ import annotations

from runbook.core.fanout.limits import WhenBusy
from runbook.core.run import LockRequest, LockWant

DEVICE_LOCK = "device:"
"""Prefix of these locks. A runbook takes one by `locks: device:${ROUTER}` in its Policy."""


def device_lock(device: str, when_busy: WhenBusy) -> LockRequest:
    return LockRequest((LockWant(f"{DEVICE_LOCK}{device}"),), waits=when_busy is WhenBusy.WAIT)


def device_locks_of(request: LockRequest | None) -> LockRequest | None:
    """Those of a request's locks that are of devices. A rerun waits for them."""
    wants = request.wants if request is not None else ()
    found = tuple(want for want in wants if want.name.startswith(DEVICE_LOCK))
    return LockRequest(found) if found else None


def with_locks(own: LockRequest | None, more: LockRequest | None) -> LockRequest | None:
    """Both requests in one. It waits only if both do."""
    if own is None or more is None:
        return own or more
    known = {want.name for want in own.wants}
    added = tuple(want for want in more.wants if want.name not in known)
    return LockRequest(own.wants + added, waits=own.waits and more.waits)
