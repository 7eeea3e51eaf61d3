"""`runbook backup` and `runbook restore`, as a round trip between two machines."""

import json
import os
import sqlite3
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from runbook.bootstrap import build_engine
from runbook.cli.app import cli
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.host.identity import process_identity
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind

ANN = Principal("ann", Origin.API, grants=ALL_GRANTS)
RUNBOOK = """# Leave

# Environment Requirements
```yaml
WORD:
  description: A word
  type: string
KEY:
  description: A secret
  type: secret
```

# File System Requirements
```yaml
Input:
```

# Script
```sh
print $WORD; print $WORD > $RUNBOOK_ARTIFACTS/left.txt
```

# History
"""
GIVEN = {"WORD": "hello", "KEY": "not-to-be-found"}


class Machine:
    """Folders and a database of its own."""

    def __init__(self, folder, url):
        self.folder = folder
        for name in ("runbooks", "execution"):
            (folder / name).mkdir(parents=True)
        self.environment = {
            "RUNBOOKS_DIR": str(folder / "runbooks"),
            "EXECUTION_DIR": str(folder / "execution"),
            "DATA_DIR": str(folder / "data"),
            "PATH": os.environ["PATH"],
            **({} if url is None else {"DATABASE_URL": url}),
        }
        self.engine = None

    def open(self):
        self.engine = build_engine(Settings.load(self.environment), Role.FOLLOWER)
        self.engine.open()
        return self.engine

    def close(self):
        if self.engine is not None:
            self.engine.close()
            self.engine = None

    def execute(self, run):
        claimed = self.engine.store.runs.claim("w", root_slots=1)
        assert claimed.run.id == run.id
        self.engine.execute(claimed, "w", Stop())
        return self.engine.store.runs.get(run.id)

    def submit(self):
        request = ExecuteRequest(env_vars=GIVEN)
        return self.engine.submit("Leave.md", ANN, request).run

    def runbook(self, *args):
        result = CliRunner().invoke(cli, args, env=self.environment)
        return result.exit_code, result.stdout, result.stderr

    def answer(self, *args):
        code, out, err = self.runbook(*args, "--json")
        assert code == 0, err
        return json.loads(out)


@pytest.fixture
def machine(tmp_path, lend, kind, monkeypatch):
    for name in ("RUNBOOK_TOKEN", "RUNBOOK_URL_BASE"):
        monkeypatch.delenv(name, raising=False)
    made = []

    def make(name, url=None):
        made.append(Machine(tmp_path / name, url))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def old(machine, kind, request):
    """One with a run that has ended, one that is executing, and one that is queued."""
    url = request.getfixturevalue("postgres_url") if kind == "postgresql" else None
    one = machine("old", url)
    (one.folder / "runbooks" / "Leave.md").write_text(RUNBOOK)
    engine = one.open()
    one.ended = one.execute(one.submit())
    one.executing = one.submit()
    assert engine.store.runs.claim("w", root_slots=1).run.id == one.executing.id
    one.queued = one.submit()
    return one


def test_a_round_trip(old, machine, tmp_path, kind, new_url):
    made = old.answer("backup", str(tmp_path), "--with-runbooks")
    file = Path(made["file"])
    assert (file.stat().st_mode & 0o777, made["missing"]) == (0o600, [])
    log = old.engine.store.logs.range(old.ended.id, 0, 1000)
    old.close()

    new = machine("new", new_url if kind == "postgresql" else None)
    (new.folder / "runbooks").rmdir()
    restored = new.answer("restore", str(file), "--runbooks-to", str(new.folder / "runbooks"))
    assert (restored["runs"], restored["ended"], restored["audit_ok"]) == (3, 2, True)

    engine = new.open()
    shown = {run.id: run for run in engine.store.runs.page().runs}
    assert shown[old.ended.id] == old.ended
    assert engine.store.logs.range(old.ended.id, 0, 1000) == log
    for lost in (old.executing, old.queued):
        assert shown[lost.id].status is RunStatus.LOST
        assert [error.code for error in shown[lost.id].result.errors] == ["restored"]
        assert engine.store.runs.sealed(lost.id) is None
    (artifact,) = engine.runs.artifacts(old.ended)
    assert engine.runs.artifact_path(old.ended, artifact.name).read_text() == "hello\n"
    retried = engine.retry(old.ended, ANN, ExecuteRequest(env_vars={"KEY": "not-to-be-found"})).run
    assert new.execute(retried).success
    assert new.runbook("verify", "Leave.md")[0] == 0
    assert new.runbook("verify", "--audit")[0] == 0
    if kind == "sqlite":
        with sqlite3.connect(new.folder / "data" / "runbook.db") as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


@pytest.mark.parametrize("kind", ["sqlite"])
def test_a_backup_holds_no_inputs(old, tmp_path):
    sealed = old.engine.store.runs.sealed(old.queued.id)
    file = tmp_path / "backup.tar"
    assert old.runbook("backup", str(file))[0] == 0
    with tarfile.open(file) as archive:
        names = archive.getnames()
        database = archive.extractfile("runbook.db").read()
    assert sealed not in database
    assert {"runbook.db", "keys/inputs", "manifest.json"} <= set(names)
    assert not [name for name in names if name.startswith("runbooks/")]


@pytest.mark.parametrize("kind", ["sqlite"])
def test_nothing_is_restored_over_a_running_server_or_over_data(old, machine, tmp_path):
    file = tmp_path / "backup.tar.gz"
    assert old.runbook("backup", str(file))[0] == 0
    assert old.runbook("backup", str(file))[0] == 75
    now = old.engine.parts.clock()
    times = {"started_at": now, "beat_at": now}
    worker = Worker("w", WorkerKind.LOCAL, slots=1, **times, **process_identity())
    old.engine.store.workers.register(worker)
    assert old.runbook("restore", str(file), "--replace")[0] == 75
    old.engine.store.workers.remove("w")
    old.close()
    assert old.runbook("restore", str(file))[0] == 75
    aside = Path(old.answer("restore", str(file), "--replace")["aside"])
    assert {path.name for path in aside.iterdir()} >= {"runbook.db", "keys", "artifacts"}
    assert len(old.open().store.runs.page().runs) == 3


@pytest.mark.parametrize("kind", ["sqlite"])
@pytest.mark.parametrize("harm", ["cut", "changed", "nothing", "newer"])
def test_a_backup_that_is_not_whole_changes_nothing(old, machine, tmp_path, harm):
    file, other = tmp_path / "backup.tar", tmp_path / "harmed.tar"
    assert old.runbook("backup", str(file))[0] == 0
    content = file.read_bytes()
    if harm == "cut":
        other.write_bytes(content[: len(content) // 2])
    elif harm == "changed":
        other.write_bytes(content.replace(b"hello\n", b"jello\n"))
    elif harm == "newer":
        with tarfile.open(file) as archive:
            archive.extractall(tmp_path / "out", filter="data")
        manifest = tmp_path / "out" / "manifest.json"
        manifest.write_text(manifest.read_text().replace('"schema": "0', '"schema": "9'))
        with tarfile.open(other, "w") as archive:
            for path in sorted((tmp_path / "out").iterdir()):
                archive.add(path, path.name)
    new = machine("new")
    code = new.runbook("restore", str(other))[0]
    assert code == (78 if harm == "newer" else 74)
    assert [path.name for path in (new.folder / "data").iterdir()] == []
