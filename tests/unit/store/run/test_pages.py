"""Pages of runs are those that looking at each run would give, in whatever way they are found."""

import random

import pytest
import sqlalchemy as sa

from runbook.core.run import Origin, Relation, Requester, RerunOf
from runbook.core.status import ACTIVE, RunStatus
from runbook.store.models import RunFilter, Visibility
from runbook.store.run import listing
from runbook.store.store import Store
from runbook.store.tables import runs

REFS = [f"{folder}/{name}.md" for folder in ("net", "Web") for name in ("Ping", "pong", "x%_y")]
SUBJECTS = ["ada", "bob", "cleo"]
REASONS = [None, "TICKET-17: disk full", 'say "disk"', "100%_done", "naïve Disk"]
TEXTS = ["ping", "NET/", "p", "%_", "disk", '"disk"', "ticket-17", "nothing", "ïve", "\\"]
STATUSES = [RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.REFUSED, RunStatus.RUNNING]
BEGIN = 1_700_000_000_000


@pytest.fixture
def made(helper, store):
    """Runs of all sorts, a second apart, but for one that a wrong clock has made."""
    chance = random.Random(7)
    return [store.runs.get(one(helper, chance, n)) for n in range(60)][::-1]


def one(helper, chance, n):
    helper.clock.now = BEGIN + n * 1000 if n != 40 else BEGIN + 9_999_000
    relation = chance.choice([None, None, None, *Relation])
    run = helper.new(
        id=f"0197c3d2-{n % 3:04}-{chance.randrange(16**12):012x}",
        ref=chance.choice(REFS),
        name=chance.choice(["Ping it", "Pong", "Disk"]),
        requester=Requester(chance.choice(SUBJECTS), Origin.API),
        reason=chance.choice(REASONS),
        dry_run=chance.random() < 0.2,
        parent_id=chance.choice([None, "0"]),
        root_id=chance.choice([None, "0"]),
        rerun_of=None if relation is None else RerunOf(relation, "x"),
    )
    helper.submit(run)
    status = chance.choice([*STATUSES, RunStatus.QUEUED])
    if status is not RunStatus.QUEUED:
        helper.store.runs.claim("w", root_slots=1, only=run.id)
    if status in (RunStatus.SUCCEEDED, RunStatus.FAILED):
        helper.finish(run.id, status)
    return run.id


def some_filter(chance, made):
    def maybe(values, odds=0.25):
        return chance.choice(values) if chance.random() < odds else None

    def some(values, most=3):
        return frozenset(chance.sample(values, chance.randint(0, most)))

    ids = [run.id for run in made]
    parts = [ids[3], ids[5][:8], ids[7][-8:], ids[9][5:], ids[11][-4:], ids[13][:14].upper()]
    times = [BEGIN, BEGIN + 30_000, BEGIN + 30_001, BEGIN + 99_000]
    return RunFilter(
        visible=chance.choice(
            [Visibility(everything=True), Visibility(some(REFS, 6), maybe(SUBJECTS, 0.7))]
        ),
        ids=some(ids) if chance.random() < 0.1 else None,
        refs=some(REFS, 6) if chance.random() < 0.2 else None,
        statuses=some(STATUSES) if chance.random() < 0.4 else frozenset(),
        subject=maybe(SUBJECTS),
        since=maybe(times),
        until=maybe(times),
        root_id=maybe(["0", ids[3]], 0.1),
        parent_id=maybe(["0"], 0.1),
        text=maybe(TEXTS + parts, 0.4),
        relation=maybe(list(Relation), 0.1),
        dry_run=maybe([True, False], 0.2),
        active=maybe([True, False], 0.2),
    )


def matches(run, wanted):
    subject, seen, reason = run.requester.subject, wanted.visible, run.request.reason
    if not (seen.everything or run.ref in seen.refs or subject == seen.subject):
        return False
    if wanted.text is not None and not contains(run, wanted.text.lower(), reason):
        return False
    return (
        (wanted.ids is None or run.id in wanted.ids)
        and (wanted.refs is None or run.ref in wanted.refs)
        and (not wanted.statuses or run.status in wanted.statuses)
        and wanted.subject in (None, subject)
        and (wanted.since is None or run.times.created_at >= wanted.since)
        and (wanted.until is None or run.times.created_at < wanted.until)
        and (wanted.root_id is None or wanted.root_id in (run.id, run.tree.root_id))
        and wanted.parent_id in (None, run.tree.parent_id)
        and wanted.relation in (None, run.relation)
        and wanted.dry_run in (None, run.request.dry_run)
        and wanted.active in (None, run.status in ACTIVE)
    )


def contains(run, text, reason):
    texts = [run.ref, run.runbook.name, *([reason] if reason and len(text) >= 3 else [])]
    ends = len(text) >= 8 and (run.id.startswith(text) or run.id.endswith(text))
    return any(text in each.lower() for each in texts) or run.id == text or ends


@pytest.mark.parametrize(("latest", "few_keys", "mixed_up"), [(1, 0, 2), (7, 5, 50)])
@pytest.mark.parametrize("size", [3, 9])
def test_any_filter(store, made, monkeypatch, latest, few_keys, mixed_up, size):
    monkeypatch.setattr(listing, "LATEST", latest)
    monkeypatch.setattr(listing, "FEW_KEYS", few_keys)
    monkeypatch.setattr(listing, "MIXED_UP", mixed_up)
    chance = random.Random(latest + size)
    every_ref = RunFilter(visible=Visibility(frozenset(REFS)))
    for wanted in (every_ref, *(some_filter(chance, made) for _ in range(40))):
        found, cursor = [], None
        while not found or cursor is not None:
            page = store.runs.page(wanted, cursor=cursor, limit=size)
            found.append([run.id for run in page.runs])
            cursor = page.next_cursor
        expected = [run.id for run in made if matches(run, wanted)]
        assert [run_id for ids in found for run_id in ids] == expected, wanted
        assert all(len(ids) == size for ids in found[:-1])


@pytest.mark.parametrize("kind", ["postgresql"])
def test_each_page_is_planned_for_its_values(helper, store):
    helper.queued()
    for n in range(12):
        store.runs.page(RunFilter(text=f"word {n}"))
        store.runs.get("x")
    prepared = sa.text("SELECT statement FROM pg_prepared_statements")
    statements = store._database.read(lambda c: list(c.scalars(prepared)))
    assert statements
    assert not any("candidate" in statement for statement in statements)


class TestReasons:
    """The index of their texts keeps up with what happens to runs."""

    @staticmethod
    def found(store, text):
        return [run.id for run in store.runs.page(RunFilter(text=text)).runs]

    @pytest.fixture(autouse=True)
    def only_by_the_index(self, monkeypatch):
        monkeypatch.setattr(listing, "LATEST", 0)

    def test_a_purged_run_is_not_found(self, helper, store):
        old = helper.ended(reason="old ticket")
        helper.clock.now += 1000
        new = helper.ended(reason="new ticket")
        assert self.found(store, "Ticket") == [new.id, old.id]
        store.maintenance.purge(helper.clock.now)
        assert self.found(store, "ticket") == [new.id]

    def test_a_replaced_reason(self, helper, store):
        run = helper.queued(reason="first words")
        for reason in ("then others", None, "and last"):
            store._database.write(
                lambda c, text=reason: c.execute(sa.update(runs).values(reason=text))
            )
            assert self.found(store, "first") == []
            if reason:
                assert self.found(store, reason[2:]) == [run.id]

    def test_a_backup_has_the_index(self, helper, store, tmp_path):
        run = helper.ended(reason="old ticket")
        store.maintenance.backup(tmp_path / "backup.db")
        backup = Store(f"sqlite:///{tmp_path}/backup.db")
        assert self.found(backup, "Ticket") == [run.id]
        backup.maintenance.purge(helper.clock.now + 1)
        assert self.found(backup, "Ticket") == []
        backup.close()

    def test_a_text_that_no_reason_can_hold(self, helper, store):
        helper.queued(reason="a word")
        assert self.found(store, "x\0y") == []

    def test_without_the_index(self, new_url, helper_of):
        """Of a database that lacks what it takes."""
        store = Store(new_url)
        store.maintenance.migrate()
        drop = ["DROP INDEX ix_runs_reason"]
        if store.maintenance.kind == "sqlite":
            names = ("added", "removed", "changing", "changed")
            drop = [f"DROP TRIGGER runs_reason_{name}" for name in names]
            drop.append("DROP TABLE runs_reason")
        store._database.write(lambda c: [c.exec_driver_sql(text) for text in drop])
        run = helper_of(store).queued(reason="a word")
        assert self.found(store, "A WORD") == [run.id]
        store.close()
