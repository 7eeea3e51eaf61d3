"""Nothing on a run's way waits for a clock, and no history is read to validate. No timing here:
with every interval set to an hour, what polls would not come back within the test's time limit.
"""

import shutil
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine import runs as run_reader
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.host import proctable
from runbook.settings import Settings
from runbook.worker import slots
from runbook.worker.local import LocalWorker
from runbook.worker.periodic import Retention

ON_BOTH_DATABASES = True
RUNBOOK = """# {name}

# Environment Requirements
```yaml
{inputs}
```

# File System Requirements
```yaml
Input:
```

# Script
```zsh
{script}
```

# History
"""
ANN = Principal("ann", Origin.API, grants=ALL_GRANTS)


def write(folder, name, script, inputs="", history=""):
    text = RUNBOOK.format(name=name, script=script, inputs=inputs)
    (folder / f"{name}.md").write_text(text + history)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "runbooks").mkdir()
    return tmp_path / "runbooks"


@pytest.fixture
def configuration(tmp_path, folder, lend_database):
    with lend_database() as database:
        yield Settings.load(
            {
                "RUNBOOKS_DIR": str(folder),
                "DATA_DIR": str(tmp_path / "data"),
                "EXECUTION_DIR": str(tmp_path / "execution"),
                "PATH": "/usr/bin:/bin",
                # The scripts look at files of their tests.
                "ISOLATION": "process",
                **database,
            }
        )


@pytest.fixture
def elsewhere(configuration, engine, tmp_path, database_kind):
    """The worker's configuration: with PostgreSQL, one of another host with the same keys."""
    if database_kind == "sqlite":
        return configuration
    shutil.copytree(tmp_path / "data" / "keys", tmp_path / "other" / "keys")
    return configuration.with_data_dir(tmp_path / "other")


@pytest.fixture
def engine(configuration):
    """The engine of a web process."""
    engine = build_engine(configuration, Role.FOLLOWER)
    engine.store.maintenance.migrate()
    yield engine
    engine.parts.wakeups.close()
    engine.store.close()


@pytest.fixture
def working(elsewhere, engine, monkeypatch):
    """A worker in a thread, whose every interval is an hour."""
    monkeypatch.setattr(run_reader, "POLL_SECONDS", 3600)
    monkeypatch.setattr(slots, "BEAT_SECONDS", 3600)
    # Its scripts' orphans would come to this process; it must not take the tests' children.
    monkeypatch.setattr(proctable, "become_subreaper", lambda: None)
    executing = build_engine(elsewhere, Role.WORKER)
    made = LocalWorker(executing, slots=2, drain_s=0, retention=Retention(90, 0))
    executing.parts.wakeups.open()
    thread = threading.Thread(target=made.run)
    thread.start()
    yield made
    made.drain()
    thread.join()
    executing.store.close()


def ended(engine, run_id):
    return [event for event in engine.follow(run_id, heartbeat_s=3600) if event][-1]


def test_from_submit_to_done_nothing_polls(folder, engine, working):
    write(folder, "Quick", "print quick")
    for _ in range(3):
        run = engine.submit("Quick.md", ANN, ExecuteRequest()).run
        assert ended(engine, run.id).data["status"] == "succeeded"


def test_output_is_seen_at_once(folder, engine, working, tmp_path):
    gate = tmp_path / "gate"
    write(folder, "Waits", f"print first; while [[ ! -e {gate} ]]; do sleep 0.02; done")
    run = engine.submit("Waits.md", ANN, ExecuteRequest()).run
    for event in engine.follow(run.id, heartbeat_s=3600):
        if event.text == "first\n":
            gate.touch()
    assert engine.store.runs.get(run.id).success


def test_a_start_is_seen_at_once(folder, engine, working, tmp_path):
    gate = tmp_path / "gate"
    write(folder, "Silent", f"while [[ ! -e {gate} ]]; do sleep 0.02; done")
    run = engine.submit("Silent.md", ANN, ExecuteRequest()).run
    for event in engine.follow(run.id, heartbeat_s=3600):
        if event.type == "started":
            gate.touch()
    assert engine.store.runs.get(run.id).success


def test_a_cancellation_is_obeyed_at_once(folder, engine, working):
    write(folder, "Long", "print begun; sleep 1000")
    run = engine.submit("Long.md", ANN, ExecuteRequest()).run
    for event in engine.follow(run.id, heartbeat_s=3600):
        if event.text == "begun\n":
            engine.cancel(run, ANN)
    assert engine.store.runs.get(run.id).status is RunStatus.CANCELLED


def test_a_warm_validate_reads_no_history(folder, engine, monkeypatch):
    """Twenty megabytes below History: neither read nor parsed again, also not after an append."""
    entry = "\n### 2026-01-23T14:33:02.123Z | Exit Code: 0\n\n**Stdout:**\n```\nx\n```\n"
    write(folder, "Old", "true", history=entry * 300_000)
    path = folder / "Old.md"
    assert path.stat().st_size > 20_000_000
    assert engine.validate("Old.md", ANN, ExecuteRequest()).success
    read = []
    from runbook.library import loading

    original = loading.os.pread

    def counted(descriptor, size, offset):
        data = original(descriptor, size, offset)
        read.append(len(data))
        return data

    monkeypatch.setattr(loading.os, "pread", counted)
    assert engine.validate("Old.md", ANN, ExecuteRequest()).success
    assert sum(read) < 100_000  # its two ends at most: a file that is new is looked at again
    with path.open("a") as file:
        file.write(entry)
    assert engine.validate("Old.md", ANN, ExecuteRequest()).success
    assert 0 < sum(read) < 100_000


VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=200)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(value=VALUES)
def test_any_value_reaches_the_script_byte_for_byte(folder, engine, working, value):
    write(folder, "Echoes", 'print -rn -- "$VALUE" | od -An -v -tx1', inputs="VALUE: any text")
    request = ExecuteRequest(env_vars={"VALUE": value})
    run = engine.submit("Echoes.md", ANN, request).run
    assert ended(engine, run.id).data["status"] == "succeeded"
    printed = engine.store.logs.range(run.id, 0, 10_000).decode()
    assert bytes.fromhex(printed.replace("\n", "").replace(" ", "")) == value.encode()
