"""Which host keys are to be trusted anew, after SSH servers have shown theirs."""

from __future__ import annotations

from collections.abc import Callable

from runbook.core.ssh.host_key import HostAddress, HostKey, Retrusted, ShownKey
from runbook.engine.connections.asking import Answer

NOT_IT = "host_key"
NONE_SHOWN = "no_host_keys"


def retrusted(
    answer: Answer, expected: Callable[[HostAddress], HostKey | None], fingerprint: str | None
) -> Retrusted:
    """With `fingerprint`, a key that has changed must be this one."""
    if not answer.ok:
        return Retrusted(False, answer.code, answer.message)
    shown = []
    for address, key in answer.host_keys.items():
        known = expected(address)
        shown.append(ShownKey(address, key, known.key if known else None))
    if not shown:
        text = "The connection has no host keys to trust: it pins them, or uses no SSH"
        return Retrusted(False, NONE_SHOWN, text)
    for one in shown:
        if fingerprint and one.is_changed and one.key.fingerprint != fingerprint:
            text = f"{one.address} shows {one.key.fingerprint}, not {fingerprint}. Nothing changed"
            return Retrusted(False, NOT_IT, text)
    changed = [one for one in shown if one.is_changed]
    text = "; ".join(map(_told, changed)) or "The host keys are those that are trusted already"
    return Retrusted(True, None, text, tuple(shown))


def _told(one: ShownKey) -> str:
    before = f" instead of {one.before.fingerprint}" if one.before else ""
    return f"{one.address} is trusted with {one.key.fingerprint}{before}"
