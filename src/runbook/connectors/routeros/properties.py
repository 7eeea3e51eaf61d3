"""What the names of properties say of their values."""

from __future__ import annotations

import re

_SECRET = re.compile(
    r"(?:.+-)?(?:password|passwd|secret|passphrase|key)|static-key-\d|community|cak|pin"
)


def is_secret(name: str) -> bool:
    """Whether a property's value is a password or a key, which is not to be shown or recorded."""
    last = name.rpartition(".")[2]
    return _SECRET.fullmatch(last) is not None and not last.endswith("public-key")
