"""The history of runbooks that come from several sources."""

from __future__ import annotations

import dataclasses

import pytest

from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.status import RunStatus
from runbook.engine.record.history_entry import RecordedOutput, Records
from runbook.library.catalog import Catalog, Source
from runbook.library.history import verify_file
from runbook.store.models import NewEvent


@pytest.fixture
def folders(workshop, tmp_path):
    """The own runbooks, a kit, and a kit that nothing may be written to; each with a Quick.md."""
    text = workshop.write("Quick").read_text()
    found = {"": workshop.settings.runbooks_dir}
    for name in ("kit", "fixed"):
        found[f"{name}/"] = tmp_path / name
        (tmp_path / name).mkdir()
        (tmp_path / name / "Quick.md").write_text(text)
    return found


@pytest.fixture
def off():
    return set()


@pytest.fixture
def records(workshop, folders, off):
    sources = [
        Source(folder, prefix, lambda prefix=prefix: prefix not in off, prefix == "fixed/")
        for prefix, folder in folders.items()
    ]
    parts = workshop.engine.parts
    return Records(parts.options, parts.store, Catalog(sources))


@pytest.fixture
def ended(workshop, folders):
    """A run that has ended, in the store only."""
    workshop.submit("Quick.md")
    claimed = workshop.claim().run
    done = NewEvent(1, EventType.DONE, data={})
    return workshop.store.runs.finish(claimed.id, Outcome(RunStatus.FAILED, 3), [done]).run


def at(run, ref):
    return dataclasses.replace(run, runbook=dataclasses.replace(run.runbook, ref=ref))


def test_each_history_is_written_in_its_own_source(records, folders, ended):
    for number, prefix in enumerate(["", "kit/", "kit/"]):
        run = dataclasses.replace(at(ended, f"{prefix}Quick.md"), id=f"run-{number}")
        head, warning = records.write_history(run, RecordedOutput("out\n"))
        assert (head is not None, warning) == (True, None)
        assert records.recorded_end(run) == Outcome(RunStatus.FAILED, 3)

    entries = {prefix: verify_file(folder / "Quick.md") for prefix, folder in folders.items()}
    assert {prefix: (found.entries, found.ok) for prefix, found in entries.items()} == {
        "": (1, True),
        "kit/": (2, True),
        "fixed/": (0, True),
    }


def test_nothing_is_written_to_a_read_only_source(records, folders, ended):
    before = sorted((path, path.read_bytes()) for path in folders["fixed/"].iterdir())
    run = at(ended, "fixed/Quick.md")

    head, warning = records.write_history(run, RecordedOutput("out\n"))

    assert head is None
    assert warning.code == "history_read_only"
    assert records.recorded_end(run) is None
    assert sorted((path, path.read_bytes()) for path in folders["fixed/"].iterdir()) == before


def test_a_source_that_is_disabled_while_a_run_goes_on(records, folders, off, ended):
    off.add("kit/")
    run = at(ended, "kit/Quick.md")

    head, warning = records.write_history(run, RecordedOutput("out\n"))

    assert head is None
    assert warning is not None
    assert records.recorded_end(run) is None
    assert verify_file(folders["kit/"] / "Quick.md").entries == 0
