"""Prometheus metrics, added up across processes by prometheus-client's multiprocess files.

Run IDs, users and free text are never labels. A runbook's ref is a label only for runs of runbooks
that exist.
"""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from runbook.core.run import Run
from runbook.engine.engine import Engine
from runbook.errors import RunbookError

BUCKETS = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600)


class RunMetrics:
    """Counts finished and refused runs in the process that finishes or refuses them."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        registry = registry or CollectorRegistry()
        self._runs = Counter(
            "runbook_runs", "Finished runs", ("runbook", "status"), registry=registry
        )
        self._duration = Histogram(
            "runbook_run_duration_seconds",
            "Duration of finished runs",
            ("runbook",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._refused = Counter(
            "runbook_runs_refused",
            "Runs refused because of missing claims",
            ("runbook",),
            registry=registry,
        )

        self._quarantined = Counter(
            "runbook_runs_quarantined",
            "Runs ended as lost because a record of them in the database is damaged",
            registry=registry,
        )

    def run_ended(self, run: Run) -> None:
        if run.request.purpose is not None:
            return
        self._runs.labels(run.ref, run.status.value).inc()
        if run.times.started_at is not None and run.times.duration_ms is not None:
            self._duration.labels(run.ref).observe(run.times.duration_ms / 1000)

    def run_refused(self, run: Run) -> None:
        self._refused.labels(run.ref).inc()

    def run_quarantined(self, run: Run) -> None:
        self._runs.labels(run.ref, run.status.value).inc()
        self._quarantined.inc()


class QueueCollector(Collector):
    """Gauges, read from the store and the disks at each scrape."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Metric]:
        yield from self._disks()
        try:
            found = list(self._store())
        except RunbookError:
            yield _gauge("runbook_store_up", "Whether the store responds", 0)
            return
        yield _gauge("runbook_store_up", "Whether the store responds", 1)
        yield from found

    def _store(self) -> Iterator[Metric]:
        health = self._engine.health
        stats = health.queue()
        age = health.queue_age_s(stats)
        workers = health.workers()
        yield _gauge("runbook_queue_depth", "Runs waiting for a slot", stats.queued)
        yield _gauge("runbook_queue_oldest_age_seconds", "Age of the oldest queued run", age)
        yield _gauge("runbook_runs_waiting", "Runs waiting for a lock", stats.waiting)
        yield _gauge("runbook_runs_running", "Runs being executed", stats.running)
        yield _gauge("runbook_workers_accepting", "Whether a worker accepts runs", stats.accepting)
        yield _gauge("runbook_workers", "Registered workers of servers", workers.count)
        yield _gauge("runbook_worker_slots", "Runs that the workers execute at once", workers.slots)
        yield _gauge(
            "runbook_worker_heartbeat_age_seconds",
            "Time since the heartbeat of the worker that has been silent longest",
            workers.heartbeat_age_s,
        )
        yield _gauge(
            "runbook_last_lost_run_timestamp_seconds",
            "When a run was last recorded as lost; 0 if never",
            health.last_lost_s(),
        )

    def _disks(self) -> Iterator[Metric]:
        free = GaugeMetricFamily(
            "runbook_disk_free_bytes", "Free space for the engine", labels=("folder",)
        )
        size = GaugeMetricFamily(
            "runbook_disk_size_bytes", "Size of the folder's file system", labels=("folder",)
        )
        for disk in self._engine.health.disks():
            free.add_metric((disk.folder,), float(disk.free))
            size.add_metric((disk.folder,), float(disk.size))
        yield free
        yield size


def _gauge(name: str, text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, value=float(value))
