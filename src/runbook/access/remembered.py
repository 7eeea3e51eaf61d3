"""Remembers which tokens were verified, so that a client's next requests cost less."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from runbook.quick_dataclass import dataclass

LEEWAY_SECONDS = 10
"""By how much clocks may differ, in seconds."""
MOST_TOKENS = 1024


@dataclass(frozen=True, slots=True)
class _Verified:
    claims: Mapping[str, Any]
    since: float
    until: float


class RememberedTokens:
    """The claims of tokens that one key has signed, until they expire. Thread-safe.

    Keeps digests, not tokens. If the clock is set back to before a token's verification, the
    token is unknown again.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: OrderedDict[bytes, _Verified] = OrderedDict()

    def get(self, token: str) -> Mapping[str, Any] | None:
        key, now = _key(token), self._clock()
        with self._lock:
            found = self._tokens.get(key)
            if found is None:
                return None
            if found.since <= now < found.until:
                self._tokens.move_to_end(key)
                return found.claims
            del self._tokens[key]
            return None

    def add(self, token: str, claims: Mapping[str, Any]) -> None:
        """Remember a token that has just been verified, with its claims."""
        verified = _Verified(claims, self._clock(), int(claims["exp"]) + LEEWAY_SECONDS)
        with self._lock:
            self._tokens[_key(token)] = verified
            if len(self._tokens) > MOST_TOKENS:
                self._tokens.popitem(last=False)


def _key(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
