"""Names of variables that look like secrets. Lint and the web app's form both go by this list."""

from __future__ import annotations

import re

from runbook.core.document import Input

_WORDS = frozenset(
    {"PASS", "PASSWORDS", "PWD", "PAT", "PIN", "CRED", "CREDS", "CREDENTIALS", "SECRETS", "TOKENS"}
)
"""Whole words, as in `DB_PASS`."""
_ENDS = (
    *("PASSWORD", "PASSWD", "PASSPHRASE", "PASSCODE", "SECRET", "TOKEN", "CREDENTIAL"),
    *("APIKEY", "ACCESSKEY", "SECRETKEY", "PRIVATEKEY", "SSHKEY", "DBPASS", "DBPWD"),
)
"""Ends of words, as in `PGPASSWORD`."""
_OPEN_KEYS = frozenset(
    {"PUBLIC", "PRIMARY", "FOREIGN", "PARTITION", "SORT", "ORDER", "GROUP", "INDEX", "LOOKUP"}
    | {"ROW", "HASH", "CACHE", "ROUTING", "OBJECT", "PROJECT", "ISSUE", "ITEM", "JSON", "MAP"}
    | {"REGISTRY", "PUB", "SHORTCUT", "TRANSLATION", "LABEL", "TAG"}
)
"""What stands before `KEY` in the name of a key that anyone may see."""
_ABOUT = frozenset(
    {"FILE", "PATH", "DIR", "FOLDER", "NAME", "TYPE", "URL", "POLICY", "LENGTH", "SIZE", "COUNT"}
    | {"MIN", "MAX", "TTL", "AGE", "EXPIRY", "SECONDS", "MINUTES", "HOURS", "DAYS", "ENABLED"}
)
"""Last words of names that describe a secret, as in `TOKEN_TTL`."""


def looks_secret(name: str) -> bool:
    """Whether a variable's name looks like a secret's."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper().split("_")
    words = [word.rstrip("0123456789") for word in words]
    words = [word for word in words if word] or [""]
    if words[-1] in _ABOUT:
        return False
    if words[-1] == "KEY":
        return not _OPEN_KEYS.intersection(words)
    return any(word in _WORDS or word.endswith(_ENDS) for word in words)


def is_sensitive(item: Input) -> bool:
    """Whether an input's value is a secret, or may be one by its name.

    A type other than `secret` says that it is none; the short form has no type.
    """
    return item.secret or (not item.typed and looks_secret(item.name))
