"""The last runs of runbooks, of which only changes are read."""

import threading

import pytest

from patience import PATIENCE_S


@pytest.fixture
def ended(workshop):
    """Executes Quick.md once; the run."""
    workshop.write("Quick")
    workshop.register()

    def call():
        workshop.submit("Quick.md")
        return workshop.execute()

    return call


def test_an_answer_that_comes_late_hides_no_later_run(workshop, ended, monkeypatch):
    """With PostgreSQL, requests take turns while one of them waits for its answer."""
    reader, ask = workshop.engine.runbooks, workshop.store.runbooks.last_runs
    asked, go_on = threading.Event(), threading.Event()

    def ask_and_wait(since):
        answer = ask(since)
        asked.set()
        go_on.wait(PATIENCE_S)
        return answer

    def ask_while_the_other_goes_on(since):
        answer = ask(since)
        go_on.set()
        late.join(PATIENCE_S)
        return answer

    ended()
    monkeypatch.setattr(workshop.store.runbooks, "last_runs", ask_and_wait)
    late = threading.Thread(target=reader.last_runs)
    late.start()
    assert asked.wait(PATIENCE_S)
    monkeypatch.setattr(workshop.store.runbooks, "last_runs", ask)
    latest = ended()
    reader.last_runs()
    monkeypatch.setattr(workshop.store.runbooks, "last_runs", ask_while_the_other_goes_on)
    reader.last_runs()

    monkeypatch.setattr(workshop.store.runbooks, "last_runs", ask)
    assert reader.last_runs()["Quick.md"].last_run_id == latest.id
