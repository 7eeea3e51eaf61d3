"""The gauges that are read at each scrape, over a real engine without a worker."""

from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry

from runbook.bootstrap import build_engine
from runbook.core.status import RunStatus
from runbook.engine import status
from runbook.engine.wakeups import Role
from runbook.errors import StoreUnavailableError
from runbook.host.identity import process_identity
from runbook.metrics import QueueCollector, RunMetrics
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "runbooks").mkdir()
    settings = Settings.load(
        {
            "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
            "DATA_DIR": str(tmp_path / "data"),
            "EXECUTION_DIR": str(tmp_path),
        }
    )
    engine = build_engine(settings, Role.FOLLOWER)
    engine.open()
    yield engine
    engine.close()


def samples(engine):
    found = [sample for family in QueueCollector(engine).collect() for sample in family.samples]
    return {(sample.name, *sample.labels.values()): sample.value for sample in found}


def register(engine, worker_id, kind=WorkerKind.LOCAL, silent_ms=0, slots=8):
    now = engine.parts.clock()
    beat_at = now - silent_ms
    engine.store.workers.register(
        Worker(worker_id, kind, slots=slots, started_at=now, beat_at=beat_at, **process_identity())
    )


def test_without_workers_nothing_is_silent(engine):
    found = samples(engine)

    assert found["runbook_store_up",] == 1
    assert found["runbook_workers",] == found["runbook_worker_slots",] == 0
    assert found["runbook_worker_heartbeat_age_seconds",] == 0
    assert found["runbook_last_lost_run_timestamp_seconds",] == 0


def test_the_worker_that_is_silent_longest_counts(engine):
    register(engine, "a", silent_ms=60_000)
    register(engine, "b", WorkerKind.REMOTE, slots=3)
    register(engine, "one-shot", WorkerKind.CLI, silent_ms=900_000, slots=1)

    found = samples(engine)

    assert (found["runbook_workers",], found["runbook_worker_slots",]) == (2, 11)
    assert 60 <= found["runbook_worker_heartbeat_age_seconds",] < 900


def test_a_heartbeat_in_the_future_is_not_silence(engine):
    register(engine, "a", silent_ms=-60_000)
    assert samples(engine)["runbook_worker_heartbeat_age_seconds",] == 0


def test_the_free_space_of_each_folder(engine, monkeypatch):
    usage = SimpleNamespace(total=100, used=90, free=7)
    monkeypatch.setattr(status.shutil, "disk_usage", lambda _folder: usage)
    found = samples(engine)
    for folder in ("data", "runbooks", "execution"):
        assert found["runbook_disk_free_bytes", folder] == 7
        assert found["runbook_disk_size_bytes", folder] == 100


def test_a_folder_that_is_gone_has_no_free_space_to_tell(engine, tmp_path):
    (tmp_path / "runbooks").rmdir()
    found = samples(engine)
    assert ("runbook_disk_free_bytes", "runbooks") not in found
    assert found["runbook_disk_free_bytes", "data"] > 0


def test_without_the_store_the_disks_are_still_told(engine, monkeypatch):
    def fail():
        raise StoreUnavailableError("gone")

    monkeypatch.setattr(engine.store.runs, "last_lost_at", fail)
    found = samples(engine)
    assert found["runbook_store_up",] == 0
    assert ("runbook_queue_depth",) not in found
    assert found["runbook_disk_size_bytes", "data"] > 0


def test_runs_for_the_choices_of_a_form_are_not_counted():
    registry = CollectorRegistry()
    metrics = RunMetrics(registry)
    for purpose in (None, "choices"):
        metrics.run_ended(
            SimpleNamespace(
                ref="A.md",
                status=RunStatus.LOST,
                request=SimpleNamespace(purpose=purpose),
                times=SimpleNamespace(started_at=1, duration_ms=1500),
            )
        )
    labels = {"runbook": "A.md"}
    ended = registry.get_sample_value("runbook_runs_total", labels | {"status": "lost"})
    assert ended == registry.get_sample_value("runbook_run_duration_seconds_count", labels) == 1
    assert registry.get_sample_value("runbook_run_duration_seconds_sum", labels) == 1.5
