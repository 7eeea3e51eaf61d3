"""Each alert fires: real servers whose condition is caused, scraped by a real Prometheus.

The rules are ours, but for the time that a condition must last, which promtool tests.
"""

import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil
import pytest

from deploy.prometheus import WEB, alerts, rules, running
from integration import conftest as integration
from needs import need
from ports import free_port

WAITS = "print begun; while [[ ! -e $GATE ]]; do sleep 0.02; done"


class Site:
    """Servers with what causes alerts, and the Prometheus that scrapes them."""

    def __init__(self, folder, ends):
        self.folder = folder
        self.dead_port = free_port()
        small = self._small_disk(ends)
        self.server = self._serve(ends, "main", MAX_PARALLEL_RUNS=1, MAX_QUEUED_RUNS=1)
        self.limited = self._serve(
            ends,
            "limited",
            RATE_LIMIT_ENABLED="true",
            RATE_LIMIT_PER_MINUTE=1,
            **({"EXECUTION_DIR": small} if small else {}),
        )
        self.without_store = self._serve(ends, "without-store")
        self.small_disk = small
        for name, script in {"Fails": "exit 3", "Holds": WAITS, "team one/Sre": "true"}.items():
            self.server.add(
                name,
                script,
                inputs="GATE: file" if name == "Holds" else "",
                claims="roles: sre" if name.endswith("Sre") else "",
            )
        self.client = ends.enter_context(self.server.client("ann", roles=["admin", "sre"]))
        assert self.client.post("/api/toolkits/health/install").status_code == 200
        enabled = self.client.patch("/api/toolkits/health", json={"enabled": True})
        assert enabled.status_code == 200
        targets = [f"127.0.0.1:{one.port}" for one in self._servers()]
        targets.append(f"127.0.0.1:{self.dead_port}")
        self.prometheus = ends.enter_context(running(folder, targets, rules(at_once=True)))

    def _servers(self):
        return self.server, self.limited, self.without_store

    def _serve(self, ends, name, **settings):
        return ends.enter_context(integration.running(self.folder / name, **settings))

    def _small_disk(self, ends):
        """A file system of 1 MiB, for which one has to be root."""
        place = self.folder / "small"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "runbook-test", place]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return None
        ends.callback(subprocess.run, ["umount", place], check=True)
        return str(place)

    def database(self):
        return closing(sqlite3.connect(self.server.data / "runbook.db", isolation_level=None))

    def execute(self, ref, **env_vars):
        headers = {"Prefer": "respond-async"}
        return self.client.post(
            f"/api/runbooks/{ref}/execute", json={"env_vars": env_vars}, headers=headers
        )

    def finish(self, ref, **env_vars):
        """Execute a runbook to its end."""
        return self.client.post(
            f"/api/runbooks/{ref}/execute",
            json={"env_vars": env_vars},
            headers={"Accept": "application/json"},
        ).json()

    def wait_for_status(self, run_id, status):
        def attempt():
            return self.client.get(f"/api/runs/{run_id}").json()["status"] == status

        self.prometheus.wait_for(f"a {status} run", attempt)

    def repeat(self, act, times, count):
        """`act` once, and again once Prometheus has scraped that: it counts what is added."""
        act()
        self.prometheus.wait_for(count, lambda: self.prometheus.query(f"{count} >= 1"))
        for _ in range(times):
            act()

    @contextmanager
    def busy(self):
        """One run is executed and one is queued: their IDs."""
        gate = self.folder / f"gate-{free_port()}"
        first, second = (self.execute("Holds.md", GATE=str(gate)).json() for _ in range(2))
        self.wait_for_status(first["run_id"], "running")
        try:
            yield first["run_id"], second["run_id"]
        finally:
            gate.touch()
            for run_id in (first["run_id"], second["run_id"]):
                self.client.post(f"/api/runs/{run_id}/cancel")
            self.prometheus.wait_for(
                "no active run",
                lambda: not self.client.get("/api/runs?active=true").json()["runs"],
            )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with ExitStack() as ends:
        yield Site(tmp_path_factory.mktemp("site"), ends)


# -- causes: each lasts as long as a `with` takes ----------------------------------------------


@contextmanager
def down(site):
    """Nothing listens on the fourth target's port."""
    yield


@contextmanager
def store_down(site):
    (site.without_store.data / "runbook.db").unlink(missing_ok=True)
    yield


@contextmanager
def frozen_worker(site):
    """Suspended between two writes: amid one, it would lock the database."""
    workers = [server.worker for server in (site.server, site.limited, site.without_store)]
    with site.database() as connection:
        connection.execute("PRAGMA busy_timeout = 100")
        while workers[0].status() != psutil.STATUS_STOPPED:
            workers[0].suspend()
            try:
                connection.execute("UPDATE workers SET beat_at = beat_at - 60000")
            except sqlite3.OperationalError:
                workers[0].resume()
    try:
        yield
    finally:
        workers[0].resume()
        site.server.wait_ready()


@contextmanager
def no_worker_anywhere(site):
    """Each server of this job says so: the alert concerns them all."""
    with ExitStack() as ends:
        for server in (site.limited, site.without_store):
            stop_accepting(server, ends)
        ends.enter_context(frozen_worker(site))
        yield


def stop_accepting(server, ends):
    """The worker drains, as the database has it; it says otherwise with its next heartbeat."""
    path = server.data / "runbook.db"
    if not path.exists():
        return
    worker = server.worker
    worker.suspend()
    ends.callback(worker.resume)
    with closing(sqlite3.connect(path, timeout=30)) as connection:
        connection.execute("UPDATE workers SET beat_at = beat_at - 60000")
        connection.commit()


@contextmanager
def errors(site):
    with site.busy():
        count = 'sum(flask_http_request_duration_seconds_count{status="503"})'
        site.repeat(lambda: site.execute("Holds.md", GATE="x"), 20, count)
        yield


@contextmanager
def slow(site):
    """Requests wait for a database that something else keeps locked."""

    def add(n):
        return site.client.put(f"/api/inventory/host-{n}", json={"address": "192.0.2.1"})

    def add_many():
        with site.database() as connection, ThreadPoolExecutor(20) as pool:
            connection.execute("BEGIN IMMEDIATE")
            assert {reply.status_code for reply in pool.map(add, range(20))} == {503}
            connection.execute("ROLLBACK")

    count = 'sum(flask_http_request_duration_seconds_count{path="/api/inventory/<device>"})'
    site.repeat(add_many, 1, count)
    yield


@contextmanager
def rate_limited(site):
    with site.limited.client() as client:
        count = 'sum(flask_http_request_total{status="429"})'
        client.get("/api/runs")
        site.repeat(lambda: client.get("/api/runs"), 60, count)
    yield


@contextmanager
def tokens_refused(site):
    headers = {"Authorization": "Bearer guessed"}
    count = 'sum(flask_http_request_total{status="401"})'
    site.repeat(lambda: site.client.get("/api/runs", headers=headers), 90, count)
    yield


@contextmanager
def refused(site):
    count = "sum(runbook_runs_refused_total)"
    with site.server.client("vic", roles=["viewer"]) as viewer:
        site.repeat(lambda: viewer.post("/api/runbooks/team one/Sre.md/execute"), 10, count)
    yield


@contextmanager
def lost(site):
    with site.busy() as (run_id, _):
        site.server.worker.kill()
        site.server.wait_ready()
        site.wait_for_status(run_id, "lost")
    yield


@contextmanager
def failing(site):
    count = 'sum(runbook_runs_total{status="failed",runbook="Fails.md"})'
    site.repeat(lambda: site.finish("Fails.md"), 8, count)
    yield


@contextmanager
def old_queue(site):
    with site.busy() as (_, queued):
        with site.database() as connection:
            connection.execute("PRAGMA busy_timeout = 30000")
            changed = connection.execute(
                "UPDATE runs SET created_at = created_at - 600000 WHERE id = ?", [queued]
            )
            assert changed.rowcount == 1
        yield


@contextmanager
def full_disk(site):
    need(site.small_disk, "root, to mount a small file system")
    with open(f"{site.small_disk}/filler", "wb") as filler:
        filler.write(bytes(1000 * 1024))
    yield


@contextmanager
def damage(site):
    with site.busy() as (_, queued):
        with site.database() as connection:
            connection.execute("PRAGMA busy_timeout = 30000")
            connection.execute("UPDATE runs SET status = 'nothing' WHERE id = ?", [queued])
        yield


CAUSES = {
    "RunbookDown": down,
    "RunbookErrorRate": errors,
    "RunbookRateLimited": rate_limited,
    "RunbookTokensRefused": tokens_refused,
    "RunbookRefused": refused,
    "RunbookRunsLost": lost,
    "RunbookRunsFailing": failing,
    "RunbookQueueOld": old_queue,
    "RunbookDiskLow": full_disk,
    "RunbookRecordsDamaged": damage,
    "RunbookSlow": slow,
    "RunbookHeartbeatMissed": frozen_worker,
    "RunbookNotAccepting": no_worker_anywhere,
    "RunbookStoreDown": store_down,
}


def test_every_alert_has_a_cause():
    assert CAUSES.keys() == alerts().keys()


@pytest.mark.parametrize("name", CAUSES)
def test_an_alert_fires_on_a_real_server(site, name):
    with CAUSES[name](site):
        fired = site.prometheus.wait_for(name, lambda: site.prometheus.firing(name))
    for alert in fired:
        assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
        assert "<no value>" not in str(alert["annotations"])
        ref, inputs = linked(alert)
        checked = site.client.patch(f"/api/runbooks/{ref}/validate", json={"env_vars": inputs})
        assert checked.status_code == 200, checked.text
        assert inputs["ALERT"] == name
        assert inputs.get("RUNBOOK") == alert["labels"].get("runbook")
        done = site.finish(ref, **inputs)
        is_unreachable = inputs.get("PORT") == str(site.dead_port)
        assert done["status"] == ("failed" if is_unreachable else "succeeded"), done["stdout"]


def linked(alert):
    """The runbook and the inputs of the form that an alert's link opens."""
    url = urlsplit(alert["annotations"]["runbook_url"])
    assert f"{url.scheme}://{url.netloc}" == WEB
    assert url.path.startswith("/execute/")
    given = parse_qsl(url.query, strict_parsing=True)
    assert all(name.startswith("env.") for name, _ in given)
    return unquote(url.path.removeprefix("/execute/")), {
        name.removeprefix("env."): value for name, value in given
    }
