"""What compose.multi.yaml promises: three instances, PostgreSQL and Redis, behind nginx."""

import itertools
import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from deploy.cluster import CLIENT_ADDRESS, await_true, events, outcome, running, submit
from deploy.test_nginx import ADDED
from integration.conftest import write_runbook
from patience import PATIENCE_S

pytestmark = pytest.mark.timeout(10 * PATIENCE_S)
EXECUTIONS = 10
"""RATE_LIMIT_EXECUTE_PER_MINUTE by default."""
HOLD = """
    print "host $(hostname)"
    while [[ ! -e /marks/$GATE ]]; do sleep 0.05; done
    print done
"""
COUNT = """
    print begun >> /marks/$KEY
    sleep $SECONDS_LONG
    print ended >> /marks/$KEY
"""
WRITE = """
    print more >> /runbooks/Hello.md && exit 5
    print more > /usr/x && exit 6
    cat /proc/1/environ /proc/self/environ | tr '\\0' '\\n' | grep -c $NEEDLE
    exit 0
"""


@pytest.fixture(scope="module")
def site():
    with running() as site:
        add = (
            ("Hello", "print hello", ""),
            ("Hold", HOLD, "GATE: A name."),
            ("Write", WRITE, "NEEDLE: Text."),
        )
        for name, script, inputs in add:
            write_runbook(site.runbooks, name, script, inputs=inputs)
        write_runbook(site.runbooks, "Count", COUNT, inputs="KEY: A name.\nSECONDS_LONG: Number.")
        yield site


@pytest.fixture
def subject():
    """Nobody else's share of the rate limit."""
    return f"user-{uuid.uuid4()}"


@pytest.fixture
def clients(site, subject):
    """Of the three instances."""
    clients = [site.client(one, subject) for one in site.instances]
    yield clients
    for client in clients:
        client.close()


@pytest.fixture
def proxied(site, subject):
    with site.client(subject=subject) as client:
        yield client


def test_a_run_is_submitted_on_one_followed_on_another_and_cancelled_on_the_third(clients):
    a, b, c = clients
    run_id = submit(a, "Hold.md", GATE="never")
    followed = events(b, run_id)
    seen = []
    for event in followed:
        seen.append(event)
        if event["type"] == "stdout":
            assert c.post(f"/api/runs/{run_id}/cancel").status_code in (200, 202)
            break
    seen += followed
    assert [event["n"] for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1]["type"] == "done"
    assert {client.get(f"/api/runs/{run_id}").json()["status"] for client in clients} == {
        "cancelled"
    }


def hold_one_on_each(site, proxied, gate):
    """The IDs of runs that are in progress, by the instance that executes them."""
    found = {}
    while len(found) < len(site.instances):
        with site.client(subject=f"many-{uuid.uuid4()}") as other:
            run_id = submit(other, "Hold.md", GATE=gate)
        for event in events(proxied, run_id):
            if event["type"] == "stdout":
                found.setdefault(event["text"].split()[1], []).append(run_id)
                break
    return found


@pytest.fixture
def gate(site):
    name = f"gate-{uuid.uuid4()}"
    yield name
    (site.marks / name).touch()


def test_nothing_is_lost_when_an_instance_is_stopped_amid_runs(site, proxied, gate):
    """Its runs go on to their end, and who follows them by the proxy sees all of it."""
    a, *others = site.instances
    held = hold_one_on_each(site, proxied, gate)
    followed = events(proxied, held[a.name][0])
    begin = [next(followed)]
    a.terminate()
    await_true(lambda: any(w["draining"] for w in workers(proxied)), "no worker drains")
    more = [submit(proxied, "Hello.md") for _ in range(3)]
    assert {outcome(proxied, run_id)["status"] for run_id in more} == {"succeeded"}
    (site.marks / gate).touch()
    try:
        begin += followed
    except httpx.HTTPError:  # by an instance that has ended: go on with another
        begin += events(proxied, held[a.name][0], begin[-1]["n"])
    assert a.wait() == 0
    assert [event["n"] for event in begin] == list(range(1, len(begin) + 1))
    assert begin[-1]["type"] == "done"
    for run_id in itertools.chain(*held.values()):
        assert outcome(proxied, run_id)["status"] == "succeeded"
    a.start()


def workers(client):
    return client.get("/api/status").json()["workers"]


def test_the_runs_of_a_killed_instance_are_recorded_and_not_repeated(site, proxied, gate):
    a = site.instances[0]
    held = hold_one_on_each(site, proxied, gate)
    a.kill()
    a.start()
    for run_id in held[a.name]:
        run = outcome(proxied, run_id)
        assert (run["status"], run["return_code"]) == ("lost", -1)
    (site.marks / gate).touch()
    for name in held.keys() - {a.name}:
        for run_id in held[name]:
            assert outcome(proxied, run_id)["status"] == "succeeded"


def test_a_rate_limit_is_exact_across_the_instances(site, clients, proxied):
    everywhere = [*clients, proxied]

    def execute(client):
        reply = client.post("/api/runbooks/Hello.md/execute", headers={"Prefer": "respond-async"})
        return reply.status_code

    with ThreadPoolExecutor(12) as pool:
        codes = Counter(pool.map(execute, everywhere * EXECUTIONS))
    assert codes == {202: EXECUTIONS, 429: 3 * EXECUTIONS}
    with site.client(subject="somebody-else") as other:
        assert execute(other) == 202


def test_the_history_of_a_read_only_folder_is_in_the_api(site, clients):
    document = site.runbooks / "Hello.md"
    before = document.read_bytes()
    reply = clients[0].post(
        "/api/runbooks/Hello.md/execute", headers={"Accept": "application/json"}
    )
    done = reply.json()
    assert (done["return_code"], done["warnings"]) == (0, [])
    for client in clients:
        newest = client.get("/api/runbooks/Hello.md/history").json()["entries"][0]
        assert newest["run_id"] == done["run_id"]
        entry = client.get(f"/api/runbooks/Hello.md/history/{newest['n']}")
        assert "hello" in entry.text
    assert document.read_bytes() == before


def test_a_script_can_neither_write_outside_its_folder_nor_find_the_secrets_in_an_environment(
    site, clients
):
    needle = site.secret("postgres_password")[:20]
    body = {"env_vars": {"NEEDLE": needle}}
    headers = {"Accept": "application/json"}
    done = clients[0].post("/api/runbooks/Write.md/execute", json=body, headers=headers).json()
    assert done["return_code"] == 0, done
    # Its own environment has the needle itself.
    assert done["stdout"].strip() == "1"


def test_events_pass_the_proxy_as_they_happen(site, proxied, gate):
    headers = {"Accept": "text/event-stream"}
    body = {"env_vars": {"GATE": gate}}
    with proxied.stream(
        "POST", "/api/runbooks/Hold.md/execute", json=body, headers=headers
    ) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        lines = reply.iter_lines()
        assert any(line.startswith("data: host ") for line in lines)
        (site.marks / gate).touch()  # only now can there be more
        assert [line for line in lines if line.startswith("event: ")][-1] == "event: done"


def test_the_client_is_known_by_its_address(site, subject):
    transport = httpx.HTTPTransport(local_address=CLIENT_ADDRESS, verify=site.tls)
    with site.client(subject=subject, transport=transport) as client:
        forged = {"X-Forwarded-For": "203.0.113.7"}
        token = client.get("/api/config", headers=forged).json()["token"]
    assert token["remote_ip"] == CLIENT_ADDRESS


@pytest.mark.parametrize("path", ["/", "/api/status", "/api/nowhere", "/docs/explorer.html"])
def test_each_security_header_is_sent_once(proxied, path):
    headers = proxied.get(path).headers
    for name, value in ADDED.items():
        assert headers.get_list(name) == [value], name
    assert len(headers.get_list("content-security-policy")) <= 1


def test_metrics_are_served_inside_only(site, proxied):
    assert proxied.get("/metrics").status_code == 404
    for one in site.instances:
        assert httpx.get(f"{one.url}/metrics").status_code == 404
        inside = httpx.get(f"http://127.0.0.1:{one.metrics_port}/metrics")
        assert "runbook_store_up" in inside.text


# -- a rolling restart -----------------------------------------------------------------------------


class Load:
    """Callers that submit runs one after the other, and repeat what failed with the same key."""

    CALLERS = 4
    PAUSE_S = 0.5
    """So that there is always work, but never a full queue."""
    RETRIED = (502, 503, 504, 429)

    def __init__(self, site):
        self._site = site
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(self.CALLERS)
        self.submitted = {}
        """The IDs of runs, by key."""
        self.repeated = Counter()

    def __enter__(self):
        self._callers = [self._pool.submit(self._call, n) for n in range(self.CALLERS)]
        return self

    def __exit__(self, *_):
        self._over.set()
        self._pool.shutdown()
        for caller in self._callers:
            caller.result()

    def _call(self, number):
        for count in itertools.count():
            if self._over.is_set():
                return
            key = f"run-{number}-{count}"
            # Each subject has its own share of the rate limit.
            with self._site.client(subject=f"load-{number}-{count // 5}") as client:
                self.submitted[key] = self._submit(client, key)
            self._over.wait(self.PAUSE_S)

    def _submit(self, client, key):
        body = {"env_vars": {"KEY": key, "SECONDS_LONG": f"{len(self.submitted) % 4 * 0.3:.1f}"}}
        headers = {"Prefer": "respond-async", "Idempotency-Key": key}
        for _ in range(600):
            try:
                reply = client.post("/api/runbooks/Count.md/execute", json=body, headers=headers)
            except httpx.TransportError as error:
                self.repeated[type(error).__name__] += 1
            else:
                if reply.status_code == 202:
                    return reply.json()["run_id"]
                assert reply.status_code in self.RETRIED, reply.text
                self.repeated[reply.status_code] += 1
            self._over.wait(0.1)
        raise AssertionError(f"{key} was never accepted: {self.repeated}")

    def more(self):
        """Wait for some runs to be accepted."""
        before = len(self.submitted)
        await_true(
            lambda: len(self.submitted) >= before + 2 * self.CALLERS or self._failed(), "no load"
        )

    def _failed(self):
        return any(caller.done() for caller in self._callers)


def test_a_rolling_restart_of_everything_under_load_loses_and_doubles_nothing(site, proxied):
    before = set(site.query("SELECT id FROM runs"))
    with Load(site) as load:
        for part in (*site.instances, site.postgres, site.redis, site.nginx, *site.instances):
            load.more()
            part.restart()
        load.more()
    after = {row[0] for row in set(site.query("SELECT id FROM runs")) - before}
    await_true(
        lambda: not site.query("SELECT 1 FROM runs WHERE finished_at IS NULL LIMIT 1"), "runs go on"
    )
    print(f"{len(after)} runs; repeated: {dict(load.repeated)}")
    assert after == set(load.submitted.values())
    assert len(after) == len(load.submitted)
    statuses = dict(site.query("SELECT id, status FROM runs"))
    assert Counter(statuses[run_id] for run_id in after) == {"succeeded": len(after)}
    for key in load.submitted:
        assert (site.marks / key).read_text() == "begun\nended\n", key
    assert proxied.get("/readyz").status_code == 200
