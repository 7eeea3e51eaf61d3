"""Reads pages of runs, newest first, and their cursors.

No page takes longer because more runs are stored. If most runs match, those of a page are among
the latest, so these are looked at first. Otherwise, indexes find them: see `sources`.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import sqlalchemy as sa

from runbook.core.run import Run
from runbook.core.status import ACTIVE
from runbook.errors import RequestError
from runbook.quick_dataclass import dataclass
from runbook.store.conditions import ACTIVE_STATUSES
from runbook.store.dialects.portable import is_remote, one_of, planned_anew
from runbook.store.models import EVERYTHING, RunFilter
from runbook.store.reading import RUN_COLUMNS, dicts_of, run_of
from runbook.store.run.filtering import conditions_of, in_time
from runbook.store.run.sources import CANDIDATE, Source, Sources, Span
from runbook.store.run.text import Texts, texts_with
from runbook.store.tables import runs

# How many runs are looked at first.
LATEST = 1000
# Without looking at the latest runs, if there are no more keys to look up.
FEW_KEYS = 10
# Clocks differ and are set: as many runs may be numbered as if created at another time.
MIXED_UP = 500
Row = dict[str, Any]
_ALL = Span(1, 2**63 - 1)
_LAST = sa.select(sa.func.max(runs.c.seq))
_ACTIVE = (CANDIDATE.c.finished_at.is_(None), CANDIDATE.c.status.in_(ACTIVE_STATUSES))


def read_page(
    connection: sa.Connection, wanted: RunFilter, cursor: str | None, size: int
) -> list[Run]:
    """The matching runs after the cursor. Raises RequestError for a bad cursor."""
    return [run_of(row) for row in read_rows(connection, wanted, cursor, size, RUN_COLUMNS)]


def read_rows(
    connection: sa.Connection,
    wanted: RunFilter,
    cursor: str | None,
    size: int,
    columns: Sequence[sa.ColumnElement[Any]],
) -> Sequence[Row]:
    """These columns of the matching runs; ignores the filter's `inputs`.

    Raises RequestError for a bad cursor.
    """
    span = _ALL if cursor is None else replace(_ALL, before=_seq_of(cursor))
    if wanted.text is not None and "\0" in wanted.text:  # SQLite would ignore what follows it
        return []
    with planned_anew(connection):
        if wanted.since is None and wanted.until is None:
            return _Page(connection, wanted, span, size, columns).rows()
        moments = _created(connection, wanted)
        if moments is None:
            return []
        span = Span(moments.span.first, min(moments.span.before, span.before))
        return _Page(connection, wanted, span, size, columns, few_in_time=moments.few).rows()


@dataclass(frozen=True, slots=True)
class _Page:
    connection: sa.Connection
    wanted: RunFilter
    span: Span
    size: int
    columns: Sequence[sa.ColumnElement[Any]]
    few_in_time: bool = False
    """Whether few runs were created in the wanted time."""
    texts: Texts | None = None

    def rows(self) -> list[Row]:
        if self.wanted.device is not None:
            sources = self._sources(self.span, self.size, self.wanted)
            return self._read(sources.of_device(self.wanted.device))
        if not self._has_many_keys():
            return self.found()
        latest = self._latest()
        found = self._read(self._sources(latest, self.size, self.wanted).newest())
        if len(found) == self.size or latest.first <= self.span.first:
            return found
        page = self
        if self.wanted.text:
            page = replace(self, texts=texts_with(self.connection, self.wanted.text))
            if page.texts is not None and page.texts.keys <= FEW_KEYS:
                return page.found()
        return replace(page, span=page.narrowed()).found()

    def _has_many_keys(self) -> bool:
        """Whether indexes are to be asked about more than a few runbooks or statuses."""
        wanted = self.wanted
        if self._is_of_few():
            return False
        if wanted.text:
            return True
        if wanted.subject is not None and wanted.refs is None:
            return False
        refs = wanted.visible.refs if wanted.refs is None else wanted.refs
        return len(refs) * max(1, len(wanted.statuses)) > FEW_KEYS

    def _is_of_few(self) -> bool:
        wanted = self.wanted
        given = (wanted.ids, wanted.parent_id, wanted.root_id, wanted.relation, wanted.purpose)
        special = any(value is not None for value in given) or wanted.dry_run is True
        return special or self.few_in_time or _is_of_active(wanted)

    def _latest(self) -> Span:
        last = self.connection.scalar(_LAST) or 0
        before = min(self.span.before, last + 1)
        return Span(max(self.span.first, before - LATEST), before)

    def narrowed(self) -> Span:
        """The span without runs older than a page of those that are the newest of each key."""
        newest = self._newest_of(self._all_sources(size=1))
        seqs = [] if newest is None else self.connection.scalars(newest).all()
        return self.span if len(seqs) < self.size else replace(self.span, first=seqs[-1])

    def found(self) -> list[Row]:
        newest = self._newest_of(self._all_sources(self.size))
        return [] if newest is None else self._read(newest)

    def _newest_of(self, sources: Iterable[Source]) -> Source | None:
        """The newest of all that the sources find, a page; None without any source."""
        each = [sa.select(source.subquery().c.seq) for source in sources]
        if not each:
            return None
        found = (each[0] if len(each) == 1 else sa.union(*each)).subquery()
        return sa.select(found.c.seq).order_by(found.c.seq.desc()).limit(self.size)

    def _read(self, found: Source) -> list[Row]:
        page = sa.select(*self.columns).where(runs.c.seq.in_(found)).order_by(runs.c.seq.desc())
        return dicts_of(self.connection.execute(page))

    def _sources(self, span: Span, size: int, wanted: RunFilter) -> Sources:
        return Sources(span, size, conditions_of(wanted), remote=is_remote(self.connection))

    def _all_sources(self, size: int) -> Iterator[Source]:
        """Together, they find all that match."""
        wanted, sources = self.wanted, self._sources(self.span, size, self.wanted)
        if wanted.ids is not None:
            yield sources.few(one_of(CANDIDATE.c.id, wanted.ids))
        elif wanted.parent_id is not None:
            yield sources.few(CANDIDATE.c.parent_id == wanted.parent_id)
        elif wanted.root_id is not None:
            yield sources.few(CANDIDATE.c.root_id == wanted.root_id)
            yield sources.few(CANDIDATE.c.id == wanted.root_id)
        elif self.few_in_time:
            yield sources.few(*in_time(wanted))
        elif _is_of_active(wanted):
            yield sources.few(*_ACTIVE)
        elif wanted.purpose is not None:
            yield sources.newest(CANDIDATE.c.purpose == wanted.purpose.value)
        elif wanted.relation is not None:
            yield sources.newest(CANDIDATE.c.relation == wanted.relation)
        elif wanted.dry_run:
            yield sources.newest(CANDIDATE.c.dry_run.is_(True))
        else:
            if wanted.statuses & ACTIVE:
                yield sources.few(*_ACTIVE)
            yield from self._others(size)

    def _others(self, size: int) -> Iterator[Source]:
        """By status, if that is wanted, of runs that ended; conditions need not repeat the key."""
        wanted = replace(self.wanted, statuses=frozenset(), text=None)
        if self.texts is not None:
            yield from self._of_texts(size, wanted, self.texts)
        elif wanted.refs is not None:
            yield from self._of_refs(size, wanted, wanted.refs)
        elif wanted.subject is not None:
            sources = self._by_status(size, replace(wanted, subject=None))
            yield from sources.having(CANDIDATE.c.subject, wanted.subject)
        elif wanted.visible.everything:
            yield from self._by_status(size, wanted).of_all()
        else:
            yield from self._of_refs(size, wanted, wanted.visible.refs)

    def _of_texts(self, size: int, wanted: RunFilter, texts: Texts) -> Iterator[Source]:
        for found, text in ((texts.whole, None), (texts.partly, texts.text)):
            refs = found if wanted.refs is None else found & wanted.refs
            if refs:
                yield from self._of_refs(size, replace(wanted, refs=refs, text=text), refs)
        others = self._sources(self.span, size, replace(self.wanted, text=None))
        yield from texts.other_sources(self.connection, others)

    def _of_refs(self, size: int, wanted: RunFilter, refs: frozenset[str]) -> Iterator[Source]:
        """Those of the refs that are visible, and the caller's own ones of the others."""
        visible = wanted.visible
        sources = self._by_status(size, replace(wanted, visible=EVERYTHING, refs=None))
        yield from sources.having_one_of(
            CANDIDATE.c.ref, refs if visible.everything else refs & visible.refs
        )
        if visible.subject is not None and (wanted.refs is None or refs - visible.refs):
            sources = self._by_status(size, replace(wanted, visible=EVERYTHING))
            yield from sources.having(CANDIDATE.c.subject, visible.subject)

    def _by_status(self, size: int, wanted: RunFilter) -> Sources:
        ended = sorted(self.wanted.statuses - ACTIVE) if self.wanted.statuses else None
        return replace(self._sources(self.span, size, wanted), ended=ended)


def _is_of_active(wanted: RunFilter) -> bool:
    return wanted.active is True or (bool(wanted.statuses) and wanted.statuses <= ACTIVE)


@dataclass(frozen=True, slots=True)
class _Moments:
    """The numbers of the runs created in a time, and whether they are few."""

    span: Span
    few: bool


def _created(connection: sa.Connection, wanted: RunFilter) -> _Moments | None:
    """None if no run was created in the wanted time."""
    created, seq = CANDIDATE.c.created_at, CANDIDATE.c.seq
    found = sa.select(seq).where(*in_time(wanted)).limit(MIXED_UP)
    ends = [found.order_by(order).subquery() for order in (created, created.desc())]
    both = sa.union_all(*(sa.select(end.c.seq) for end in ends)).subquery()
    numbers = sa.select(sa.func.min(both.c.seq), sa.func.max(both.c.seq), sa.func.count())
    first, last, count = connection.execute(numbers.select_from(both)).one()
    return None if first is None else _Moments(Span(first, last + 1), count < 2 * MIXED_UP)


def cursor_at(seq: int) -> str:
    """The cursor of the page after the run with this number."""
    return base64.urlsafe_b64encode(str(seq).encode()).decode().rstrip("=")


def _seq_of(cursor: str) -> int:
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        seq = int(base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (ValueError, binascii.Error):
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.") from None
    if not 0 <= seq < 2**63:
        raise RequestError("Invalid cursor: use next_cursor of an earlier page.")
    return seq
