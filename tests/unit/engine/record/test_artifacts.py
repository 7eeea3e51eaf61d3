"""Files that runs leave: what is kept, what is not, and for how long."""

import hashlib
import os
from pathlib import Path

import pytest

from runbook.engine.record import artifacts as module
from runbook.engine.record.artifacts import ArtifactStore
from runbook.errors import NotFoundError
from runbook.worker.periodic import Retention, worker_tasks


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path / "kept", 1000)


NAMELESS = ("artifact_not_kept", {})
LATER = 2**62


def collect(store, source, run_id="run", may_show=lambda _name: True):
    found = store.collect(source, run_id, may_show)
    return [artifact.name for artifact in found.artifacts], [
        (one.code, dict(one.params)) for one in found.warnings
    ]


def test_regular_files_are_copied_with_their_digest(store, source):
    (source / "deep").mkdir()
    (source / "deep" / "b.txt").write_bytes(b"bee")
    (source / "a.txt").write_bytes(b"")

    found = store.collect(source, "run", lambda _name: True)

    assert [(a.name, a.size) for a in found.artifacts] == [("a.txt", 0), ("deep/b.txt", 3)]
    assert found.artifacts[1].sha256 == hashlib.sha256(b"bee").hexdigest()
    kept = store.path("run", "deep/b.txt")
    assert kept.read_bytes() == b"bee"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert found.warnings == []


def test_links_and_special_files_are_left(store, source, tmp_path):
    (tmp_path / "outside").write_text("secret")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "file").write_text("secret")
    (source / "link").symlink_to(tmp_path / "outside")
    (source / "folder").symlink_to(tmp_path / "folder")
    (source / "dangling").symlink_to("nowhere")
    os.mkfifo(source / "fifo")

    assert collect(store, source) == ([], [])


def test_a_link_in_place_of_the_folder_is_not_followed(store, source, tmp_path):
    (source / "file").write_text("secret")
    link = tmp_path / "link"
    link.symlink_to(source)

    assert collect(store, link) == ([], [])


def test_a_folder_that_is_gone_left_nothing(store, source):
    source.rmdir()
    assert collect(store, source) == ([], [])


def test_all_together_have_a_size(store, source):
    for name, size in (("a", 600), ("b", 401), ("c", 400)):
        (source / name).write_bytes(b"x" * size)

    names, warnings = collect(store, source)

    assert names == ["a", "c"]
    reason = "MAX_ARTIFACT_BYTES is 1000"
    assert warnings == [("artifact_not_kept", {"artifact": "b", "reason": reason})]
    with pytest.raises(NotFoundError):
        store.path("run", "b")


@pytest.mark.parametrize("name", [b"a\nb", b"\x1b[31m", b"\xff", b"a\\b", "\u202e".encode()])
def test_a_name_that_cannot_be_shown_is_not_kept(store, source, name):
    with open(os.fsencode(source) + b"/" + name, "wb"):
        pass

    names, warnings = collect(store, source)

    assert names == []
    assert warnings == [NAMELESS]


def test_a_name_that_holds_a_secret_is_not_kept(store, source):
    (source / "hunter22").mkdir()
    (source / "hunter22" / "file").touch()
    (source / "other").touch()

    names, warnings = collect(store, source, may_show=lambda name: "hunter22" not in name)

    assert names == ["other"]
    assert warnings == [NAMELESS]


def test_a_name_is_at_most_1024_bytes(store, source):
    folder = source
    for _ in range(5):
        folder = folder / ("x" * 220)
    folder.mkdir(parents=True)
    (folder / "file").touch()

    assert collect(store, source) == ([], [NAMELESS])


def test_files_deep_inside_are_left(store, source):
    deepest = source.joinpath(*["d"] * module.DEEPEST)
    (deepest / "d").mkdir(parents=True)
    (deepest / "kept").touch()
    (deepest / "d" / "left").touch()

    assert collect(store, source)[0] == ["d/" * module.DEEPEST + "kept"]


@pytest.mark.parametrize("prefix", ["good", "bad"])
def test_neither_artifacts_nor_warnings_are_without_number(store, source, monkeypatch, prefix):
    monkeypatch.setattr(module, "MOST_ARTIFACTS", 3)
    for number in range(6):
        (source / f"{prefix}{number}").touch()

    names, warnings = collect(store, source, may_show=lambda name: "bad" not in name)

    assert len(names) + len(warnings) == 4
    assert warnings[-1] == ("too_many_artifacts", {"limit": 3})


def test_a_file_that_cannot_be_copied_is_a_warning(store, source, monkeypatch):
    (source / "a").write_bytes(b"x" * 10)
    (source / "b").write_bytes(b"y" * 10)
    update = hashlib.sha256

    class Broken:
        def update(self, data):
            if data.startswith(b"x"):
                raise OSError(28, "No space left on device")
            self.real.update(data)

        def __init__(self):
            self.real = update()

        def hexdigest(self):
            return self.real.hexdigest()

    monkeypatch.setattr(module.hashlib, "sha256", Broken)

    names, warnings = collect(store, source)

    assert names == ["b"]
    reason = "No space left on device"
    assert warnings == [("artifact_not_kept", {"artifact": "a", "reason": reason})]
    with pytest.raises(NotFoundError):
        store.path("run", "a")


def test_what_is_not_there_is_not_found(store):
    with pytest.raises(NotFoundError, match="not stored here"):
        store.path("run", "nothing")


def test_what_belongs_to_forgotten_runs_is_removed(store, source, tmp_path):
    assert store.purge(lambda _ids: [], LATER) == 0
    (source / "a").touch()
    for run_id in ("one", "two", "three"):
        collect(store, source, run_id)
    asked = []

    def known(ids):
        asked.append(list(ids))
        return {"two"}

    assert store.purge(known, LATER) == 2

    assert asked == [["one", "three", "two"]]  # once for all
    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["two"]


def test_a_wrong_database_costs_no_artifacts_that_the_right_one_keeps(store, source, tmp_path):
    (source / "a").touch()
    for run_id, at in (("old", 1_000), ("young", 2_000)):
        collect(store, source, run_id)
        os.utime(tmp_path / "kept" / run_id, (at, at))

    assert store.purge(lambda _ids: [], 2_000_000) == 1

    assert [path.name for path in (tmp_path / "kept").iterdir()] == ["young"]


def test_a_runs_files_are_listed_and_survive_its_directory(workshop):
    workshop.write(
        "Job", "mkdir $RUNBOOK_ARTIFACTS/x; print hi | tee $RUNBOOK_ARTIFACTS/x/y; exit 3"
    )
    workshop.submit("Job.md")
    run = workshop.execute()

    (artifact,) = workshop.store.artifacts.of(run.id)
    assert (artifact.name, artifact.size) == ("x/y", 3)
    path = workshop.engine.parts.artifacts.path(run.id, "x/y")
    assert path.read_text() == "hi\n"
    assert path.is_relative_to(workshop.settings.data_dir)
    assert list(Path(workshop.settings.execution_dir).iterdir()) == []


def test_a_script_that_removes_its_folder_left_nothing(workshop):
    workshop.write("Job", "rmdir $RUNBOOK_ARTIFACTS; ln -s /etc $RUNBOOK_ARTIFACTS")
    workshop.submit("Job.md")
    run = workshop.execute()

    assert run.success
    assert workshop.store.artifacts.of(run.id) == []


@pytest.mark.parametrize(("retention_days", "left"), [(1, True), (-1, False)])
def test_a_worker_removes_the_files_of_runs_that_it_forgets(workshop, retention_days, left):
    workshop.write("Job", "print hi > $RUNBOOK_ARTIFACTS/a")
    workshop.submit("Job.md")
    run = workshop.execute()
    tasks = {
        task.name: task
        for task in worker_tasks(workshop.engine, list, Retention(retention_days, 0))
    }

    tasks["purge"].work()
    tasks["purge-artifacts"].work()

    assert bool(workshop.store.artifacts.of(run.id)) is left
    assert (workshop.settings.data_dir / "artifacts" / run.id).exists() is left
