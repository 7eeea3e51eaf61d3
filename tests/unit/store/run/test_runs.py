"""Creating, claiming and finishing runs."""

import pytest
import sqlalchemy as sa

from runbook.core.document import Problem, warning
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.run import LockRequest, LockWant, Origin, Requester
from runbook.core.status import RunStatus
from runbook.errors import ConflictError, DuplicateError, NotFoundError, QueueFullError
from runbook.store.models import StoredDocument
from runbook.store.tables import runs

CAREFUL = warning("not_masked", "careful", variable="S1")
BAD = Problem("step_failed", "bad", 7, hint="mend it", params={"step": "One", "n": 1})


def types(store, run_id):
    return [event.type for event in store.events.after(run_id)]


def test_a_created_run_is_read_back_as_it_was_returned(helper, store):
    made = helper.queued(
        reason="because",
        timeout_s=1.5,
        inputs={"SHOWN": "1", "GIVEN": None},
        warnings=(CAREFUL,),
        sealed_inputs=b"sealed",
    )
    assert store.runs.get(made.id) == made
    assert made.requester == Requester("ada", Origin.API, {"roles": ["sre"]}, "192.0.2.1")
    assert (made.status, made.times.created_at) == (RunStatus.QUEUED, helper.clock.now)
    assert store.runs.sealed(made.id) == b"sealed"


def test_only_the_worker_of_a_run_replaces_its_sealed_inputs(helper, store):
    run = helper.queued(sealed_inputs=b"sealed")
    store.runs.reseal(run.id, "w", b"too early")
    assert store.runs.sealed(run.id) == b"sealed"
    store.runs.claim("w", root_slots=1)
    store.runs.reseal(run.id, "other", b"not its own")
    store.runs.reseal(run.id, "w", b"more")
    assert store.runs.sealed(run.id) == b"more"
    helper.finish(run.id)
    store.runs.reseal(run.id, "w", b"too late")
    assert store.runs.sealed(run.id) is None


def test_first_events_are_numbered_from_one(helper, store):
    run = helper.queued()
    assert [(event.n, event.type) for event in store.events.after(run.id)] == [
        (1, EventType.QUEUED)
    ]
    assert run.log.last_event == 1


def test_an_unknown_run_is_none(store):
    assert store.runs.get("nobody") is None


def test_the_same_run_id_twice_is_refused(helper):
    run = helper.queued()
    with pytest.raises(DuplicateError):
        helper.queued(id=run.id)


def test_text_that_no_database_takes_is_replaced(helper, store):
    requester = Requester("a\ud800", Origin.API, {"x": "\ud800"})
    run = helper.queued(reason="b\ud800\0", requester=requester)
    assert store.runs.get(run.id).request.reason == "b??"
    assert store.runs.get(run.id).requester == Requester("a?", Origin.API, {"x": "?"})


@pytest.mark.parametrize(
    "changes",
    [
        {"status": RunStatus.RUNNING},
        {"status": RunStatus.WAITING},
        {"status": RunStatus.SUCCEEDED},
        {"digest": "e" * 64},
        {"locks": LockRequest((LockWant("a", 0),))},
        {
            "status": RunStatus.RUNNING,
            "assigned_to": "w",
            "locks": LockRequest((LockWant("a"),)),
        },
    ],
)
def test_an_impossible_birth_is_a_mistake_of_the_caller(helper, changes):
    with pytest.raises(ValueError):
        helper.queued(**changes)


@pytest.mark.parametrize("status", [RunStatus.REFUSED, RunStatus.INVALID])
def test_a_run_may_be_born_ended(helper, store, status):
    run = helper.queued(status=status, errors=(BAD,), return_code=1, sealed_inputs=b"x")
    assert run.times.finished_at == helper.clock.now
    assert (run.result.errors, run.result.return_code) == ((BAD,), 1)
    assert store.runs.sealed(run.id) is None
    with pytest.raises(ConflictError):
        helper.finish(run.id)


def test_a_run_born_running_belongs_to_its_worker(helper, store):
    run = helper.queued(status=RunStatus.RUNNING, assigned_to="w")
    assert (run.worker_id, run.times.started_at) == ("w", helper.clock.now)
    assert store.runs.claim("w", root_slots=1) is None


def test_the_queue_is_bounded_for_root_runs_only(helper, store):
    for _ in range(2):
        helper.submit(max_queued=2)
    with pytest.raises(QueueFullError):
        helper.submit(max_queued=2)
    helper.submit(helper.new(parent_id="run-0"), max_queued=2)
    helper.submit(helper.new(status=RunStatus.REFUSED), max_queued=2)
    store.runs.claim("w", root_slots=1)
    helper.submit(max_queued=2)


def test_a_refused_queue_leaves_nothing_behind(helper, store):
    with pytest.raises(QueueFullError):
        helper.submit(helper.new(id="x"), max_queued=0)
    assert store.runs.get("x") is None
    assert store.documents.get("d" * 64) is None


def test_a_document_is_kept_once(helper, store):
    first, second = helper.queued(), helper.queued()
    assert store.documents.get(first.runbook.digest) == store.documents.get(second.runbook.digest)
    assert store.documents.get("unknown") is None


class TestClaim:
    def test_it_gives_all_that_executing_takes(self, helper, store):
        run = helper.queued(sealed_inputs=b"sealed")
        helper.clock.now += 5
        claimed = store.runs.claim("w", root_slots=1)
        assert claimed.sealed_inputs == b"sealed"
        assert claimed.document == StoredDocument("d" * 64, b"# A runbook\n")
        assert claimed.run == store.runs.get(run.id)
        assert (claimed.run.status, claimed.run.worker_id) == (RunStatus.RUNNING, "w")
        assert claimed.run.times.started_at == helper.clock.now
        assert types(store, run.id) == [EventType.QUEUED, EventType.STARTED]
        assert claimed.run.log.last_event == 2

    def test_oldest_first_and_each_once(self, helper, store):
        made = [helper.queued().id for _ in range(3)]
        assert [store.runs.claim("w", root_slots=1).run.id for _ in range(3)] == made
        assert store.runs.claim("w", root_slots=1) is None

    def test_without_root_slots_only_child_runs(self, helper, store):
        helper.queued()
        child = helper.queued(parent_id="run-0", root_id="run-0")
        assert store.runs.claim("w", root_slots=0).run.id == child.id
        assert store.runs.claim("w", root_slots=0) is None

    def test_an_assigned_run_is_for_its_worker(self, helper, store):
        run = helper.queued(assigned_to="mine")
        assert store.runs.claim("other", root_slots=1) is None
        assert store.runs.claim("mine", root_slots=1).run.id == run.id

    @pytest.mark.parametrize("expected", [False, True])
    def test_only_the_one_that_is_asked_for(self, helper, store, expected):
        helper.queued()
        run, other = helper.queued(), helper.queued(assigned_to="other")
        ask = {"root_slots": 1, "expected": expected}
        assert store.runs.claim("w", only=run.id, **ask).run.id == run.id
        assert store.runs.claim("w", only=run.id, **ask) is None
        assert store.runs.claim("w", only=other.id, **ask) is None
        assert store.runs.claim("w", only="nobody", **ask) is None


def test_what_an_earlier_version_kept_as_texts_is_still_read(helper, store):
    run = helper.queued()
    old = sa.update(runs).where(runs.c.id == run.id).values(errors=["bad"], warnings=["careful"])
    store._database.write(lambda connection: connection.execute(old))
    result = store.runs.get(run.id).result
    assert result.errors == (Problem("unclassified", "bad"),)
    assert result.warnings == (warning("unclassified", "careful"),)


@pytest.mark.parametrize("expected", [True, False])
def test_only_one_run_and_those_that_it_calls(helper, store, expected):
    one, _other = helper.queued(), helper.queued()
    child = helper.queued(parent_id=one.id, root_id=one.id, assigned_to="w")
    helper.queued(parent_id="another", root_id="another", assigned_to="v")
    ask = {"root_slots": 1, "expected": expected, "only": one.id}
    assert store.runs.claim("w", **ask).run.id == one.id
    assert store.runs.claim("w", **ask).run.id == child.id
    assert store.runs.claim("w", **ask) is None


@pytest.mark.parametrize("expected", [True, False])
def test_of_queues_the_runs_of_others_are_left(helper, store, expected):
    far, plain, near = (helper.queued(queue=name) for name in ("far", None, "near"))
    called = helper.queued(queue="far", parent_id="parent", assigned_to="w")

    def claimed(*queues):
        ask = {"root_slots": 1, "expected": expected, "queues": queues}
        claims = iter(lambda: store.runs.claim("w", **ask), None)
        return [claim.run.id for claim in claims]

    assert claimed("near", "nearer") == [near.id, called.id]
    assert claimed() == []
    assert claimed("default") == [plain.id]
    store.runs.request_cancel(far.id, "ada")
    assert claimed("near") == [far.id]  # only to be ended


class TestFinish:
    def test_it_keeps_the_outcome_and_wipes_the_inputs(self, helper, store):
        run = helper.running(sealed_inputs=b"sealed")
        helper.clock.now += 1500
        outcome = Outcome(RunStatus.FAILED, 3, (BAD,), (CAREFUL,), {"ip": "192.0.2.9"})
        last = [helper.output("bye"), helper.done()]
        ended = store.runs.finish(run.id, outcome, last, worker_id="w").run
        assert ended == store.runs.get(run.id)
        assert (ended.status, ended.result.return_code, ended.result.errors) == (
            outcome.status,
            3,
            (BAD,),
        )
        assert (ended.result.warnings, ended.result.outputs) == ((CAREFUL,), {"ip": "192.0.2.9"})
        assert (ended.times.finished_at, ended.times.duration_ms) == (helper.clock.now, 1500)
        assert (ended.log.bytes, ended.log.lines) == (3, 1)
        assert types(store, run.id)[-2:] == [EventType.STDOUT, EventType.DONE]
        assert store.runs.sealed(run.id) is None

    def test_the_engine_may_know_the_times_better(self, helper, store):
        run = helper.running()
        at = run.times.started_at + 77
        ended = helper.finish(run.id, finished_at=at, duration_ms=5)
        assert (ended.times.finished_at, ended.times.duration_ms) == (at, 5)

    def test_a_clock_that_went_back_gives_no_negative_duration(self, helper):
        run = helper.running()
        helper.clock.now -= 1000
        assert helper.finish(run.id).times.duration_ms == 0

    def test_only_once(self, helper, store):
        run = helper.ended()
        with pytest.raises(ConflictError, match="already ended: succeeded"):
            helper.finish(run.id, RunStatus.FAILED)
        assert store.runs.get(run.id) == run

    def test_a_queued_run_can_be_cancelled_but_not_succeed(self, helper):
        run = helper.queued()
        with pytest.raises(ConflictError, match="cannot become succeeded"):
            helper.finish(run.id, RunStatus.SUCCEEDED)
        assert helper.finish(run.id, RunStatus.CANCELLED).times.duration_ms is None

    def test_not_by_another_worker(self, helper):
        run = helper.running("w")
        with pytest.raises(ConflictError, match="another worker"):
            helper.finish(run.id, worker_id="other")

    def test_done_is_last(self, helper, store):
        run = helper.running()
        for events in ([], [helper.event()], [helper.done(), helper.event()]):
            with pytest.raises(ValueError):
                store.runs.finish(run.id, Outcome(RunStatus.SUCCEEDED, 0), events)

    def test_an_unknown_run(self, helper):
        with pytest.raises(NotFoundError):
            helper.finish("nobody")


class TestEvents:
    def test_they_are_numbered_on(self, helper, store):
        run = helper.running()
        assert store.events.append(run.id, [helper.event(), helper.event()], worker_id="w") == 4
        assert store.events.append(run.id, [], worker_id="w") == 4
        assert [event.n for event in store.events.after(run.id)] == [1, 2, 3, 4]
        assert [event.n for event in store.events.after(run.id, n=3)] == [4]

    def test_they_come_back_as_they_went_in(self, helper, store):
        run = helper.running()
        step = helper.event(EventType.STEP, data={"name": "one", "deep": [1, None]}, step=1)
        output = helper.output("zeile\0\n", line=1, offset=0, kind=EventType.STDERR)
        store.events.append(run.id, [step, output], worker_id="w")
        first, second = store.events.after(run.id, n=2)
        assert (first.type, first.data, first.step) == (step.type, step.data, 1)
        assert (second.text, second.line, second.offset) == ("zeile\0\n", 1, 0)
        assert second.data is None

    def test_the_run_knows_the_size_of_its_log(self, helper, store):
        run = helper.running()
        store.events.append(run.id, [helper.output("é\nb"), helper.event()], worker_id="w")
        run = store.runs.get(run.id)
        assert (run.log.last_event, run.log.bytes, run.log.lines) == (4, 4, 2)

    def test_output_needs_its_place(self, helper, store):
        run = helper.running()
        with pytest.raises(ValueError):
            store.events.append(run.id, [helper.event(EventType.STDOUT, text="x")], worker_id="w")
        assert store.runs.get(run.id) == run

    def test_the_owner_of_a_lost_run_writes_no_more(self, helper, store):
        run = helper.running()
        lost = helper.finish(run.id, RunStatus.LOST)
        with pytest.raises(ConflictError, match="already ended"):
            store.events.append(run.id, [helper.event()], worker_id="w")
        assert store.runs.get(run.id) == lost
        assert types(store, run.id)[-1] is EventType.DONE

    @pytest.mark.parametrize("worker", ["other", None])
    def test_only_the_owner_writes(self, helper, store, worker):
        run = helper.running("w")
        with pytest.raises(ConflictError, match="another worker"):
            store.events.append(run.id, [helper.event()], worker_id=worker)

    def test_a_queued_run_is_written_by_nobodys_worker(self, helper, store):
        run = helper.queued()
        assert store.events.append(run.id, [helper.event()], worker_id=None) == 2

    def test_an_unknown_run(self, store):
        with pytest.raises(NotFoundError):
            store.events.append("nobody", [], worker_id="w")
        assert store.events.after("nobody") == []

    def test_a_page_is_bounded_in_number_and_bytes(self, helper, store):
        run = helper.running()
        pieces = [helper.output("x" * 100, 1, 100 * i) for i in range(5)]
        store.events.append(run.id, pieces, worker_id="w")
        assert len(store.events.after(run.id, n=0, limit=3)) == 3
        assert [e.n for e in store.events.after(run.id, n=2, max_bytes=250)] == [3, 4]
        assert [e.n for e in store.events.after(run.id, n=2, max_bytes=1)] == [3]

    @pytest.mark.parametrize("after", [-(10**30), -1, 10**30, 2**32])
    def test_no_number_reaches_the_events_of_another_run(self, helper, store, after):
        helper.queued()
        run = helper.queued()
        helper.queued()
        found = store.events.after(run.id, n=after)
        assert len(found) == (1 if after < 0 else 0)


class TestCancel:
    def test_the_first_who_asks_is_kept(self, helper, store):
        run = helper.running()
        first = store.runs.request_cancel(run.id, "ada")
        helper.clock.now += 1
        assert store.runs.request_cancel(run.id, "bob") == first
        assert (first.cancel.by, first.cancel.at) == ("ada", helper.clock.now - 1)

    def test_an_ended_run_stays_as_it_is(self, helper, store):
        run = helper.ended()
        assert store.runs.request_cancel(run.id, "ada") == run

    def test_the_worker_hears_of_its_own_running_runs(self, helper, store):
        mine, other, waits = helper.running("w"), helper.running("v"), helper.queued()
        for run in (mine, other, waits):
            store.runs.request_cancel(run.id, "ada")
        assert store.workers.cancel_requested("w") == [mine.id]
        helper.finish(mine.id, RunStatus.CANCELLED)
        assert store.workers.cancel_requested("w") == []

    def test_an_unknown_run(self, store):
        with pytest.raises(NotFoundError):
            store.runs.request_cancel("nobody", "ada")


def test_a_clock_that_is_set_back_reverses_no_times(helper, store, clock):
    run = helper.queued()
    clock.now -= 3_600_000
    claimed = store.runs.claim("w", root_slots=1)
    ended = store.runs.finish(run.id, helper.outcome(), [helper.done()]).run

    assert claimed.run.times.started_at == run.times.created_at
    assert ended.times.finished_at == run.times.created_at
    assert ended.times.duration_ms == 0
    assert store.runs.get(run.id) == ended
