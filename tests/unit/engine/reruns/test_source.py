"""A run is rerun only from the folder that its runbook came from."""

import pytest

from runbook.core.run_details import RunAction
from runbook.engine.requests import ExecuteRequest
from runbook.errors import ConflictError
from runbook.store.models import NewEvent

ACTIONS = ("retry", "resume", "undo")


@pytest.fixture
def elsewhere(build, tmp_path):
    """An engine over the same database with another folder of runbooks."""
    (tmp_path / "samples").mkdir()
    return build(RUNBOOKS_DIR=str(tmp_path / "samples"))


def rerun_in(workshop, action, run, by):
    return getattr(workshop.engine, action)(run, by, ExecuteRequest()).run


@pytest.mark.parametrize("action", ACTIONS)
def test_another_runbook_with_the_same_name_is_not_touched(
    failed, elsewhere, bob, action, tmp_path
):
    run = failed()
    sample = elsewhere.write("Three", "print sample")
    text = sample.read_text()

    with pytest.raises(ConflictError) as caught:
        rerun_in(elsewhere, action, run, bob)

    problem = caught.value.details["problems"][0]
    assert problem.code == "other_source"
    assert str(tmp_path) not in caught.value.message  # API clients see it
    assert sample.read_text() == text
    assert not elsewhere.store.runs.reruns(run.id)
    unavailable = elsewhere.engine.runs.details(run, bob).actions.unavailable
    assert unavailable[RunAction(action)].code == "other_source"


@pytest.mark.parametrize("action", ACTIONS)
def test_the_same_text_in_another_folder_is_the_same_runbook(
    failed, elsewhere, bob, action, tmp_path
):
    """Another container may mount the folder elsewhere."""
    run = failed()
    text = (tmp_path / "runbooks" / "Three.md").read_bytes()
    (tmp_path / "samples" / "Three.md").write_bytes(text)

    assert rerun_in(elsewhere, action, run, bob).related_id == run.id


def test_a_link_to_the_folder_is_the_folder(failed, build, three, bob, tmp_path):
    run = failed()
    (tmp_path / "link").symlink_to(tmp_path / "runbooks")
    linked = build(RUNBOOKS_DIR=str(tmp_path / "link"))
    three(inputs="NEW: {type: string, default: x}")

    assert rerun_in(linked, "retry", run, bob).related_id == run.id


def test_a_run_of_an_earlier_version_has_no_folder(failed, elsewhere, bob, monkeypatch):
    run = failed()
    elsewhere.write("Three", "print edited")
    events = [NewEvent(0, event.type) for event in elsewhere.store.events.after(run.id)]
    monkeypatch.setattr(elsewhere.store.events, "after", lambda *_, **__: events)

    assert rerun_in(elsewhere, "retry", run, bob).related_id == run.id
