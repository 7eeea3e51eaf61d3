"""Fills a store with as many runs as one likes, fast: copies of one that was executed."""

import sqlalchemy as sa

from runbook.store.rows import EVENTS_PER_RUN
from runbook.store.tables import events, runs

RUNBOOKS, SUBJECTS = 200, 20
AT_ONCE = 50_000
SECOND_MS = 1000
# What `uuid7` looks like: it begins with the time.
ID = {
    "sqlite": "printf('%08x-%04x-7{0}-8000-%012x', {1} / 65536, {1} % 65536, {2})",
    "postgresql": (
        "lpad(to_hex({1} / 65536), 8, '0') || '-' || lpad(to_hex({1} % 65536), 4, '0') "
        "|| '-7{0}-8000-' || lpad(to_hex({2}), 12, '0')"
    ),
}


def fill(database, template_id, count):
    """Store `count` copies of a run and its events, as if one had been executed every second.

    2 of 100 failed, 1 of 10 has a reason.
    """
    template = database.read(
        lambda c: c.execute(sa.select(runs).where(runs.c.id == template_id)).mappings().one()
    )
    for start in range(0, count, AT_ONCE):
        stop = min(start + AT_ONCE, count)
        database.write(lambda c, span=(start, stop): _copy(c, template, *span, count))


def _copy(connection, template, start, stop, count):
    before = connection.scalar(sa.select(sa.func.max(runs.c.seq)))
    series = sa.select(sa.literal(start, sa.BigInteger).label("i")).cte("series", recursive=True)
    series = series.union_all(sa.select(series.c.i + 1).where(series.c.i < stop - 1))
    values = _values(connection.dialect.name, series.c.i, template, count)
    source = runs.select().where(runs.c.id == template["id"]).subquery()
    names = [column.name for column in runs.c if column.name != "seq"]
    copies = sa.select(*(values.get(name, source.c[name]) for name in names))
    copies = copies.select_from(source.join(series, sa.true())).order_by(series.c.i)
    connection.execute(sa.insert(runs).from_select(names, copies))
    _copy_events(connection, template["seq"], before)


def _copy_events(connection, of_run, before):
    names = [column.name for column in events.c]
    number = events.c.key - of_run * EVENTS_PER_RUN
    values = {"key": runs.c.seq * EVENTS_PER_RUN + number, "run_seq": runs.c.seq}
    copies = sa.select(*(values.get(name, events.c[name]) for name in names))
    copies = copies.select_from(events.join(runs, runs.c.seq > before))
    copies = copies.where(events.c.run_seq == of_run)
    connection.execute(sa.insert(events).from_select(names, copies.order_by(values["key"])))


def _values(dialect, i, template, count):
    """What differs between the copies, by column; `i` numbers them."""
    at = template["created_at"] - (count - i) * SECOND_MS

    def text(before, of, after=""):
        return sa.literal(before, sa.Text) + sa.cast(of, sa.Text) + sa.literal(after, sa.Text)

    moment = f"(({template['created_at']} - ({count} - i) * {SECOND_MS}) / 1)"
    random = "((i * 2654435761) % 281474976710656)"
    failed = sa.case((i % 50 == 7, sa.literal("failed", sa.Text)), else_="succeeded")
    reason = text("TICKET-", i, " replace the disk")
    return {
        "id": sa.literal_column(ID[dialect].format("abc", moment, random), sa.Text),
        "ref": text("fleet/Job", i % RUNBOOKS, ".md"),
        "name": text("Job ", i % RUNBOOKS),
        "subject": text("user-", i % SUBJECTS),
        "status": failed,
        "reason": sa.case((i % 10 == 3, reason), else_=sa.null()),
        "created_at": at,
        "started_at": at + 1,
        "finished_at": at + 9,
    }
