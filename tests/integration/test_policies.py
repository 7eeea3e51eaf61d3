"""Who may call what: every route against every kind of caller, and what every refusal looks like.

The table is the whole of it: a route that is added without a row here fails the tests.
"""

import json
import re
import shutil
import subprocess
from itertools import islice, product

import httpx
import pytest
from flask import Blueprint
from prometheus_client import CollectorRegistry

from patience import PATIENCE_S
from runbook.access.minting import mint_run_token
from runbook.access.tokens import CallerTokens
from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.routing import policy_of
from runbook.bootstrap import build_authenticator, build_engine, build_toolkits, run_token_key
from runbook.core.access import Principal
from runbook.core.events import EventType
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.connections.connections import NewConnection
from runbook.engine.requests import ExecuteRequest
from runbook.engine.wakeups import Role
from runbook.host.identity import process_identity
from runbook.settings import Settings
from runbook.store.models import NewEvent, Worker, WorkerKind

CALLERS = ("none", "bad", "viewer", "sre", "admin", "script", "ended script")
EVERYONE = (200,) * 7
ANY_TOKEN = (401, 401, 200, 200, 200, 200, 401)
# Of runs of a runbook that wants the role sre; `script` is the script of a run above them.
READERS = (401, 401, 404, 200, 404, 200, 401)
GOLDEN = {
    "GET /": EVERYONE,
    "GET /<page:path>": EVERYONE,
    "GET /livez": EVERYONE,
    "GET /readyz": EVERYONE,
    "GET /metrics": EVERYONE,
    "GET /docs/openapi.yaml": EVERYONE,
    "GET /docs/explorer.html": EVERYONE,
    "GET /docs/explorer.js": EVERYONE,
    "GET /docs/assets/<name>": EVERYONE,
    "GET /docs/problems": EVERYONE,
    "GET /auth/login": (302,) * 7,
    "POST /dev-login": (200, 200, 200, 200, 200, 403, 403),
    "GET /api/config": (401, 401, 200, 200, 200, 403, 401),
    "GET /api/audit": (401, 401, 403, 403, 200, 403, 401),
    "POST /api/shutdown": (401, 401, 403, 403, 200, 403, 401),
    "GET /api/runbooks": ANY_TOKEN,
    "GET /api/runbooks/<ref:ref>": ANY_TOKEN,
    "GET /api/runbooks/<ref:ref>/required-env": ANY_TOKEN,
    "GET /api/runbooks/<ref:ref>/inputs": ANY_TOKEN,
    "GET /api/runbooks/<ref:ref>/locks": (401, 401, 403, 200, 403, 200, 401),
    "GET /api/runbooks/<ref:ref>/history": (401, 401, 403, 200, 403, 200, 401),
    "GET /api/runbooks/<ref:ref>/history/<int:n>": (401, 401, 403, 404, 403, 404, 401),
    "PATCH /api/runbooks/<ref:ref>": (401, 401, 403, 200, 403, 200, 401),
    "PATCH /api/runbooks/<ref:ref>/validate": (401, 401, 403, 200, 403, 200, 401),
    "POST /api/runbooks/<ref:ref>": (401, 401, 403, 202, 403, 202, 401),
    "POST /api/runbooks/<ref:ref>/execute": (401, 401, 403, 202, 403, 202, 401),
    "POST /api/runbooks/<ref:ref>/choices/<path>": (401, 401, 403, 404, 403, 404, 401),
    "GET /api/toolkits": (401, 401, 200, 200, 200, 403, 401),
    "GET /api/toolkits/<slug>/readme": (401, 401, 404, 404, 404, 403, 401),
    "POST /api/toolkits": (401, 401, 403, 403, 415, 403, 401),
    "POST /api/toolkits/<slug>/install": (401, 401, 403, 403, 404, 403, 401),
    "POST /api/toolkits/<slug>/rollback": (401, 401, 403, 403, 404, 403, 401),
    "POST /api/toolkits/<slug>/update": (401, 401, 403, 403, 404, 403, 401),
    "POST /api/toolkit-updates": (401, 401, 403, 403, 404, 403, 401),
    "GET /api/toolkits/<slug>": (401, 401, 404, 404, 404, 403, 401),
    "PATCH /api/toolkits/<slug>": (401, 401, 403, 403, 400, 403, 401),
    "DELETE /api/toolkits/<slug>": (401, 401, 403, 403, 404, 403, 401),
    # Of a connection for the role sre; the last one removes it.
    "GET /api/connection-kinds": (401, 401, 200, 200, 200, 403, 401),
    "GET /api/connections": (401, 401, 200, 200, 200, 403, 401),
    "POST /api/connections": (401, 401, 403, 403, 400, 403, 401),
    "GET /api/connections/<connection>": (401, 401, 403, 200, 200, 403, 401),
    "PATCH /api/connections/<connection>": (401, 401, 403, 403, 200, 403, 401),
    "POST /api/connections/<connection>/check": (401, 401, 403, 200, 200, 403, 401),
    "POST /api/connections/<connection>/retrust": (401, 401, 403, 403, 200, 403, 401),
    "DELETE /api/connections/<connection>": (401, 401, 403, 403, 200, 403, 401),
    # Of a device that nobody has added; the last one adds it.
    "GET /api/inventory": ANY_TOKEN,
    "GET /api/inventory-export": ANY_TOKEN,
    "GET /api/inventory-filters": ANY_TOKEN,
    "GET /api/inventory/<device>": (401, 401, 404, 404, 404, 404, 401),
    "GET /api/inventory/<device>/runbooks": (401, 401, 404, 404, 404, 404, 401),
    "GET /api/inventory/<device>/backups": (401, 401, 404, 404, 404, 404, 401),
    "GET /api/inventory/<device>/blame": (401, 401, 404, 404, 404, 404, 401),
    "GET /api/inventory/<device>/diff": (401, 401, 404, 404, 404, 404, 401),
    "POST /api/inventory-import": (401, 401, 403, 403, 400, 403, 401),
    "PATCH /api/inventory/<device>": (401, 401, 403, 403, 404, 403, 401),
    "DELETE /api/inventory/<device>": (401, 401, 403, 403, 404, 403, 401),
    "PUT /api/inventory/<device>": (401, 401, 403, 403, 200, 403, 401),
    "GET /api/status": (401, 401, 200, 200, 200, 403, 401),
    "GET /api/public": EVERYONE,
    "GET /api/runs": ANY_TOKEN,
    "GET /api/runs/changes": ANY_TOKEN,
    "GET /api/runs/<run_id>": READERS,
    "GET /api/runs/<run_id>/document": READERS,
    "GET /api/runs/<run_id>/events": READERS,
    "GET /api/runs/<run_id>/log": READERS,
    "GET /api/runs/<run_id>/artifacts": READERS,
    "GET /api/runs/<run_id>/artifacts/<path:artifact>": (401, 401, 404, 404, 404, 404, 401),
    "GET /api/runs/<run_id>/devices": READERS,
    "GET /api/runs/<run_id>/devices.csv": READERS,
    "POST /api/runs/<run_id>/pause": (401, 401, 404, 409, 404, 403, 401),
    "POST /api/runs/<run_id>/continue": (401, 401, 404, 409, 404, 403, 401),
    # Without a body; only the script of the run may say what it wants.
    "POST /api/runs/<run_id>/fanouts": (401, 401, 400, 400, 400, 400, 401),
    "POST /api/runs/<run_id>/fanouts/<int:n>/advance": (401, 401, 404, 404, 404, 404, 401),
    "POST /api/runs/<run_id>/cancel": (401, 401, 404, 200, 404, 403, 401),
    "POST /api/runs/<run_id>/retry": (401, 401, 404, 202, 404, 403, 401),
    "POST /api/runs/<run_id>/resume": (401, 401, 404, 409, 404, 403, 401),
    "GET /api/runs/<run_id>/undo": tuple(409 if status == 200 else status for status in READERS),
    "POST /api/runs/<run_id>/undo": (401, 401, 404, 409, 404, 403, 401),
}
SECRET = "a-secret-of-more-than-thirty-two-bytes!"
FRESH_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
RUNBOOK = """\
# {name}

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Required Claims
```yaml
roles: sre
```

# Script
```sh
true
```

# History
"""
SRE = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)


class InProcess:
    """The application in this process, over a store of its own, with runs in several states."""

    def __init__(self, folder, supervisor_pid):
        self.folder = folder
        for name in ("runbooks", "execution"):
            (folder / name).mkdir()
        for name in ("Parent", "Sre"):
            (folder / "runbooks" / f"{name}.md").write_text(RUNBOOK.format(name=name))
        self.settings = Settings.load(
            {
                "RUNBOOKS_DIR": str(folder / "runbooks"),
                "EXECUTION_DIR": str(folder / "execution"),
                "DATA_DIR": str(folder / "data"),
                "JWT_SECRET": SECRET,
                "ENABLE_LOGIN": "true",
                "RATE_LIMIT_ENABLED": "false",
            }
        )
        self.engine = build_engine(self.settings, Role.FOLLOWER)
        self.engine.store.maintenance.migrate()
        self.authenticator = build_authenticator(self.settings)
        self.app = create_app(
            Application(
                self.settings,
                self.engine,
                self.authenticator,
                build_toolkits(self.settings, self.engine),
                CollectorRegistry(),
                supervisor_pid,
            )
        )
        values = {"url": "http://127.0.0.1:1", "token": "a-token"}
        lab = NewConnection("lab", "netbox", values, {"roles": "sre"})
        self.engine.connections.add(lab, SRE)
        self._register_worker()
        running, ended = self._begin("Parent.md", SRE), self._begin("Parent.md", SRE)
        self._end(ended)
        self.child = self._begin("Sre.md", self._script(running))
        self._end(self.child)
        self.headers = {
            "none": {},
            "bad": {"Authorization": "Bearer a.b.c"},
            "viewer": self._caller("vic", "viewer"),
            "sre": self._caller("bob", "sre"),
            "admin": self._caller("root", "admin"),
            "script": self._script_token(running),
            "ended script": self._script_token(ended),
        }

    def _register_worker(self):
        now = self.engine.parts.clock()
        times = {"started_at": now, "beat_at": now}
        worker = Worker("w", WorkerKind.LOCAL, slots=1, **times, **process_identity())
        self.engine.store.workers.register(worker)

    def _begin(self, ref, principal):
        run = self.engine.submit(ref, principal, ExecuteRequest(correlation_id="c")).run
        assert self.engine.store.runs.claim("w", root_slots=1).run.id == run.id
        return run

    def _end(self, run):
        done = NewEvent(self.engine.parts.clock(), EventType.DONE, data={})
        self.engine.store.runs.finish(run.id, Outcome(RunStatus.SUCCEEDED, 0), [done])

    def _script(self, run):
        return Principal(
            "ann", Origin.RUNBOOK, {"roles": ["sre"]}, run_id=run.id, grants=ALL_GRANTS
        )

    def _script_token(self, run):
        token = mint_run_token(run_token_key(self.settings), run.id, "ann", {"roles": ["sre"]})
        return {"Authorization": f"Bearer {token}"}

    def _caller(self, subject, role):
        token = CallerTokens(self.settings).mint(subject, {"roles": [role]}).token
        return {"Authorization": f"Bearer {token}"}

    def close(self):
        self.engine.store.close()
        self.engine.parts.wakeups.close()

    def url(self, rule):
        values = {
            "ref": "Sre.md",
            "run_id": self.child.id,
            "name": "swagger-ui.css",
            "path": "runs",
            "slug": "yard",
            "connection": "lab",
            "device": "edge-1",
        }
        values |= {"artifact": "kept.txt", "n": "1"}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: values[found[1]], rule)

    def ask(self, operation, caller, **more):
        method, _, rule = operation.partition(" ")
        headers = {**self.headers[caller], "Prefer": "respond-async", **more}
        client = self.app.test_client()
        return client.open(self.url(rule), method=method, headers=headers)


@pytest.fixture(scope="module")
def bystander():
    """A process that takes the place of the supervisor, to be ended by /api/shutdown."""
    process = subprocess.Popen([shutil.which("sleep"), "600"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def application(tmp_path_factory, bystander):
    application = InProcess(tmp_path_factory.mktemp("policies"), bystander.pid)
    yield application
    application.close()


def beginning(reply):
    """The whole text; of a stream that never ends, its first event."""
    if reply.status_code == 200 and reply.request.path == "/api/runs/changes":
        return b"".join(islice(reply.iter_encoded(), 2)).decode()
    return reply.get_data(as_text=True)


@pytest.mark.parametrize(("operation", "caller"), [*product(GOLDEN, CALLERS)])
def test_who_may_call_what(application, operation, caller):
    expected = GOLDEN[operation][CALLERS.index(caller)]

    with application.ask(operation, caller) as reply:
        text = beginning(reply)

        assert reply.status_code == expected, text
        assert reply.headers["X-Correlation-Id"]
        assert str(application.folder) not in text or operation == "GET /api/config"
        if expected >= 400:
            assert reply.mimetype == "application/problem+json"
            assert reply.json["status"] == expected
            assert reply.json["error"] == reply.json["detail"]


def test_every_route_stands_in_the_table(application):
    operations = {
        f"{method} {rule.rule}"
        for rule in application.app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }
    assert operations == set(GOLDEN)


def test_every_view_declares_a_policy(application):
    views = application.app.view_functions
    assert not [name for name, view in views.items() if policy_of(view) is None]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_other_methods_of_a_route_are_guarded_like_it(application, method):
    protected = [operation for operation, row in GOLDEN.items() if row[0] == 401]
    for operation in protected:
        rule = operation.partition(" ")[2]
        if method == "HEAD" and not operation.startswith("GET"):
            continue
        assert application.ask(f"{method} {rule}", "none").status_code == 401, operation


def test_a_view_without_a_policy_is_refused(tmp_path):
    """Also where it is a forgotten one of Flask's own kind, and for the most powerful caller."""
    application = InProcess(tmp_path, None)
    forgotten = Blueprint("forgotten", "forgotten")
    forgotten.add_url_rule("/forgotten", view_func=lambda: "secret")
    application.app.register_blueprint(forgotten)

    for caller in CALLERS:
        reply = application.ask("GET /forgotten", caller)
        assert reply.status_code == 403
        assert "policy" in reply.json["detail"]
    application.close()


def test_shutdown_signals_the_supervisor_once_the_answer_is_out(application, bystander):
    application.ask("POST /api/shutdown", "admin").close()

    assert bystander.wait(PATIENCE_S) == -15


# -- over HTTP, with tokens that real scripts hold ---------------------------------------------


@pytest.fixture(scope="module")
def script_token(server):
    """The token of a script that runs until its gate is opened."""
    server.add(
        "Holds",
        'print -rn -- "$RUNBOOK_API_TOKEN" > $TOKEN.part; mv $TOKEN.part $TOKEN; '
        "while [[ ! -e $GATE ]]; do sleep 0.02; done",
        inputs="TOKEN: file\nGATE: file",
    )
    files = {"TOKEN": str(server.folder / "token"), "GATE": str(server.folder / "gate")}
    with server.client() as client:
        reply = client.post(
            "/api/runbooks/Holds.md/execute",
            json={"env_vars": files},
            headers={"Prefer": "respond-async"},
        )
        while not (server.folder / "token").exists():
            assert client.get(reply.headers["location"]).json()["status"] != "failed"
        yield (server.folder / "token").read_text(), reply.json()["run_id"]
        (server.folder / "gate").touch()


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/config"), ("POST", "/api/shutdown"), ("POST", "/dev-login")],
)
def test_a_scripts_token_opens_nothing_of_the_servers(server, script_token, method, path):
    headers = {"Authorization": f"Bearer {script_token[0]}"}
    reply = httpx.request(method, server.url + path, headers=headers)

    assert reply.status_code == 403
    assert reply.json()["code"] == "access_denied"


def test_a_scripts_token_dies_with_its_run(server, script_token):
    token, run_id = script_token
    headers = {"Authorization": f"Bearer {token}"}
    assert httpx.get(f"{server.url}/api/runbooks", headers=headers).status_code == 200
    (server.folder / "gate").touch()
    with server.client() as client, client.stream("GET", f"/api/runs/{run_id}/events") as events:
        assert '"succeeded"' in "".join(events.iter_lines())

    for path in ("/api/runbooks", "/api/runs", f"/api/runs/{run_id}", "/api/config"):
        reply = httpx.get(server.url + path, headers=headers)
        assert reply.status_code == 401
        assert reply.headers["www-authenticate"] == 'Bearer realm="runbook", error="invalid_token"'
    assert httpx.post(f"{server.url}/api/runbooks/Holds.md", headers=headers).status_code == 401


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Basic YTpi", "Bearer a", "Bearer a.b.c", "Bearer " + "x" * 8100],
)
def test_what_is_no_token_is_401_and_says_how(server, authorization):
    reply = httpx.get(f"{server.url}/api/runs", headers={"Authorization": authorization})

    assert reply.status_code == 401
    assert reply.json()["code"] == "invalid_token"
    assert reply.headers["www-authenticate"].startswith('Bearer realm="runbook"')


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_accepted_in_any_case(server, scheme):
    headers = {"Authorization": f"{scheme} {server.token()}"}
    assert httpx.get(f"{server.url}/api/runs", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/api/nothing", 404),
        ("GET", "/api", 404),
        ("GET", "/docs/nothing", 404),
        ("GET", "/docs/assets/..%2f..%2fapp.py", 404),
        ("GET", "/api/runbooks/Nothing.md", 404),
        ("GET", "/api/runbooks/..%2F..%2Fetc%2Fpasswd.md", 404),
        ("GET", "/api/runbooks/%2Fetc%2Fpasswd.md", 404),
        ("GET", "/api/runbooks/" + "x" * 3000 + ".md", 404),
        ("GET", "/api/runbooks/a%00b.md", 404),
        ("GET", "/api/runs/nothing", 404),
        ("GET", "/api/runs/..%2F..%2Fruns", 404),
        ("DELETE", "/api/runs", 405),
        ("PUT", "/api/runbooks/Sre.md", 405),
        ("POST", "/api/nothing", 404),
        ("POST", "/api/runbooks/NoEnding", 404),
        ("GET", "/api/runs/x/cancel", 405),
        ("POST", "/docs/explorer.html", 405),
        ("GET", "/api/runs?limit=x", 400),
        ("PROPFIND", "/api/runs", 501),
        ("TRACE", "/", 405),
        ("FROBNICATE", "/api/runbooks", 501),
    ],
)
def test_every_refusal_is_a_problem(server, client, method, path, status):
    reply = client.request(method, path, headers={"X-Correlation-Id": "mine-1"})

    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.headers["x-correlation-id"] == "mine-1"
    problem = reply.json()
    assert problem["status"] == status
    assert problem["success"] is False
    assert problem["error"] == problem["detail"] != ""
    assert problem["type"].endswith(f"#{problem['code']}")
    assert problem["correlation_id"] == "mine-1"
    said = reply.text.replace(problem.get("instance", "\0"), "")
    assert not [path for path in (str(server.folder), "site-packages") if path in said]
    if status == 405:
        assert {"GET", "POST"} & set(reply.headers["allow"].split(", ")) - {method}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_413(server, client, chunked):
    server.add("Small", "true")
    body = b'{"env_vars": {}, "x": "' + b"x" * (1024 * 1024) + b'"}'
    content = (body[n : n + 65536] for n in range(0, len(body), 65536)) if chunked else body

    reply = client.post("/api/runbooks/Small.md/execute", content=content)

    assert reply.status_code == 413
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["code"] == "request_entity_too_large"
    assert reply.headers["x-correlation-id"]


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "né".encode(), "<script>", "a/b", "a\tb"])
def test_a_malformed_correlation_id_is_replaced(server, given):
    reply = httpx.get(f"{server.url}/livez", headers={"X-Correlation-Id": given})

    assert FRESH_ID.fullmatch(reply.headers["x-correlation-id"])


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS"])
def test_bodiless_replies_carry_a_correlation_id_too(client, method):
    reply = client.request(method, "/api/runbooks")

    assert reply.status_code == 200
    assert reply.headers["x-correlation-id"]
    assert not reply.content


def test_a_fault_of_ours_tells_the_client_nothing_but_where_to_look(application, monkeypatch):
    def fail(*_):
        raise RuntimeError(f"secret {application.folder}")

    monkeypatch.setattr(application.engine.parts.catalog, "list", fail)

    reply = application.ask("GET /api/runbooks", "sre", **{"X-Correlation-Id": "look-here"})

    assert reply.status_code == 500
    assert reply.mimetype == "application/problem+json"
    assert "secret" not in reply.get_data(as_text=True)
    assert json.loads(reply.data)["correlation_id"] == "look-here"
