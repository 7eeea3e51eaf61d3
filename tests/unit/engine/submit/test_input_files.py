"""What was checked when a run was submitted is what it begins with, whatever happens meanwhile."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.store.tables import blobs

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, "192.0.2.1", grants=ALL_GRANTS)
STEP = "## Show\n\n```sh\ncat conf.txt\n```\n"
SHOW = "cat conf.txt; cat tools/data; tools/run; ls tools/empty | wc -l"


@pytest.fixture
def folder(workshop):
    return workshop.settings.runbooks_dir


@pytest.fixture
def files(folder):
    (folder / "conf.txt").write_text("one\n")
    (folder / "tools" / "empty").mkdir(parents=True)
    (folder / "tools" / "data").write_text("two\n")
    (folder / "tools" / "run").write_text("#!/bin/sh\necho three\n")
    (folder / "tools" / "run").chmod(0o755)


@pytest.fixture
def write(workshop, files):
    """A runbook with input files."""

    def write(name="Show", script=SHOW, listed=("conf.txt", "tools")):
        return with_inputs(workshop.write(name, script), listed)

    return write


def with_inputs(path, listed):
    lines = "".join(f"  - {item}\n" for item in listed)
    path.write_text(path.read_text().replace("Input:\n", f"Input:\n{lines}", 1))
    return path


def problems(workshop, run):
    return [problem["code"] for problem in workshop.data(run, EventType.DONE)[0]["problems"]]


def test_files_and_folders_as_they_were_at_the_submit(workshop, write, folder):
    write()
    run = workshop.submit("Show.md")
    (folder / "conf.txt").write_text("changed\n")
    (folder / "tools" / "run").unlink()
    (folder / "tools").rename(folder / "away")
    assert workshop.execute().status is RunStatus.SUCCEEDED
    assert workshop.output(run) == "one\ntwo\nthree\n0\n"


@pytest.mark.parametrize("change", ["changed", "deleted"])
def test_a_file_that_changes_while_the_run_waits_for_a_lock(workshop, files, folder, change):
    workshop.register()
    paths = [
        workshop.write_steps(
            name, "## Show\n\n```sh\ncat conf.txt\n```\n", policy="locks: one\non_busy: wait"
        )
        for name in ("First", "Second")
    ]
    for path in paths:
        with_inputs(path, ["conf.txt"])
    workshop.submit("First.md")
    first = workshop.claim()
    second = workshop.submit("Second.md")
    assert workshop.claim() is None
    assert workshop.store.runs.get(second.id).status is RunStatus.WAITING
    if change == "deleted":
        (folder / "conf.txt").unlink()
    else:
        (folder / "conf.txt").write_text("changed\n")
    workshop.engine.execute(first, "w", Stop())
    assert workshop.execute().status is RunStatus.SUCCEEDED
    assert workshop.output(second) == "one\n"


def test_a_script_may_change_its_copies_only(workshop, write, folder):
    write(script="echo more >> conf.txt; cat conf.txt")
    for _ in range(2):
        run = workshop.submit("Show.md")
        workshop.execute()
        assert workshop.output(run) == "one\nmore\n"
    assert (folder / "conf.txt").read_text() == "one\n"


def test_two_runs_share_what_is_the_same(workshop, write):
    write()
    workshop.submit("Show.md")
    workshop.submit("Show.md")
    count = sa.select(sa.func.count()).select_from(blobs)
    assert workshop.store._database.read(lambda c: c.scalar(count)) == 3


def test_what_is_wrong_makes_the_run_invalid_and_keeps_nothing(workshop, write, folder):
    write()
    (folder / "conf.txt").unlink()
    run = workshop.submit("Show.md")
    assert run.status is RunStatus.INVALID
    assert problems(workshop, run) == ["input_file_missing"]
    assert workshop.store.blobs.files_of(run.id) == ()


@pytest.mark.parametrize("limit", ["MAX_INPUT_FILES", "MAX_INPUT_BYTES"])
def test_the_limits_are_settings_and_hold_for_the_validation_too(build, limit):
    workshop = build(**{limit: "3"})
    folder = workshop.settings.runbooks_dir
    (folder / "tools").mkdir()
    for name in "abc":
        (folder / "tools" / name).write_text("12")
    with_inputs(workshop.write("Show"), ["tools"])
    run = workshop.submit("Show.md")
    assert problems(workshop, run) == ["input_files_too_large"]
    report = workshop.engine.validate("Show.md", ANN, ExecuteRequest())
    assert [problem.code for problem in report.errors] == ["input_files_too_large"]
    assert limit in report.errors[0].text


def test_a_retry_takes_the_files_as_they_are_now(workshop, write, folder):
    write(script="cat conf.txt; false")
    workshop.submit("Show.md")
    ended = workshop.execute()
    (folder / "conf.txt").write_text("now\n")
    again = workshop.engine.retry(ended, ANN, ExecuteRequest()).run
    workshop.execute()
    assert workshop.output(again) == "now\n"


STEPS = (
    "## First\n\n```sh\ncat conf.txt\n```\n\n### Undo\n\n```sh\ncat conf.txt\n```\n",
    "## Second\n\n```sh\ncat conf.txt; false\n```\n",
)


@pytest.mark.parametrize("way", ["resume", "undo"])
def test_resume_and_undo_have_the_files_of_the_run_they_follow(workshop, files, folder, way):
    with_inputs(workshop.write_steps("Steps", *STEPS), ["conf.txt"])
    workshop.submit("Steps.md")
    ended = workshop.execute()
    assert ended.status is RunStatus.FAILED
    (folder / "conf.txt").unlink()
    again = getattr(workshop.engine, way)(ended, ANN, ExecuteRequest()).run
    assert again.status is RunStatus.QUEUED
    workshop.execute()
    assert workshop.output(again) == "one\n"
    assert workshop.store.blobs.files_of(again.id) == workshop.store.blobs.files_of(ended.id)


def test_undone_by_itself_with_the_files_of_the_run(workshop, files, folder):
    steps = (STEPS[0], f"## Second\n\n```sh\nrm {folder}/conf.txt; false\n```\n")
    path = workshop.write_steps("Steps", *steps, policy="on_failure: undo")
    with_inputs(path, ["conf.txt"])
    run = workshop.submit("Steps.md")
    assert workshop.execute_family().status is RunStatus.FAILED
    child = workshop.store.runs.children(run.id)[0]
    assert (child.status, workshop.output(child)) == (RunStatus.SUCCEEDED, "one\n")


def test_a_dry_run_has_them_too(workshop, files):
    path = workshop.write_steps(
        "Steps", "## First\n\n```sh\ncat conf.txt\n```\n", policy="dry_run: supported"
    )
    with_inputs(path, ["conf.txt"])
    run = workshop.submit("Steps.md", dry_run=True)
    workshop.execute()
    assert "one\n" in workshop.output(run)


def test_a_run_of_an_earlier_version_says_what_to_do(workshop, write):
    write()
    workshop.submit("Show.md")
    workshop.store._database.write(lambda c: c.exec_driver_sql("DELETE FROM run_files"))
    ended = workshop.execute()
    assert ended.status is RunStatus.FAILED
    assert "retry the run" in ended.result.errors[0].text
    again = workshop.engine.retry(ended, ANN, ExecuteRequest()).run
    assert workshop.execute().status is RunStatus.SUCCEEDED
    assert workshop.output(again) == "one\ntwo\nthree\n0\n"


def test_a_content_that_is_not_what_was_kept_is_not_used(workshop, write):
    write()
    workshop.submit("Show.md")
    workshop.store._database.write(lambda c: c.execute(sa.update(blobs).values(content=b"forged")))
    ended = workshop.execute()
    assert ended.status is RunStatus.FAILED
    assert workshop.output(ended) == ""


def test_a_runbook_without_input_files_asks_for_none(workshop, write):
    """Neither its submit nor its execution costs a statement more."""
    workshop.write("Quick")
    asked = []
    engine = workshop.store._database.engine()
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    workshop.submit("Quick.md")
    workshop.execute()
    assert len(asked) > 5
    assert [text for text in asked if "blobs" in text or "run_files" in text] == []
    write()
    workshop.submit("Show.md")
    workshop.execute()
    assert [text for text in asked if "blobs" in text or "run_files" in text] != []
