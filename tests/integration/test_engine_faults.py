"""What the engine does when its own parts fail it: each run still ends, and is recorded once."""

import dataclasses

import pytest

from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.engine import Engine
from runbook.engine.execute import execution
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.engine.sealing import Sealer
from runbook.engine.wakeups import Role
from runbook.errors import StoreBusyError
from runbook.host.identity import process_identity
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind

ANN = Principal("ann", Origin.API, grants=ALL_GRANTS)
RUNBOOK = """# Quick

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Script
```zsh
print quick
```

# History
"""


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "Quick.md").write_text(RUNBOOK)
    engine = build_engine(
        Settings.load(
            {
                "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
                "DATA_DIR": str(tmp_path / "data"),
                "EXECUTION_DIR": str(tmp_path / "execution"),
                "PATH": "/usr/bin:/bin",
            }
        ),
        Role.FOLLOWER,
    )
    engine.store.maintenance.migrate()
    now = engine.parts.clock()
    engine.store.workers.register(
        Worker("w", WorkerKind.LOCAL, slots=1, started_at=now, beat_at=now, **process_identity())
    )
    yield engine
    engine.parts.wakeups.close()
    engine.store.close()


@pytest.fixture
def claimed(engine):
    engine.submit("Quick.md", ANN, ExecuteRequest())
    return engine.store.runs.claim("w", root_slots=1)


def entries(engine):
    return engine.parts.catalog.path("Quick.md").read_text().count("\n### ")


def test_inputs_that_cannot_be_opened_end_the_run_and_start_nothing(engine, claimed):
    foreign = Sealer(bytes([7]) * 32)
    other = Engine(dataclasses.replace(engine.parts, sealer=foreign))

    other.execute(claimed, "w", Stop())

    run = engine.store.runs.get(claimed.run.id)
    assert run.status is RunStatus.FAILED
    assert run.result.errors[0].code == "store_unavailable"
    assert entries(engine) == 1


def test_a_document_that_was_changed_in_the_store_is_not_run(engine, claimed):
    forged = dataclasses.replace(
        claimed.document, content=claimed.document.content.replace(b"print quick", b"print evil")
    )

    engine.execute(dataclasses.replace(claimed, document=forged), "w", Stop())

    run = engine.store.runs.get(claimed.run.id)
    assert run.status is RunStatus.FAILED
    assert "evil" not in engine.store.logs.range(run.id, 0, 1000).decode()


def test_a_store_that_is_busy_at_the_end_delays_the_end_only(engine, claimed, monkeypatch):
    finish, refused = engine.store.runs.finish, []
    monkeypatch.setattr(execution, "END_PAUSE_S", 0)

    def busy(*args, **more):
        if len(refused) < 3:
            refused.append(args)
            raise StoreBusyError
        return finish(*args, **more)

    monkeypatch.setattr(engine.store.runs, "finish", busy)
    engine.execute(claimed, "w", Stop())

    assert len(refused) == 3
    assert engine.store.runs.get(claimed.run.id).success
    assert entries(engine) == 1


def test_a_run_that_nobody_executes_any_more_ends_as_its_history_says(engine, claimed, monkeypatch):
    monkeypatch.setattr(execution, "END_PAUSE_S", 0)
    with monkeypatch.context() as broken:

        def fail(*_args, **_more):
            raise StoreBusyError

        broken.setattr(engine.store.runs, "finish", fail)
        engine.execute(claimed, "w", Stop())
    assert engine.store.runs.get(claimed.run.id).status is RunStatus.RUNNING

    engine.end_forgotten("w", executing=[claimed.run.id])
    assert engine.store.runs.get(claimed.run.id).status is RunStatus.RUNNING
    engine.end_forgotten("w", executing=[])

    assert engine.store.runs.get(claimed.run.id).status is RunStatus.SUCCEEDED
    assert entries(engine) == 1


def test_a_fault_of_ours_fails_the_run_and_leaves_no_script(engine, claimed, monkeypatch):
    def fault(*_args):
        raise ZeroDivisionError

    monkeypatch.setattr(execution.Recorder, "write", fault)
    engine.execute(claimed, "w", Stop())

    run = engine.store.runs.get(claimed.run.id)
    assert run.status is RunStatus.FAILED
    assert [problem.code for problem in run.result.errors] == ["internal_error"]
    assert entries(engine) == 1
