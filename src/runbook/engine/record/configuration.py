"""Records changes of settings and keys since the last start."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping

from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.quick_dataclass import dataclass
from runbook.store.audit import Audit

FINGERPRINT_DIGITS = 16
Values = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The configuration at a server's start: settings as shown, and fingerprints of secrets.

    `host` keeps several servers of one database apart.
    """

    host: str
    settings: Values
    keys: Values


def fingerprint(secret: bytes, key: bytes) -> str:
    """Tells whether a secret changed. Says nothing about it to those who don't have the key."""
    return hmac.new(key, secret, hashlib.sha256).hexdigest()[:FINGERPRINT_DIGITS]


def record_configuration(audit: Audit, started: Configuration) -> None:
    """Record which settings and keys changed since this host's last start; all at the first."""
    pairs = (
        (AuditAction.SETTINGS_CHANGE, TargetKind.SETTINGS, started.settings),
        (AuditAction.KEY_CHANGE, TargetKind.KEY, started.keys),
    )
    for action, kind, now in pairs:
        last = audit.last(action, started.host)
        before = {} if last is None else dict(_values(last.details.get("now")))
        if before != now:
            details = {"changed": sorted(_changed(before, now)), "before": before, "now": dict(now)}
            audit.record(NewAuditEvent(SYSTEM, action, Target(kind, started.host), details))


def _changed(before: Values, now: Values) -> set[str]:
    return {name for name in before.keys() | now.keys() if before.get(name) != now.get(name)}


def _values(found: object) -> Values:
    return found if isinstance(found, Mapping) else {}
