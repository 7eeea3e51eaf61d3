"""The claims of a token: what they say, as lists of text."""

from __future__ import annotations

from collections.abc import Mapping


def claim_values(value: object) -> tuple[str, ...]:
    """A claim's values: the items of a list of strings, or of a comma-separated string.

    Numbers and booleans count as their JSON text; nested values are ignored.
    """
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    if isinstance(value, bool):
        return ("true" if value else "false",)
    if isinstance(value, int | float):
        return (str(value),)
    if isinstance(value, list | tuple):
        return tuple(item.strip() for item in value if isinstance(item, str) and item.strip())
    return ()


def roles_of(claims: Mapping[str, object]) -> tuple[str, ...]:
    return claim_values(claims.get("roles"))
