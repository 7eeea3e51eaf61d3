import dataclasses
import json
import logging
import threading

import pytest

from runbook.core.events import EventType
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.run import Relation, RerunOf
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop
from runbook.engine.record.history_entry import REMEMBERED_RUNBOOKS, RateBound, RecordedOutput
from runbook.library.history import verify_file
from runbook.log import RECORD_LOGGER
from runbook.store.models import NewEvent


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_so_many_in_any_minute_and_no_more():
    clock = Clock()
    bound = RateBound(3, clock)
    admitted = []
    for _ in range(200):
        clock.now += 1
        if bound.admits("a"):
            admitted.append(clock.now)

    windows = [sum(start <= at < start + 60 for at in admitted) for start in admitted]
    assert max(windows) == 3
    assert len(admitted) == 12


def test_each_key_has_a_bound_of_its_own():
    bound = RateBound(1, Clock())

    assert bound.admits("a")
    assert not bound.admits("a")
    assert bound.admits("b")


def test_keys_without_end_take_no_memory_without_end():
    bound = RateBound(1, Clock())
    for number in range(REMEMBERED_RUNBOOKS + 100):
        bound.admits(str(number))

    assert len(bound._times) == REMEMBERED_RUNBOOKS


def test_the_bound_holds_for_threads_together():
    bound = RateBound(10, Clock())
    admitted = []
    barrier = threading.Barrier(8)

    def ask():
        barrier.wait()
        admitted.extend(bound.admits("a") for _ in range(50))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(admitted) == 10


@pytest.fixture
def ended(workshop):
    """A run that has ended, in the store only."""
    workshop.write("Quick")
    workshop.submit("Quick.md", reason="why")
    claimed = workshop.claim().run
    done = NewEvent(1, EventType.DONE, data={})
    return workshop.store.runs.finish(claimed.id, Outcome(RunStatus.FAILED, 3), [done]).run


def test_an_entry_says_what_happened_and_continues_the_chain(workshop, ended):
    records = workshop.engine.parts.records

    head, warning = records.write_history(ended, RecordedOutput("out\n", "err\n"))

    assert warning is None
    assert head.n == 1
    history = workshop.history("Quick")
    assert "| Exit Code: 3" in history
    assert "**Stdout:**\n```\nout\n" in history
    assert "**Stderr:**\n```\nerr\n" in history
    assert f"run={ended.id} " in history
    assert "why" in history
    path = workshop.settings.runbooks_dir / "Quick.md"
    assert verify_file(path, (head.n, head.digest)).ok


@pytest.mark.parametrize(
    ("label", "text"),
    [(PlanLabel.ASSUMED, "dry run (assumed)"), (None, "dry run (unknown)")],
)
def test_an_entry_says_that_it_was_a_dry_run(workshop, ended, label, text):
    dry = dataclasses.replace(
        ended,
        request=dataclasses.replace(ended.request, dry_run=True),
        result=dataclasses.replace(ended.result, label=label),
    )
    workshop.engine.parts.records.write_history(dry, RecordedOutput())
    assert f", failed, {text}: `why`\n" in workshop.history("Quick")


def test_an_entry_says_what_its_run_follows_from_and_what_failed(workshop, ended):
    resumed = dataclasses.replace(ended, rerun_of=RerunOf(Relation.RESUME, "run-0"))
    output = RecordedOutput(error="Step 4 'Copy' failed with return code 3")
    workshop.engine.parts.records.write_history(resumed, output)
    history = workshop.history("Quick")
    assert ", failed, resume of `run-0`: `why`\n" in history
    assert "\n**Error:**\n```\nStep 4 'Copy' failed with return code 3\n```\n" in history


def test_once_means_once(workshop, ended):
    records = workshop.engine.parts.records
    first, _ = records.write_history(ended, RecordedOutput(), once=True)

    again, warning = records.write_history(ended, RecordedOutput(), once=True)

    assert (again, warning) == (first, None)
    assert workshop.history("Quick").count("### ") == 1


def test_entries_lost_while_a_run_goes_on_are_told(workshop, caplog):
    path = workshop.write("Quick")
    for _ in range(2):
        workshop.submit("Quick.md")
    long = workshop.claim()
    stale = path.read_text()
    workshop.execute()
    path.write_text(stale)

    workshop.engine.execute(long, "w", Stop())

    logged = [r.fields for r in caplog.records if r.getMessage() == "history.entries_missing"]
    assert [(one["known"], one["found"]) for one in logged] == [(1, 0)]


@pytest.mark.parametrize(("is_old", "told"), [(True, [(2, 1), (2, 2)]), (False, [])])
def test_entries_that_an_old_copy_took_away_are_told(workshop, caplog, is_old, told):
    """By the entry that is missing, and by the next one, which has its number."""
    path = workshop.write("Quick")
    for _ in range(2):
        stale = path.read_text()
        workshop.submit("Quick.md")
        workshop.execute()
    if is_old:
        path.write_text(stale)
    for _ in range(2):
        workshop.submit("Quick.md")
        workshop.execute()

    logged = [r.fields for r in caplog.records if r.getMessage() == "history.entries_missing"]
    assert [(fields["known"], fields["found"]) for fields in logged] == told


def test_history_in_the_store_only(build):
    workshop = build(HISTORY="store")
    path = workshop.write("Quick")
    before = path.read_bytes()
    workshop.submit("Quick.md")

    run = workshop.execute()

    assert run.status is RunStatus.SUCCEEDED
    assert run.result.warnings == ()
    assert path.read_bytes() == before


@pytest.mark.parametrize("fate", ["gone", "no history", "a folder"])
def test_a_history_that_cannot_be_written_costs_a_warning_never_the_run(workshop, fate):
    path = workshop.write("Quick", "print quick")
    workshop.submit("Quick.md")
    path.unlink()
    if fate == "no history":
        path.write_text("# Quick\n")
    elif fate == "a folder":
        path.mkdir()

    run = workshop.execute()

    assert run.status is RunStatus.SUCCEEDED
    (warning,) = run.result.warnings
    assert warning.code == "history_not_written"
    assert str(workshop.settings.runbooks_dir) not in warning.text
    data = workshop.events(run)[-1].data
    assert data["warnings"] == [warning.text]
    assert data["problems"][0]["params"] == warning.params


def test_how_a_run_ended_is_read_back_from_its_entry(workshop, ended):
    records = workshop.engine.parts.records
    assert records.recorded_end(ended) is None

    records.write_history(ended, RecordedOutput())

    assert records.recorded_end(ended) == Outcome(RunStatus.FAILED, 3)


def test_an_entry_that_output_forges_is_no_record(workshop):
    forged = "<!-- run=r-1 -->\n### 2026-01-01T00:00:00.000Z | Exit Code: 0\n<!-- runbook 1 -->"
    workshop.write("Forges", f"cat <<'EOF'\n{forged}\nEOF")
    run = workshop.submit("Forges.md")
    workshop.execute()
    forger = workshop.store.runs.get(run.id)

    other = dataclasses.replace(forger, id="r-1")
    assert workshop.engine.parts.records.recorded_end(other) is None
    assert verify_file(workshop.settings.runbooks_dir / "Forges.md").ok


def test_stored_output_is_shown_by_its_head_and_tail(build):
    workshop = build(HISTORY_ENTRY_BYTES="256")
    workshop.write("Prints", "for n in {1..500}; do print line $n; done; print -u2 noise")
    run = workshop.submit("Prints.md")
    workshop.execute()

    output = workshop.engine.parts.records.stored_output(workshop.store.runs.get(run.id))

    assert output.stdout.startswith("line 1\n")
    assert output.stdout.endswith("line 500\n")
    assert len(output.stdout) < 600
    assert output.stderr == "noise\n"


def test_the_record_in_the_log_has_the_old_fields(workshop, ended, caplog):
    with caplog.at_level(logging.INFO, RECORD_LOGGER):
        workshop.engine.parts.records.log_run(ended, RecordedOutput("out", "err"))

    (line,) = [record for record in caplog.records if record.name == RECORD_LOGGER]
    assert set(line.fields) == {
        "start_timestamp", "finish_timestamp", "return_code", "operation", "breadcrumb",
        "config_items", "stdout", "stderr", "errors", "warnings", "runbook", "run_id", "status",
    }  # fmt: skip
    assert set(line.fields["breadcrumb"]) == {
        "at_time", "by_user", "from_ip", "correlation_id", "recursion_stack", "roles",
    }  # fmt: skip
    assert line.fields["breadcrumb"]["recursion_stack"] == ["Quick.md"]
    assert json.dumps(line.fields)
