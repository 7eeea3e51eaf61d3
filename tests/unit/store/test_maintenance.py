"""Copies of the database, and what is forgotten."""

import random
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from runbook.core.status import RunStatus
from runbook.errors import ConflictError, StoreUnavailableError
from runbook.store import maintenance
from runbook.store.dialects import sqlite
from runbook.store.migrations import HEAD
from runbook.store.models import IdempotencyKey, PurgeCounts, StoredDocument, Worker, WorkerKind
from runbook.store.store import Store

DAY = 24 * 3600 * 1000


class TestBackup:
    def test_it_restores(self, helper, store, tmp_path):
        run = helper.running()
        store.events.append(run.id, [helper.output("text\n")], worker_id="w")
        copy = tmp_path / "copy.db"
        store.maintenance.backup(copy)
        helper.finish(run.id)
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert not list(tmp_path.glob("*copy.db?*"))
        restored = Store(f"sqlite:///{copy}")
        restored.maintenance.migrate()
        assert restored.runs.get(run.id).status is RunStatus.RUNNING
        assert restored.logs.range(run.id, 0, 99) == b"text\n"
        restored.runs.finish(run.id, *_ending(helper))
        restored.close()

    def test_it_never_overwrites(self, store, tmp_path):
        copy = tmp_path / "copy.db"
        copy.write_text("precious")
        with pytest.raises(ConflictError):
            store.maintenance.backup(copy)
        assert copy.read_text() == "precious"

    def test_a_folder_that_is_not_there(self, store, tmp_path):
        with pytest.raises(StoreUnavailableError, match="No such file"):
            store.maintenance.backup(tmp_path / "missing" / "copy.db")

    @pytest.mark.parametrize("kind", ["sqlite"])
    def test_a_failed_copy_leaves_no_file(self, kind, tmp_path):
        (tmp_path / "broken.db").write_text(
            "not a database, but long enough to be read as one" * 99
        )
        store = Store(f"sqlite:///{tmp_path}/broken.db")
        with pytest.raises(StoreUnavailableError, match="damaged"):
            store.maintenance.backup(tmp_path / "copy.db")
        assert [path.name for path in tmp_path.iterdir()] == ["broken.db"]


def _ending(helper):
    from runbook.core.outcome import Outcome

    return Outcome(RunStatus.LOST, -1), [helper.done()]


class TestPurge:
    def test_ended_runs_go_with_all_that_was_theirs(self, helper, store):
        old = helper.ended()
        active = helper.running()
        before = helper.clock.now + 1
        helper.clock.now += 1
        young = helper.ended()
        counts = store.maintenance.purge(before)
        assert counts == PurgeCounts(runs=1, events=3)
        assert (store.runs.get(old.id), store.events.after(old.id)) == (None, [])
        assert store.runs.get(active.id) == active
        assert store.runs.get(young.id) == young
        assert len(store.events.after(young.id)) == 3

    def test_a_document_goes_with_its_last_run(self, helper, store):
        lonely = StoredDocument("e" * 64, b"lonely")
        run = helper.new(status=RunStatus.INVALID, digest=lonely.digest)
        store.runs.create(run, [], lonely)
        helper.queued()
        assert store.maintenance.purge(helper.clock.now + 1).documents == 1
        assert store.documents.get(lonely.digest) is None
        assert store.documents.get("d" * 64) is not None

    def test_long_runs_and_many_runs_go_in_short_transactions(self, helper, store, monkeypatch):
        monkeypatch.setattr(maintenance, "PURGE_ROWS", 10)
        longest = helper.running()
        store.events.append(longest.id, [helper.event()] * 95, worker_id="w")
        helper.finish(longest.id)
        for _ in range(25):
            helper.ended()
        kept = helper.queued()
        deleted = []
        write = store._database.write

        def watched(work, **options):
            result = write(work, **options)
            deleted.append(result)
            return result

        monkeypatch.setattr(store._database, "write", watched)
        counts = store.maintenance.purge(helper.clock.now + 1)
        assert (counts.runs, counts.events) == (26, 98 + 25 * 3)
        assert max(deleted) <= 10
        assert [run.id for run in store.runs.page().runs] == [kept.id]
        assert len(store.events.after(kept.id)) == 1

    def test_numbers_of_purged_runs_do_not_come_back(self, helper, store):
        gone = helper.ended()
        store.maintenance.purge(helper.clock.now + 1)
        assert helper.queued().seq > gone.seq

    def test_old_keys_and_dead_workers(self, helper, store):
        now = helper.clock.now
        dead = Worker("dead", WorkerKind.LOCAL, "h", "b", 1, 1, 1, now, now)
        store.workers.register(dead)
        store.workers.register(replace(dead, id="holds"))
        helper.running("holds")
        helper.submit(idempotency=IdempotencyKey("ada", "old", "x"))
        helper.clock.now += DAY
        store.workers.register(replace(dead, id="alive", beat_at=helper.clock.now))
        young = helper.submit(idempotency=IdempotencyKey("ada", "young", "x"))
        counts = store.maintenance.purge(0)
        assert counts == PurgeCounts(idempotency_keys=1, workers=1)
        assert {worker.id for worker in store.workers.all()} == {"holds", "alive"}
        assert helper.submit(idempotency=IdempotencyKey("ada", "young", "x")) == young

    def test_a_key_whose_run_is_gone_makes_a_new_one(self, helper, store):
        key = IdempotencyKey("ada", "k", "x")
        first = helper.submit(helper.new(status=RunStatus.INVALID), idempotency=key)
        store.maintenance.purge(helper.clock.now + 1)
        assert helper.submit(idempotency=key).id != first.id


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_that_was_taken_away_is_noticed(tmp_path, replaced):
    path = tmp_path / "runbook.db"
    store = Store(sqlite.url_for(path))
    store.maintenance.migrate()
    store.check()
    path.rename(tmp_path / "elsewhere")
    if replaced:
        path.touch()

    with pytest.raises(StoreUnavailableError, match="removed or replaced"):
        store.check()
    store.close()


def test_the_state_of_the_database(helper, store):
    empty = store.maintenance.state()
    assert empty.version == HEAD
    run = helper.running()
    text = random.Random(1).randbytes(2**20).hex()
    store.events.append(run.id, [helper.output(text)], worker_id="w")
    assert store.maintenance.state().bytes > empty.bytes + 2**20


@pytest.mark.parametrize("kind", ["sqlite"])
def test_the_size_of_a_file_counts_its_log(helper, store):
    helper.queued()
    path = store._database.dialect.path
    log = Path(f"{path}-wal")
    assert store.maintenance.state().bytes == path.stat().st_size + log.stat().st_size
    store.close()
    log.unlink(missing_ok=True)
    assert store.maintenance.state().bytes >= path.stat().st_size


def test_the_latest_record_is_not_one_of_the_future(helper, store, clock):
    assert store.maintenance.last_recorded() is None
    clock.now += 90 * DAY
    store.leases.take("purge", "w", DAY)
    clock.now -= 90 * DAY
    helper.queued()
    recorded = clock.now
    clock.now += 10 * DAY
    assert store.maintenance.last_recorded() == recorded
