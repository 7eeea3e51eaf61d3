"""No statement of the store reads all runs or all events, however many there are.

Each public method is called on a store with many runs. The database explains how it executes each
statement, and SQLite counts its steps besides.
"""

import inspect
import re
from contextlib import contextmanager
from dataclasses import replace

import pytest
import sqlalchemy as sa

from many_runs import fill
from runbook.core.audit import SYSTEM, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.connection import Connection, ConnectionUse, LastCheck, Sealed
from runbook.core.document import Problem
from runbook.core.effects import Effect
from runbook.core.fanout.limits import Limits, WhenBusy
from runbook.core.fanout.progress import DeviceState
from runbook.core.fanout.views import Fanout, FanoutPlace
from runbook.core.inventory.device import Device, DeviceFilter, DeviceSort
from runbook.core.outcome import Artifact, Outcome, StepRun
from runbook.core.recovery.rule import Recovery
from runbook.core.run import LockWant, Relation, RerunOf
from runbook.core.run_files import RunFile, RunFiles, digest_of
from runbook.core.ssh.host_key import HostAddress, HostKey, PublicKey
from runbook.core.status import RunStatus, StepStatus
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin
from runbook.script.limits import EffectState
from runbook.store.inventory.devices import DeviceChanges
from runbook.store.models import (
    EVERYTHING,
    AuditFilter,
    HistoryHead,
    IdempotencyKey,
    LogQuery,
    RerunClaim,
    RunFilter,
    StoredDocument,
    Visibility,
    Worker,
    WorkerKind,
)
from runbook.store.run import listing
from runbook.store.run.recoveries import Owed
from runbook.store.store import Store

MANY = 8000
# A look at each run takes 5 steps at least. The latest runs, of which a page looks at some, are
# fewer here than usual.
MOST_STEPS = 30_000
LATEST = 100
# They are for the whole of a database, and used on copies, by commands, or not for runs.
WHOLE = {
    "maintenance": {"backup", "copy_to", "check_integrity", "forget_inputs", "migrate"},
    "runs": {"count"},
    "notices": {"arrive", "listening", "pass_through", "send"},
}
# Of runs that have not ended and the like: they hold few rows.
SMALL = ("ix_runs_active", "ix_runs_dry", "ix_runs_relation", "ix_runs_related")
DOCUMENT = StoredDocument("d" * 64, b"# A runbook\n")
NOTHING = Visibility(frozenset({"unused.md"}), "nobody")
DENSE = Visibility(frozenset(f"fleet/Job{n}.md" for n in range(150)), "ada")
SPARSE = Visibility(frozenset(f"rare{n}.md" for n in range(150)), "ada")


class Plans:
    """What the database says about each statement that a store executes."""

    def __init__(self, engine):
        self.found = {}
        self.steps = {}
        self._engine = engine
        self._is_sqlite = engine.dialect.name == "sqlite"
        self._count = 0
        self._current = None

    @contextmanager
    def recording(self):
        sa.event.listen(self._engine, "before_cursor_execute", self._explain)
        try:
            yield self
        finally:
            sa.event.remove(self._engine, "before_cursor_execute", self._explain)
            self._next(None)

    def _explain(self, connection, _cursor, statement, parameters, _context, executemany):
        if statement.split(None, 1)[0].upper() not in (
            "SELECT",
            "INSERT",
            "UPDATE",
            "DELETE",
            "WITH",
        ):
            return
        given = parameters[0] if executemany else parameters
        self._next(None)
        driver = connection.connection.driver_connection
        if self._is_sqlite:
            rows = driver.execute(f"EXPLAIN QUERY PLAN {statement}", given).fetchall()
            self.found[statement] = [row[3] for row in rows]
            driver.set_progress_handler(self._step, 100)
            self._next(statement)
        else:
            with driver.cursor() as cursor:
                cursor.execute(f"EXPLAIN (FORMAT JSON) {statement}", given)
                self.found[statement] = list(_nodes(cursor.fetchone()[0][0]["Plan"]))

    def _step(self):
        self._count += 100
        return 0

    def _next(self, statement):
        if self._current is not None:
            self.steps[self._current] = max(self.steps.get(self._current, 0), self._count)
        self._current, self._count = statement, 0

    def reading_all(self):
        """The statements that read all runs or events, each with what gives it away."""
        reads_all = _scans if self._is_sqlite else _is_sequential
        each = ((statement, reads_all(statement, plan)) for statement, plan in self.found.items())
        long = {one: steps for one, steps in self.steps.items() if steps > MOST_STEPS}
        return {statement: reason for statement, reason in each if reason} | long


def _nodes(plan):
    yield plan
    for part in plan.get("Plans", ()):
        yield from _nodes(part)


def _scans(statement, plan):
    """SQLite names a table as the statement does."""
    aliases = re.findall(r"\b(?:runs|events) AS (\w+)", statement)
    names = "|".join({"runs", "events", *aliases})
    return [line for line in plan if re.match(rf"SCAN ({names})\b(?! VIRTUAL)", line)]


def _is_sequential(_statement, plan):
    return [
        node
        for node in plan
        if node.get("Relation Name") in ("runs", "events")
        and node["Node Type"] not in ("ModifyTable", "LockRows", "Bitmap Heap Scan", "Tid Scan")
        and "Index Cond" not in node
        and node.get("Index Name") not in SMALL
    ]


@pytest.fixture
def url(new_url):
    """Not one that is lent, as it becomes large."""
    store = Store(new_url)
    store.maintenance.migrate()
    store.close()
    return new_url


@pytest.fixture
def filled(store, helper, monkeypatch):
    run = helper.running()
    store.events.append(run.id, [helper.output("hello\n")], worker_id="w")
    helper.finish(run.id)
    fill(store._database, run.id, MANY)
    if store.maintenance.kind == "postgresql":
        with store._database.engine().connect() as connection:
            connection.exec_driver_sql("VACUUM ANALYZE")
    monkeypatch.setattr(listing, "LATEST", LATEST)
    monkeypatch.setattr(listing, "MIXED_UP", LATEST)
    return store


@pytest.fixture
def plans(filled):
    with Plans(filled._database.engine()).recording() as plans:
        yield plans


SUCCEEDED, FAILED = frozenset({RunStatus.SUCCEEDED}), frozenset({RunStatus.FAILED})
LOST = frozenset({RunStatus.LOST, RunStatus.QUEUED})
NOW = 1_700_000_000_000
JOB, UNUSED = frozenset({"fleet/Job7.md"}), frozenset({"unused.md"})
FILTERS = (
    RunFilter(ids=frozenset({"ended", "x"})),
    RunFilter(active=True),
    RunFilter(active=False),
    RunFilter(relation=Relation.RESUME),
    RunFilter(dry_run=True),
    RunFilter(dry_run=False),
    RunFilter(root_id="parent"),
    RunFilter(parent_id="parent"),
    RunFilter(since=NOW - 60_000),
    RunFilter(until=NOW - 5_000_000),
    RunFilter(since=NOW - 6_000_000, until=NOW - 5_000_000, statuses=FAILED),
    RunFilter(since=0, until=NOW * 2),
    RunFilter(device="r1"),
    RunFilter(device="r1", statuses=FAILED),
)
FILTERS_OF_ANYBODY = (
    RunFilter(),
    RunFilter(statuses=SUCCEEDED),
    RunFilter(statuses=FAILED),
    RunFilter(statuses=LOST),
    RunFilter(subject="user-3"),
    RunFilter(subject="user-3", statuses=LOST),
    RunFilter(subject="nobody"),
    RunFilter(refs=JOB),
    RunFilter(refs=JOB, statuses=SUCCEEDED),
    RunFilter(refs=UNUSED),
    RunFilter(text="job 7"),
    RunFilter(text="TICKET-77"),
    RunFilter(text="replace the disk"),
    RunFilter(text="no such text"),
    RunFilter(text="zz"),
    RunFilter(text="0fcbaa6f"),
    RunFilter(text="018bcfe5-6030"),
    RunFilter(text="job 7", statuses=LOST),
)


def pages(runs):
    anybodys = (
        replace(wanted, visible=visible)
        for visible in (EVERYTHING, NOTHING, DENSE, SPARSE)
        for wanted in FILTERS_OF_ANYBODY
    )
    for wanted in (*FILTERS, *anybodys):
        found = runs.page(wanted, limit=20)
        if found.next_cursor:
            runs.page(wanted, cursor=found.next_cursor)


def actor_event(action=AuditAction.RUN_CANCEL):
    return NewAuditEvent(SYSTEM, action, Target(TargetKind.RUN, "x"), {})


def fan_outs(fanouts, run):
    """The methods for fan-outs, in an order in which each has something to do."""
    fanout = Fanout(run.seq, 1, FanoutPlace(1, "s", 1), "a.md", "R", Limits(1), WhenBusy.WAIT, NOW)

    def first():
        return fanouts.page(run).devices[0]

    return {
        "fanouts.create": lambda: fanouts.create(run, lambda _: fanout, ["r1", "r2"]),
        "fanouts.take": lambda: fanouts.take(fanout, 1),
        "fanouts.unstarted": lambda: fanouts.unstarted(fanout),
        "fanouts.attach": lambda: fanouts.attach(fanout, first(), "ended"),
        "fanouts.counts": lambda: fanouts.counts(fanout),
        "fanouts.of": lambda: fanouts.of(run),
        "fanouts.page": lambda: fanouts.page(run, states=[DeviceState.RUNNING]),
        "fanouts.settle": lambda: fanouts.settle(fanout),
        "fanouts.get": lambda: fanouts.get(run, 1),
        "fanouts.change": lambda: fanouts.change(fanout, first()),
        "fanouts.pause": lambda: fanouts.pause(run, paused=True, audit=actor_event()),
        "fanouts.finish": lambda: fanouts.finish(fanout, None),
    }


def work(helper):
    """Each public method by component and name, with the ways in which to call it."""
    store = helper.store
    contents = {digest_of(b"x"): b"x"}
    files = RunFiles((RunFile("a", 0o600, digest_of(b"x"), 1),), contents)
    key = IdempotencyKey("ada", "k", "d")
    outcome = Outcome(
        RunStatus.SUCCEEDED,
        0,
        artifacts=(Artifact("a", 1, "0"),),
        steps=(StepRun(1, "a", StepStatus.SUCCEEDED, 1, 2, 0, 1, 1, 1, {}, {}),),
    )
    helper.running(id="parent", worker="w2")
    helper.queued(id="child", parent_id="parent", root_id="parent")
    helper.ended(id="ended")
    helper.waiting(id="waits")
    helper.ended(id="dry", dry_run=True)
    claim = RerunClaim("ended", frozenset())
    rerun = helper.new(id="rerun", rerun_of=RerunOf(Relation.RESUME, "ended"), rerun_claim=claim)
    helper.running(id="running")
    broken = helper.running(id="broken")
    change = Effect("parent", 1, "key", "what", {}, EffectState.INTENDED, 1)
    worker = Worker("w", WorkerKind.LOCAL, "h", "b", 1, 1, 1, 1, 1)
    runs, logs, workers, leases = store.runs, store.logs, store.workers, store.leases

    return {
        "runs.page": lambda: pages(runs),
        "runs.create": lambda: [
            runs.create(helper.new(), [], DOCUMENT, idempotency=key, max_queued=9),
            runs.create(rerun, [], DOCUMENT, files=files, audit=actor_event()),
            runs.create(
                helper.new(status=RunStatus.REFUSED),
                [],
                DOCUMENT,
                history=HistoryHead(1, "d"),
            ),
        ],
        "runs.created_by": lambda: runs.created_by(key),
        "runs.claim": lambda: [
            runs.claim("w", root_slots=1, queues=["a"]),
            runs.claim("w", root_slots=1, only="child"),
            runs.claim("w", root_slots=1, expected=True),
            runs.claim("w", root_slots=1),
        ],
        "runs.reseal": lambda: runs.reseal("running", "w", b"x"),
        "runs.request_cancel": lambda: runs.request_cancel("waits", "ada", actor_event()),
        "runs.finish": lambda: runs.finish("running", outcome, [helper.done()]),
        "runs.get": lambda: runs.get("ended"),
        "runs.sealed": lambda: runs.sealed("ended"),
        "runs.summary": lambda: runs.summary("ended"),
        "runs.children": lambda: runs.children("parent"),
        "runs.active_children": lambda: runs.active_children("parent"),
        "runs.reruns": lambda: runs.reruns("ended"),
        "runs.below": lambda: runs.below("parent", 200),
        "runs.known": lambda: runs.known(["ended", "x"]),
        "runs.active": runs.active,
        "runs.activity": runs.activity,
        "runs.last_outputs": lambda: [runs.last_outputs(ref) for ref in ("fleet/Job3.md", "x")],
        "runs.queue_stats": runs.queue_stats,
        "runs.last_lost_at": runs.last_lost_at,
        "events.append": lambda: store.events.append(
            "parent", [helper.output("a\n")], worker_id="w2", steps=outcome.steps
        ),
        "events.after": lambda: store.events.after("ended"),
        "quarantine.put": lambda: store.quarantine.put(broken.seq, Problem("x", "y"), {}),
        "quarantine.all": store.quarantine.all,
        "quarantine.count": store.quarantine.count,
        "quarantine.unknown_status": store.quarantine.unknown_status,
        "recoveries.due": store.recoveries.due,
        "recoveries.put_off": lambda: store.recoveries.put_off(
            Owed(broken, Recovery("E.md"), 0), 1
        ),
        "recoveries.forget": lambda: store.recoveries.forget(broken),
        "steps.of": lambda: store.steps.of("ended"),
        "effects.of": lambda: store.effects.of("ended"),
        "effects.intend": lambda: store.effects.intend(change, worker_id="w2"),
        "effects.settle": lambda: store.effects.settle(
            change.id, EffectState.DONE, {}, by_run="parent", worker_id="w2"
        ),
        "logs.size": lambda: logs.size("parent"),
        "logs.range": lambda: logs.range("parent", 0, 9),
        "logs.lines": lambda: logs.lines("parent", 1, 9),
        "logs.search": lambda: list(logs.search("parent", LogQuery("a"))),
        "artifacts.of": lambda: store.artifacts.of("ended"),
        "artifacts.all": store.artifacts.all,
        "blobs.files_of": lambda: store.blobs.files_of("rerun"),
        "blobs.content": lambda: store.blobs.content("x"),
        "documents.get": lambda: store.documents.get("x"),
        "locks.holder": lambda: store.locks.holder(LockWant("busy", 1)),
        "locks.release_orphans": store.locks.release_orphans,
        "runbooks.last_runs": store.runbooks.last_runs,
        "runbooks.history_head": lambda: store.runbooks.history_head("a.md"),
        "runbooks.reset_history": lambda: store.runbooks.reset_history("a.md", None),
        "connections.add": lambda: store.connections.add(PVE, actor_event()),
        "connections.all": store.connections.all,
        "connections.get": lambda: store.connections.get("lab"),
        "connections.keys": store.connections.keys,
        "connections.replace": lambda: store.connections.replace(
            replace(PVE, revision=2), actor_event()
        ),
        "connections.keep_check": lambda: store.connections.keep_check(
            PVE, LastCheck(True, None, "", None, 1), actor_event()
        ),
        "host_keys.of": lambda: store.host_keys.of(SERVER.address),
        "host_keys.all": store.host_keys.all,
        "host_keys.meet": lambda: store.host_keys.meet(SERVER),
        "host_keys.replace": lambda: store.host_keys.replace([SERVER], actor_event()),
        "connections.reseal": lambda: store.connections.reseal(lambda _, it: it, actor_event()),
        "connections.use": lambda: store.connections.use(
            "parent", "w2", [ConnectionUse("PVE", "lab", "proxmox", 1)]
        ),
        "connections.used_by": lambda: store.connections.used_by("parent"),
        "connections.remove": lambda: store.connections.remove("lab", actor_event()),
        "devices.change": lambda: store.devices.change(
            ["r1"], lambda _: DeviceChanges([Device("r1", tags=("a",))], actor_event(), 1)
        ),
        "devices.page": lambda: [
            store.devices.page(DeviceFilter(tag="a", group="b")),
            store.devices.page(DeviceFilter(text="a", site="b"), sort=DeviceSort.PROOF),
        ],
        "devices.get": lambda: store.devices.get("r1"),
        "devices.named": lambda: store.devices.named(["r1"]),
        "devices.counts": store.devices.counts,
        "devices.fanouts_of": lambda: store.devices.fanouts_of(runs.get("ended")),
        "devices.of_run": lambda: store.devices.of_run("ended"),
        "devices.remove": lambda: store.devices.remove("r1", actor_event()),
        **fan_outs(store.fanouts, helper.running(id="fans out", worker="w2")),
        "workers.register": lambda: workers.register(worker),
        "workers.beat": lambda: workers.beat("w"),
        "workers.all": workers.all,
        "workers.run_counts": workers.run_counts,
        "workers.remove_damaged": workers.remove_damaged,
        "workers.remove": lambda: workers.remove("w"),
        "workers.cancel_requested": lambda: workers.cancel_requested("w"),
        "workers.unfinished": lambda: workers.unfinished("w"),
        "workers.runs_of_missing": workers.runs_of_missing,
        "leases.take": lambda: leases.take("t", "w", 1),
        "leases.renew": lambda: leases.renew("t", "w", 1),
        "leases.give_back": lambda: leases.give_back("t", "w", done=True),
        "leases.all": leases.all,
        "toolkits.all": store.toolkits.all,
        "toolkits.get": lambda: store.toolkits.get("lab"),
        "toolkits.changes": store.toolkits.changes,
        "toolkits.put": lambda: store.toolkits.put(LAB, actor_event()),
        "toolkits.enable": lambda: store.toolkits.enable("lab", actor_event(), enabled=True),
        "toolkits.remove": lambda: store.toolkits.remove("lab", actor_event()),
        "maintenance.check": store.maintenance.check,
        "maintenance.check_place": store.maintenance.check_place,
        "maintenance.pending": store.maintenance.pending,
        "maintenance.state": store.maintenance.state,
        "maintenance.last_recorded": store.maintenance.last_recorded,
        "maintenance.purge": lambda: store.maintenance.purge(NOW - 7_000_000),
        "audit.record": lambda: store.audit.record(actor_event()),
        "audit.record_refusal": lambda: store.audit.record_refusal(
            actor_event(AuditAction.ACCESS_REFUSED)
        ),
        "audit.page": lambda: store.audit.page(AuditFilter(subject="x")),
        "audit.last": lambda: store.audit.last(AuditAction.RUN_CANCEL, "x"),
        "audit.verify": store.audit.verify,
        "audit.purge": lambda: store.audit.purge(1),
    }


LAB = InstalledToolkit("lab", "Lab", "1.0.0", "d" * 64, ToolkitOrigin.UPLOAD, True, NOW, "ann")
SERVER = HostKey(HostAddress("sw1", 22), PublicKey("ssh-ed25519", "AAAA"), 1)
PVE = Connection("lab", "proxmox", sealed=Sealed("k", b"x"))


def public_methods(store):
    for name, component in vars(store).items():
        if not name.startswith("_"):
            for method, _ in inspect.getmembers(type(component), inspect.isfunction):
                if not method.startswith("_") and method not in WHOLE.get(name, ()):
                    yield f"{name}.{method}"


def test_no_statement_reads_all_runs_or_events(filled, helper, plans):
    calls = work(helper)
    assert set(public_methods(filled)) <= set(calls)
    for call in calls.values():
        call()
    plans._next(None)
    assert plans.reading_all() == {}
