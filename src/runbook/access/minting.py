"""Signs the tokens of running scripts.

Every run gets one and few use it. PyJWT, which verifies them (see tokens.py), takes longer to
import than a short script takes to run, so this module does without it.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Mapping

RUN_ISSUER = "runbook-engine"
RUN_AUDIENCE = "runbook-run"
RUN_ALGORITHM = "HS256"
REGISTERED = frozenset({"iss", "aud", "exp", "nbf", "iat", "jti", "run_id"})


def mint_run_token(key: bytes, run_id: str, subject: str, claims: Mapping[str, object]) -> str:
    """A token for the script of run `run_id`, with the caller's claims, signed with `key`."""
    kept = {name: value for name, value in claims.items() if name not in REGISTERED}
    payload = kept | {
        "sub": subject,
        "iss": RUN_ISSUER,
        "aud": RUN_AUDIENCE,
        "iat": int(time.time()),
        "run_id": run_id,
    }
    signed = f"{_part({'alg': RUN_ALGORITHM, 'typ': 'JWT'})}.{_part(payload)}"
    return f"{signed}.{_signature(key, signed)}"


def has_signed(key: bytes, token: str) -> bool:
    """Whether `key` signed the token. Cheap, because each caller's token is asked first."""
    signed, _, signature = token.rpartition(".")
    try:
        return hmac.compare_digest(_signature(key, signed).encode(), signature.encode())
    except UnicodeEncodeError:  # no text of ours
        return False


def _signature(key: bytes, signed: str) -> str:
    return _encoded(hmac.digest(key, signed.encode(), hashlib.sha256))


def _part(value: Mapping[str, object]) -> str:
    return _encoded(json.dumps(value, separators=(",", ":")).encode())


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
