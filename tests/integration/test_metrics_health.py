"""What machines read: health, metrics, and a log of which every line is JSON."""

import json
import logging
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection

import httpx
import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from patience import PATIENCE_S
from ports import free_port

WAITS = "print begun; while [[ ! -e $GATE ]]; do sleep 0.02; done"


@pytest.fixture(scope="module")
def metrics_port():
    return free_port()


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory, metrics_port):
    settings = {"MAX_PARALLEL_RUNS": 1, "MAX_QUEUED_RUNS": 1, "METRICS_PORT": metrics_port}
    with serve(tmp_path_factory.mktemp("metrics"), **settings) as server:
        server.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        server.add("Quick", "print quick")
        server.add("Fails", "exit 3")
        server.add("Sre", "true", claims="roles: sre")
        server.add("Holds", WAITS, inputs="GATE: file")
        yield server


def samples(server):
    """Every sample by its name and labels."""
    families = text_string_to_metric_families(httpx.get(server.metrics_url).text)
    return {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def submit(client, ref, **env_vars):
    headers = {"Prefer": "respond-async"}
    return client.post(
        f"/api/runbooks/{ref}/execute", json={"env_vars": env_vars}, headers=headers
    ).json()["run_id"]


# -- health ----------------------------------------------------------------------------------------


def test_live_and_ready_need_no_token(server):
    assert httpx.get(f"{server.url}/livez").json() == {"status": "ok"}
    ready = {"status": "ok", "database": "sqlite", "reasons": [], "problems": []}
    said = httpx.get(f"{server.url}/readyz").json()
    assert {note["code"] for note in said.pop("notes")} <= {"not_sandboxed"}
    assert said == ready


def not_ready(server):
    reply = httpx.get(f"{server.url}/readyz")
    assert reply.status_code == 503
    assert reply.json()["status"] == "not ready"
    assert str(server.folder) not in reply.text
    assert httpx.get(f"{server.url}/livez").status_code == 200
    (reason,) = reply.json()["reasons"]
    return reason


def database(server):
    return closing(sqlite3.connect(server.data / "runbook.db", isolation_level=None))


def suspend_between_writes(server):
    """Suspend the worker, whose beat is old then. Amid a write, it would lock the database."""
    worker = server.worker
    with database(server) as connection:
        connection.execute("PRAGMA busy_timeout = 100")
        while worker.status() != psutil.STATUS_STOPPED:
            worker.suspend()
            try:
                connection.execute("UPDATE workers SET beat_at = beat_at - 60000")
            except sqlite3.OperationalError:
                worker.resume()


def test_a_server_whose_worker_does_not_answer_is_not_ready(server):
    suspend_between_writes(server)
    try:
        assert "no worker accepts runs" in not_ready(server)
        assert samples(server)[("runbook_workers_accepting",)] == 0
    finally:
        server.worker.resume()
    server.wait_ready()


def test_a_server_whose_database_is_not_its_own_is_not_ready(server):
    with database(server) as connection:
        (version,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("UPDATE alembic_version SET version_num = 'of-the-future'")
        try:
            assert "database" in not_ready(server).lower()
        finally:
            connection.execute("UPDATE alembic_version SET version_num = ?", [version])
    server.wait_ready()


def test_a_server_whose_runbooks_are_gone_is_not_ready(server):
    aside = server.runbooks.rename(server.folder / "aside")
    try:
        assert not_ready(server) == "RUNBOOKS_DIR is not a folder"
    finally:
        aside.rename(server.runbooks)
    server.wait_ready()


# -- metrics ---------------------------------------------------------------------------------------


def test_runs_are_counted_by_runbook_and_status(server, client, execute):
    before = samples(server)
    execute(client, "Quick.md")
    execute(client, "Quick.md")
    execute(client, "Fails.md")
    with server.client("vic", roles=["viewer"]) as viewer:
        assert viewer.post("/api/runbooks/Sre.md/execute").status_code == 403

    after = samples(server)

    def grown(name, **labels):
        key = (name, *sorted(labels.items()))
        return after[key] - before.get(key, 0)

    assert grown("runbook_runs_total", runbook="Quick.md", status="succeeded") == 2
    assert grown("runbook_runs_total", runbook="Fails.md", status="failed") == 1
    assert grown("runbook_runs_refused_total", runbook="Sre.md") == 1
    assert grown("runbook_run_duration_seconds_count", runbook="Quick.md") == 2
    assert 0 < grown("runbook_run_duration_seconds_sum", runbook="Quick.md") < 60
    assert grown("runbook_run_duration_seconds_bucket", runbook="Quick.md", le="+Inf") == 2


def test_an_invalid_attempt_is_counted(server, client, execute):
    execute(client, "Quick.md", UNDECLARED="x")

    key = ("runbook_runs_total", ("runbook", "Quick.md"), ("status", "invalid"))
    assert samples(server)[key] == 1


def test_the_queue_is_seen_while_it_stands(server, client, follow):
    assert samples(server)[("runbook_queue_oldest_age_seconds",)] == 0
    gate = server.folder / "gate"
    first = submit(client, "Holds.md", GATE=str(gate))
    second = submit(client, "Holds.md", GATE=str(gate))
    next(event for event in follow(client, first) if event["type"] == "stdout")

    seen = samples(server)

    assert seen[("runbook_runs_running",)] == 1
    assert seen[("runbook_queue_depth",)] == 1
    assert 0 < seen[("runbook_queue_oldest_age_seconds",)] < 60
    assert seen[("runbook_workers_accepting",)] == seen[("runbook_store_up",)] == 1
    refused = client.post("/api/runbooks/Holds.md/execute", json={"env_vars": {"GATE": "x"}})
    assert refused.status_code == 503
    gate.touch()
    assert list(follow(client, second))[-1]["status"] == "succeeded"
    seen = samples(server)
    assert seen[("runbook_runs_running",)] == seen[("runbook_queue_depth",)] == 0


def test_every_process_tells_the_same(server, client, execute):
    execute(client, "Quick.md")

    def ask(_):
        """On a connection of its own, so that either process may answer."""
        connection = HTTPConnection(
            "127.0.0.1", int(server.metrics_url.split(":")[2].split("/")[0])
        )
        connection.request("GET", "/metrics", headers={"Connection": "close"})
        with connection.getresponse() as reply:
            return [line for line in reply.read().decode().splitlines() if "runbook_runs_" in line]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))

    assert answers[0]
    assert all(answer == answers[0] for answer in answers)


def test_metrics_are_well_formed(server, client):
    reply = httpx.get(server.metrics_url)

    assert reply.headers["content-type"].startswith("text/plain; version=")
    kinds = re.findall(r"^# TYPE (\S+) (\S+)$", reply.text, re.MULTILINE)
    assert len(kinds) == len({name for name, _ in kinds}), "a family stands twice"
    helps = re.findall(r"^# HELP (\S+) (.+)$", reply.text, re.MULTILINE)
    assert [name for name, _ in helps] == [name for name, _ in kinds]
    families = list(text_string_to_metric_families(reply.text))
    seen = set()
    for family in families:
        assert family.name.startswith(("runbook_", "flask_", "process_", "python_"))
        assert family.documentation
        for sample in family.samples:
            key = (sample.name, *sorted(sample.labels.items()))
            assert key not in seen
            seen.add(key)
            if family.type == "counter":
                assert sample.name == f"{family.name}_total"
                assert sample.value >= 0
    for family in families:
        if family.type == "histogram":
            check_histogram(family)


def check_histogram(family):
    """Buckets grow, and the last one counts everything."""
    series = {}
    for sample in family.samples:
        labels = tuple(sorted((k, v) for k, v in sample.labels.items() if k != "le"))
        series.setdefault(labels, []).append(sample)
    for of_labels in series.values():
        buckets = [s for s in of_labels if s.name.endswith("_bucket")]
        limits = [float(s.labels["le"]) for s in buckets]
        assert limits == sorted(limits)
        assert [s.value for s in buckets] == sorted(s.value for s in buckets)
        (count,) = [s.value for s in of_labels if s.name.endswith("_count")]
        assert buckets[-1].labels["le"] == "+Inf"
        assert buckets[-1].value == count


def test_no_label_names_a_person_or_a_run(server, client, execute):
    run_id = execute(client, "Quick.md")["run_id"]
    client.get(f"/api/runs/{run_id}")
    text = httpx.get(server.metrics_url).text

    assert run_id not in text
    assert "ann" not in re.findall(r'"([^"]*)"', text)
    assert set(re.findall(r'[{,](\w+)="', text)) <= {
        "method", "status", "rule", "path", "le", "runbook", "version", "folder",
    }  # fmt: skip


def test_metrics_port_serves_metrics_and_health_only(server, metrics_port):
    other = f"http://127.0.0.1:{metrics_port}"
    assert httpx.get(f"{server.url}/metrics").status_code == 404
    for path in ("/metrics", "/livez", "/readyz"):
        assert httpx.get(other + path).status_code == 200
    token = server.token()
    for path in ("/", "/api/runs", "/docs/openapi.yaml", "/nothing"):
        reply = httpx.get(other + path, headers={"Authorization": f"Bearer {token}"})
        assert reply.status_code == 404
        assert reply.headers["content-type"] == "application/problem+json"
    assert httpx.post(f"{other}/dev-login").status_code == 404
    # The port of the socket counts, not what the request says of it.
    host = {"Host": f"127.0.0.1:{metrics_port}"}
    assert httpx.get(f"{server.url}/metrics", headers=host).status_code == 404


@pytest.mark.skipif(not shutil.which("promtool"), reason="needs promtool")
def test_promtool_accepts_the_metrics(server):
    text = httpx.get(server.metrics_url).text
    subprocess.run(["promtool", "check", "metrics"], input=text, text=True, check=True)


# -- the log ---------------------------------------------------------------------------------------

NASTY = ["a\r\nb", 'fake\n{"event": "forged"}', "\x1b[31mred", "\u2028line", "\x85"]


def test_every_line_of_the_log_is_json(serve, tmp_path):
    """Whatever callers, files and scripts are called; whatever breaks."""
    with serve(tmp_path, LOGGING_LEVEL="DEBUG", SCRIPT_TIMEOUT_SECONDS=1) as server:
        server.add("Odd", "print -r -- $'out\\r\\nput'; print -u2 $'\\e[31m'; sleep 5")
        (server.runbooks / "new\nline.md").write_text("# x\n")
        (server.runbooks / "Broken.md").write_bytes(b"\xff\xfe# no\n")
        for subject in NASTY:
            with server.client(subject, roles=[subject]) as client:
                client.get("/api/runbooks/" + "%0d%0a" + "x.md")
                client.get("/nothing", params={"q": subject})
                body = {"reason": subject, "env_vars": {subject: subject}}
                client.post("/api/runbooks/Odd.md/execute", json=body)
        with server.client() as client:
            client.post("/api/runbooks/Odd.md/execute")
            client.post("/api/runbooks/Odd.md/execute", json={"reason": "\x00nul"})
            client.get("/api/runbooks")
        rude = HTTPConnection("127.0.0.1", server.port)
        rude.connect()
        rude.sock.sendall(b"GARBAGE\r\n\r\n")
        rude.close()
        server.worker.kill()
        server.wait_ready()
        server.web.send_signal(signal.SIGHUP)
        server.wait_ready()
    assert server.log
    for line in server.log:
        assert line.endswith("\n")
        entry = json.loads(line)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z", entry["time"])
        assert entry["level"] in logging.getLevelNamesMapping()
        assert isinstance(entry["event"], str)
        assert entry["event"]
        assert entry["event"] != "forged"


def test_a_start_that_fails_is_one_line_and_no_traceback(server):
    """The one line that is not JSON: what `runbook serve` says to the person who typed it."""
    environment = {**server.environment, "API_PORT": "x", "DATA_DIR": str(server.folder / "other")}
    ended = subprocess.run(
        [sys.executable, "-m", "runbook.host.supervisor"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert ended.returncode == 78
    assert "API_PORT" in ended.stderr
    assert "Traceback" not in ended.stderr
