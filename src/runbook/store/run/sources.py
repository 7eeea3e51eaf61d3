"""Where the runs of a page come from: the newest ones that an index has for a key.

Whatever a source finds fulfils all conditions of the page, and together its sources find all runs
that do. So a page needs only the newest of each source, however many runs are stored.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from functools import partial

import sqlalchemy as sa

from runbook.quick_dataclass import dataclass
from runbook.store.device_tables import run_devices
from runbook.store.dialects.portable import each_of, unindexed
from runbook.store.tables import runs

Condition = sa.ColumnElement[bool]
Source = sa.Select[int]

CANDIDATE = runs.alias("candidate")
_SEQ = CANDIDATE.c.seq
_FOUND = runs.alias("found").c.seq


@dataclass(frozen=True, slots=True)
class Span:
    """A range of run numbers; `before` is beyond it."""

    first: int
    before: int

    def conditions(self, seq: sa.ColumnElement[int]) -> tuple[Condition, ...]:
        return (seq >= self.first, seq < self.before)


@dataclass(frozen=True, slots=True)
class Sources:
    """Makes sources that give at most `size` runs of a span that fulfil all conditions.

    With `ended`, only runs that ended with these statuses.
    """

    span: Span
    size: int
    conditions: tuple[Condition, ...]
    ended: Sequence[str] | None = None
    remote: bool = False

    def newest(self, *key: Condition) -> Source:
        """For a key whose index has the runs in the order of their numbers."""
        return self._found(_SEQ, *key).order_by(_SEQ.desc()).limit(self.size)

    def few(self, *key: Condition) -> Source:
        """For a key that few runs have."""
        # Ordered by what no index has: a database might look for them among all runs otherwise.
        return self.in_order(_SEQ + 0, *key)

    def of_device(self, device: str) -> Source:
        """The newest runs that were for a device."""
        seq = run_devices.c.run_seq
        found = self._found(seq, run_devices.c.device == device)
        found = found.select_from(run_devices.join(CANDIDATE, seq == _SEQ))
        return found.order_by(seq.desc()).limit(self.size)

    def in_order(self, order: sa.ColumnElement[int], *key: Condition) -> Source:
        """For a key whose index has the order of another column than the number."""
        found = self._found(unindexed(_SEQ), *key)
        return found.order_by(order.desc()).limit(self.size)

    def of_all(self) -> Iterator[Source]:
        for key in self._endings():
            yield self.newest(*key)

    def having(self, column: sa.ColumnElement[str], value: str) -> Iterator[Source]:
        """For a column with two indexes: alone, and with the status of runs that ended."""
        for key in self._endings():
            yield self.newest(column == value, *key)

    def having_one_of(
        self, column: sa.ColumnElement[str], values: Collection[str]
    ) -> Iterator[Source]:
        """Like `having`, for each of the values."""
        for key in self._endings():
            found = partial(self._newest_having, column, key)
            yield each_of(values, _FOUND, found, remote=self.remote)

    def _newest_having(
        self, column: sa.ColumnElement[str], key: Sequence[Condition], value: sa.ColumnElement[str]
    ) -> Source:
        return self.newest(column == value, *key)

    def _endings(self) -> list[tuple[Condition, ...]]:
        if self.ended is None:
            return [()]
        ended = CANDIDATE.c.finished_at.is_not(None)
        return [(ended, CANDIDATE.c.status == status) for status in self.ended]

    def _found(self, seq: sa.ColumnElement[int], *key: Condition) -> Source:
        return sa.select(_SEQ).where(*key, *self.span.conditions(seq), *self.conditions)
