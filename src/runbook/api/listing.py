"""The list of runbooks as bytes, cached until something in it changes."""

from __future__ import annotations

import threading
from collections import OrderedDict

import orjson
from werkzeug.http import generate_etag

from runbook.core.access import Principal
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter
from runbook.engine.engine import Engine
from runbook.engine.requests import Listed
from runbook.quick_dataclass import dataclass
from runbook.resources.runbook import (
    ListedRunbookJson,
    RunbookListJson,
    listed_json,
    match_json,
)

KEPT_BODIES = 16


@dataclass(frozen=True, slots=True)
class Body:
    """A list as JSON, with its ETag: digesting it takes longer than the rest of a cached reply."""

    content: bytes
    etag: str


class Listings:
    """A cache of the latest bodies of GET /api/runbooks, shared by callers with equal access."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bodies: OrderedDict[tuple[object, ...], Body] = OrderedDict()

    def body(
        self, engine: Engine, principal: Principal, wanted: RunbookFilter = ALL_RUNBOOKS
    ) -> Body:
        """The list, from the cache; with a filter, the matching runbooks, not cached."""
        if not wanted:
            return self._kept(engine, principal)
        show = _found if wanted.text else _listed
        return _body([show(item) for item in engine.runbooks.listing(principal, wanted)])

    def _kept(self, engine: Engine, principal: Principal) -> Body:
        key = (*engine.runbooks.listing_version(), *principal.access_key)
        with self._lock:
            if key in self._bodies:
                self._bodies.move_to_end(key)
                return self._bodies[key]
        body = _body([_listed(item) for item in engine.runbooks.listing(principal)])
        with self._lock:
            self._bodies[key] = body
            while len(self._bodies) > KEPT_BODIES:
                self._bodies.popitem(last=False)
        return body


def _listed(item: Listed) -> ListedRunbookJson:
    return listed_json(item.entry, item.decision, item.last_run)


def _found(item: Listed) -> ListedRunbookJson:
    listed = _listed(item)
    listed["match"] = match_json(item.match)
    return listed


def _body(runbooks: list[ListedRunbookJson]) -> Body:
    body: RunbookListJson = {"success": True, "runbooks": runbooks}
    content = orjson.dumps(body)
    return Body(content, generate_etag(content))
