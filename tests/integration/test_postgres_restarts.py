"""PostgreSQL falls over while a server works: scripts go on, and nothing is lost or done twice."""

import time

import pytest

from patience import PATIENCE_S
from runbook.library.history import verify_file

COUNTS = """
until [[ -e $GATE ]]; do
    print line $(( ++n )); print $n > $COUNT.new; mv $COUNT.new $COUNT
    sleep 0.02
done
"""


@pytest.fixture
def server(serve, own_postgres, tmp_path):
    url = own_postgres.url("postgres").replace("postgresql:", "postgresql+psycopg:")
    with serve(tmp_path / "server", DATABASE_URL=url, MAX_PARALLEL_RUNS=1) as server:
        server.add("Counts", COUNTS, inputs="GATE: file\nCOUNT: file")
        server.add("Quick", "print $RUNBOOK_RUN_ID >> $FILE", inputs="FILE: file")
        yield server


def printed(count):
    return int(count.read_text()) if count.exists() else 0


def wait_until(is_so):
    deadline = time.monotonic() + PATIENCE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_runs_go_on_and_queued_ones_are_executed_once(
    server, client, own_postgres, submit, follow, tmp_path
):
    count, gate, file = (tmp_path / name for name in ("count", "gate", "file"))
    env_vars = {"GATE": str(gate), "COUNT": str(count)}
    running = submit(client, "/api/runbooks/Counts.md/execute", env_vars=env_vars)
    path, body = "/api/runbooks/Quick.md/execute", {"env_vars": {"FILE": str(file)}}
    queued = [submit(client, path, **body) for _ in range(5)]
    wait_until(lambda: printed(count) > 10)

    own_postgres.stop()
    refused = client.post(path, json=body)
    before = printed(count)
    wait_until(lambda: printed(count) > before + 10)
    own_postgres.start()
    server.wait_ready()
    queued.append(submit(client, path, **body))
    gate.touch()

    events = list(follow(client, running))
    assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
    assert [event["n"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["status"] == "succeeded"
    lines = "".join(event.get("text", "") for event in events).splitlines()
    assert lines == [f"line {n}" for n in range(1, printed(count) + 1)]
    assert [list(follow(client, run_id))[-1]["status"] for run_id in queued] == ["succeeded"] * 6
    assert sorted(file.read_text().split()) == sorted(queued)
    for name, entries in (("Counts.md", 1), ("Quick.md", 6)):
        found = verify_file(server.runbooks / name)
        assert (found.ok, found.entries) == (True, entries)
