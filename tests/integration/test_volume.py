"""Whatever a script prints, and however many run: bounded memory, nothing lost."""

import os
import subprocess
import sys

import pytest

from runbook.library.history import verify_file

MIB = 2**20

FLOODS = {
    "300 MB of lines": "head -c 300000000 /dev/zero | tr '\\0' '\\n'",
    "one line of 150 MB": "head -c 150000000 /dev/zero | tr '\\0' x",
    "random bytes": "head -c 100000000 /dev/urandom",
    "both streams": "yes | head -c 100000000 & yes no | head -c 100000000 >&2; wait",
}


@pytest.mark.parametrize("script", FLOODS.values(), ids=FLOODS.keys())
def test_no_process_grows_with_the_output(server, client, execute, script):
    server.add("Floods", f"print begin; {script}; print end")
    processes = [server.process, *server.process.children(recursive=True)]
    before = {process: process.memory_info().rss for process in processes}

    with client.stream("POST", "/api/runbooks/Floods.md/execute", json={}) as reply:
        sent = sum(len(piece) for piece in reply.iter_bytes())

    run = client.get("/api/runs", params={"runbook": "Floods.md", "limit": 1}).json()["runs"][0]
    assert run["status"] == "succeeded"
    assert run["log_bytes"] < 45 * MIB
    assert sent < 400 * MIB
    log = client.get(f"/api/runs/{run['id']}/log").content
    assert log.startswith(b"begin\n")
    assert b"end\n" in log
    assert b"bytes of output omitted: MAX_OUTPUT_SIZE_BYTES is 10485760" in log
    for process, size in before.items():
        assert process.memory_info().rss - size < 64 * MIB, process.cmdline()


MANY_RUNS = """
import os, sys
from runbook.bootstrap import build_engine
from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.wakeups import Role
from runbook.host.identity import process_identity
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.settings import Settings
from runbook.store.models import Worker, WorkerKind
import logging
logging.disable(logging.CRITICAL)
engine = build_engine(Settings.load(dict(os.environ)), Role.FOLLOWER)
engine.store.maintenance.migrate()
worker = f"worker-{os.getpid()}"
now = engine.parts.clock()
engine.store.workers.register(
    Worker(id=worker, kind=WorkerKind.CLI, slots=1, started_at=now, beat_at=now,
           **process_identity()))
caller = Principal("ann", Origin.API, grants=ALL_GRANTS)
for _ in range(int(sys.argv[1])):
    run = engine.submit("Many.md", caller, ExecuteRequest(assigned_to=worker)).run
    engine.execute(engine.store.runs.claim(worker, root_slots=1), worker, Stop())
    assert engine.store.runs.get(run.id).success
engine.store.workers.remove(worker)
"""


def test_eight_processes_record_all_their_runs_of_one_runbook(server, client):
    """400 runs by eight engines over one store and one file."""
    path = server.runbooks / server.add("Many", "true")
    environment = server.environment | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-W", "error", "-c", MANY_RUNS, "50"]
    engines = [subprocess.Popen(command, env=environment) for _ in range(8)]

    assert [engine.wait() for engine in engines] == [0] * 8
    verification = verify_file(path)
    assert verification.ok
    assert verification.entries == 400
    assert path.read_text().count("\n### ") == 400

    changed = path.read_bytes().replace(b"n=200 ", b"n=201 ", 1)
    path.write_bytes(changed)
    verification = verify_file(path)
    assert not verification.ok
    assert verification.problems[0].entry in (200, 201)
