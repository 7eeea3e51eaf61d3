"""Lists that arrive in pages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runbook.cli.source.protocol import Json

PAGE = 200


def collect_pages(
    fetch: Callable[[Any, int], Json], member: str, limit: int
) -> tuple[list[Json], Any]:
    """Fetch pages until there are `limit` items. Returns the items and the next page's cursor.

    `fetch` takes a cursor and a size; `member` names the items in its answer.
    """
    found: list[Json] = []
    cursor = None
    while len(found) < limit:
        page = fetch(cursor, min(PAGE, limit - len(found)))
        found += page[member]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return found, cursor
