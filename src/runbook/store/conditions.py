"""Conditions and subqueries that many statements share."""

from __future__ import annotations

import sqlalchemy as sa

from runbook.core.status import ACTIVE
from runbook.store.tables import runs

# As literals: SQLAlchemy renders a list of plain values anew at each execution.
ACTIVE_STATUSES = tuple(sa.literal(value) for value in sorted(status.value for status in ACTIVE))
IS_ACTIVE = sa.and_(runs.c.finished_at.is_(None), runs.c.status.in_(ACTIVE_STATUSES))
SEQ_BY_ID = sa.select(runs.c.seq).where(runs.c.id == sa.bindparam("run_id")).scalar_subquery()
