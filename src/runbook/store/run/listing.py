"""Reads pages of runs, newest first, and their cursors.

No page takes longer because more runs are stored. If most runs match, those of a page are among
the latest, so these are looked at first. If not, indexes find them: see `sources`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass, replace

import sqlalchemy as sa

from runbook.core.run import Run
from runbook.core.status import ACTIVE
from runbook.errors import RequestError
from runbook.store.dialects.portable import is_remote, one_of, unindexed
from runbook.store.models import RunFilter, Visibility
from runbook.store.reading import ACTIVE_STATUSES, RUN_COLUMNS, runs_of
from runbook.store.run.sources import CANDIDATE, Condition, Source, Sources, Span
from runbook.store.run.text import contains, sources_of_text
from runbook.store.tables import runs

# How many runs are looked at first.
LATEST = 2000
# Without looking at the latest runs, if the keys to look for are not more.
FEW_KEYS = 50
# Clocks differ and are set: as many runs may be numbered as if created at another time.
MIXED_UP = 500
_ALL = Span(1, 2**63 - 1)
_LAST = sa.select(sa.func.max(runs.c.seq))
_ACTIVE = (CANDIDATE.c.finished_at.is_(None), CANDIDATE.c.status.in_(ACTIVE_STATUSES))


def read_page(
    connection: sa.Connection, wanted: RunFilter, cursor: str | None, size: int
) -> list[Run]:
    """The matching runs after the cursor. Raises RequestError for a bad cursor."""
    span = _ALL if cursor is None else replace(_ALL, before=_seq_of(cursor))
    if wanted.since is None and wanted.until is None:
        return _Page(connection, wanted, span, size).runs()
    moments = _created(connection, wanted)
    if moments is None:
        return []
    span = Span(moments.span.first, min(moments.span.before, span.before))
    return _Page(connection, wanted, span, size, few_in_time=moments.few).runs()


@dataclass(frozen=True, slots=True)
class _Page:
    connection: sa.Connection
    wanted: RunFilter
    span: Span
    size: int
    few_in_time: bool = False
    """Whether few runs were created in the wanted time."""

    def runs(self) -> list[Run]:
        if self._may_have_many_keys():
            latest = self._latest()
            found = self._fetch([self._sources(latest).newest()])
            if len(found) == self.size or latest.first <= self.span.first:
                return found
        return self._fetch(list(self._all_sources()))

    def _may_have_many_keys(self) -> bool:
        wanted = self.wanted
        if self.few_in_time or wanted.ids is not None or wanted.parent_id is not None or wanted.root_id is not None:
            return False
        if wanted.text:
            return True
        if _only_active(wanted) or wanted.relation is not None or wanted.dry_run:
            return False
        keys = 1 if wanted.subject is not None else len(wanted.refs or wanted.visible.refs)
        return keys * max(1, len(wanted.statuses)) > FEW_KEYS

    def _latest(self) -> Span:
        last = self.connection.scalar(_LAST) or 0
        before = min(self.span.before, last + 1)
        return Span(max(self.span.first, before - LATEST), before)

    def _sources(self, span: Span) -> Sources:
        conditions = (*_visible(self.wanted.visible), *_conditions(self.wanted))
        return Sources(span, self.size, conditions, remote=is_remote(self.connection))

    def _all_sources(self) -> Iterator[Source]:
        """Together, all that match."""
        wanted, sources = self.wanted, self._sources(self.span)
        if wanted.ids is not None:
            yield sources.few(one_of(CANDIDATE.c.id, wanted.ids))
        elif wanted.parent_id is not None:
            yield sources.few(CANDIDATE.c.parent_id == wanted.parent_id)
        elif wanted.root_id is not None:
            yield sources.few(CANDIDATE.c.root_id == wanted.root_id)
            yield sources.few(CANDIDATE.c.id == wanted.root_id)
        elif self.few_in_time:
            yield sources.few(*_in_time(wanted))
        elif _only_active(wanted):
            yield sources.few(*_ACTIVE)
        else:
            if wanted.statuses & ACTIVE:
                yield sources.few(*_ACTIVE)
            yield from self._of_ended(sources)

    def _of_ended(self, sources: Sources) -> Iterator[Source]:
        """Those that ended with a wanted status; all, if the status does not matter."""
        wanted = self.wanted
        if wanted.statuses:
            sources = replace(sources, ended=sorted(wanted.statuses - ACTIVE))
        if wanted.text:
            yield from sources_of_text(self.connection, wanted.text, sources)
        elif wanted.relation is not None:
            yield sources.newest(CANDIDATE.c.relation == wanted.relation)
        elif wanted.dry_run:
            yield sources.newest(CANDIDATE.c.dry_run.is_(True))
        elif wanted.refs is not None:
            yield from sources.having_one_of(CANDIDATE.c.ref, wanted.refs)
        elif wanted.subject is not None:
            yield from sources.having(CANDIDATE.c.subject, wanted.subject)
        elif wanted.visible.everything:
            yield from sources.of_all()
        else:
            yield from self._of_visible(replace(sources, conditions=_conditions(wanted)))

    def _of_visible(self, sources: Sources) -> Iterator[Source]:
        visible = self.wanted.visible
        yield from sources.having_one_of(CANDIDATE.c.ref, visible.refs)
        if visible.subject is not None:
            yield from sources.having(CANDIDATE.c.subject, visible.subject)

    def _fetch(self, sources: list[Source]) -> list[Run]:
        """The newest of all that the sources find."""
        if not sources:
            return []
        found = sources[0]
        if len(sources) > 1:
            each = sa.union_all(*(sa.select(one.subquery().c.seq) for one in sources)).subquery()
            found = sa.select(each.c.seq).distinct().order_by(each.c.seq.desc()).limit(self.size)
        page = sa.select(*RUN_COLUMNS).where(runs.c.seq.in_(found)).order_by(runs.c.seq.desc())
        return runs_of(self.connection.execute(page.limit(self.size)))


@dataclass(frozen=True, slots=True)
class _Moments:
    """The numbers of the runs created in a time, and whether they are few."""

    span: Span
    few: bool


def _created(connection: sa.Connection, wanted: RunFilter) -> _Moments | None:
    """None if no run was created in the wanted time."""
    created, seq = CANDIDATE.c.created_at, CANDIDATE.c.seq
    in_time = sa.select(seq).where(*_in_time(wanted)).limit(MIXED_UP)
    ends = [in_time.order_by(order).subquery() for order in (created, created.desc())]
    both = sa.union_all(*(sa.select(end.c.seq) for end in ends)).subquery()
    found = sa.select(sa.func.min(both.c.seq), sa.func.max(both.c.seq), sa.func.count())
    first, last, count = connection.execute(found.select_from(both)).one()
    return None if first is None else _Moments(Span(first, last + 1), count < 2 * MIXED_UP)


def _in_time(wanted: RunFilter) -> Iterator[Condition]:
    if wanted.since is not None:
        yield CANDIDATE.c.created_at >= wanted.since
    if wanted.until is not None:
        yield CANDIDATE.c.created_at < wanted.until


def _only_active(wanted: RunFilter) -> bool:
    return wanted.active is True or (bool(wanted.statuses) and wanted.statuses <= ACTIVE)


def _conditions(wanted: RunFilter) -> tuple[Condition, ...]:
    """What is wanted, besides being visible, without indexes."""
    candidate = {column.name: unindexed(column) for column in CANDIDATE.c}
    conditions = [
        one_of(candidate[name], values)
        for name, values in (("id", wanted.ids), ("ref", wanted.refs))
        if values is not None
    ]
    if wanted.statuses:
        conditions.append(candidate["status"].in_(sorted(wanted.statuses)))
    if wanted.since is not None:
        conditions.append(candidate["created_at"] >= wanted.since)
    if wanted.until is not None:
        conditions.append(candidate["created_at"] < wanted.until)
    for name in ("subject", "parent_id", "relation", "dry_run"):
        value = getattr(wanted, name)
        if value is not None:
            conditions.append(candidate[name] == value)
    if wanted.root_id is not None:
        root = wanted.root_id
        conditions.append(sa.or_(candidate["root_id"] == root, candidate["id"] == root))
    if wanted.text:
        conditions.append(contains(wanted.text))
    if wanted.active is not None:
        ended = candidate["finished_at"].is_not(None)
        conditions.append(~ended if wanted.active else ended)
    return tuple(conditions)


def _visible(visible: Visibility) -> tuple[Condition, ...]:
    if visible.everything:
        return ()
    subject = unindexed(CANDIDATE.c.subject)
    mine = [] if visible.subject is None else [subject == visible.subject]
    return (sa.or_(one_of(unindexed(CANDIDATE.c.ref), visible.refs), *mine),)


def cursor_of(run: Run) -> str:
    return base64.urlsafe_b64encode(str(run.seq).encode()).decode().rstrip("=")


def _seq_of(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        seq = int(base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (ValueError, binascii.Error):
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.") from None
    if not 0 <= seq < 2**63:
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.")
    return seq
