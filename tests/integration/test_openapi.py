"""The API's document: valid by the specification, and what the server really does."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
import schemathesis
import yaml

from runbook.core.status import RunStatus

# Names of what exists, in place of some of the generated ones: not every request shall end at 404.
HOOKS = """
import json, os, zlib
import schemathesis

REAL = json.loads(os.environ["REAL"])

def real_or(name, given):
    choice = zlib.crc32(given.encode("utf-8", "replace")) % 6
    known = REAL.get(name, ())
    return known[choice] if choice < len(known) else given

@schemathesis.hook
def map_path_parameters(context, path_parameters):
    for name, given in (path_parameters or {}).items():
        if isinstance(given, str) and given and (name != "ref" or given.endswith(".md")):
            path_parameters[name] = real_or(name, given)
    return path_parameters

@schemathesis.hook
def before_load_schema(context, raw_schema):
    # Schemathesis expects the schema of one event, where generated clients want text.
    operations = (found for methods in raw_schema["paths"].values() for found in methods.values())
    for operation in operations:
        stream = operation["responses"]["200"].get("content", {}).get("text/event-stream")
        if stream is not None:
            data = {"contentMediaType": "application/json", "contentSchema": stream["x-event-data"]}
            if "application/json" in operation["responses"]["200"]["content"]:
                data = {}  # of an execution: text, or JSON
            properties = {
                "id": {"type": "string"},
                "event": {"$ref": "#/components/schemas/EventType"},
                "data": {"type": "string"} | data,
            }
            stream["schema"] = {
                "type": "object", "properties": properties, "required": list(properties)
            }

@schemathesis.hook
def filter_body(context, body):
    # Old clients may send null. The document doesn't say so: generated clients could then not send
    # nothing.
    return body is not None

@schemathesis.hook
def map_query(context, query):
    # No schema can say what a cursor is.
    if query and isinstance(query.get("cursor"), str) and query["cursor"]:
        query["cursor"] = REAL["cursor"]
    return query
"""
# Answers to requests that a schema cannot tell from better ones: a validation that finds faults, a
# cursor that no page gave, a time that is none, a range beyond the log.
CONFIGURATION = """
[[operations]]
include-name = ["POST /api/connections", "PATCH /api/connections/{connection}"]
# The values depend on the kind; another connection may have the name.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 422]

[[operations]]
include-name = ["PUT /api/inventory/{device}", "PATCH /api/inventory/{device}"]
# No schema can say what a time is, or which connections there are. A body of null is accepted.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 409, 422]
checks.negative_data_rejection.expected-statuses = [200, 400, 404, 405, 409, 415, 422]

[[operations]]
include-name = "POST /api/inventory-import"
# No schema can say what a table is.
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 422]

[[operations]]
include-method = "PATCH"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409]

[[operations]]
include-name = "POST /api/runbooks/{ref}/execute"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409, 422]

[[operations]]
include-name = ["POST /api/runs/{run_id}/retry", "POST /api/runs/{run_id}/resume"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409, 422]

[[operations]]
include-name = ["POST /api/runs/{run_id}/undo", "GET /api/runs/{run_id}/undo"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 403, 404, 409]

[[operations]]
include-name = "POST /api/toolkits"
# No schema can say what an archive is.
checks.positive_data_acceptance.expected-statuses = [400, 422]

[[operations]]
include-name = "POST /dev-login"
# A body of null is accepted, see filter_body, which the coverage phase ignores.
checks.negative_data_rejection.expected-statuses = [200, 400, 404, 405, 415]

[[operations]]
include-name = ["GET /api/runs", "GET /api/audit", "GET /api/inventory"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400]

[[operations]]
include-name = "GET /api/runs/{run_id}/devices"
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404]

[[operations]]
include-name = ["GET /api/runs/{run_id}/log", "GET /api/runs/{run_id}/artifacts/{artifact}"]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 404, 416]
"""


@pytest.fixture(scope="module")
def document(server):
    reply = httpx.get(f"{server.url}/docs/openapi.yaml")
    assert reply.headers["content-type"] == "application/yaml; charset=utf-8"
    return yaml.safe_load(reply.text)


@pytest.fixture(scope="module")
def real(server):
    script = "print quick; print -u2 noise; print kept > $RUNBOOK_ARTIFACTS/kept.txt"
    server.add("Quick", script, inputs="TEXT: {description: x, default: y}")
    server.add("Sre", "true", claims="roles: sre")
    server.add("folder/Inner", "for n in {1..20}; do print line $n; done")
    (server.runbooks / "Broken.md").write_text("# Broken\n")
    refs = ["Quick.md", "folder/Inner.md", "Broken.md", "Sre.md"]
    with server.client("tester", roles=["admin", "sre"]) as client:
        run_ids = [client.post(f"/api/runbooks/{ref}").json()["run_id"] for ref in refs]
        cursor = client.get("/api/runs?limit=1").json()["next_cursor"]
        values = {"url": "http://127.0.0.1:1", "token": "a-token"}
        names = ["ipam", "lab", "test"]  # one of them is going to be removed
        for name in names:
            body = {"name": name, "kind": "netbox", "values": values}
            assert client.post("/api/connections", json=body).status_code == 200
    return {
        "ref": refs,
        "run_id": run_ids,
        "cursor": cursor,
        "artifact": ["kept.txt"],
        "connection": names,
    }


@pytest.mark.timeout(400)  # some thousand requests
def test_the_server_does_what_the_document_says(server, real, tmp_path):
    """Every check that schemathesis has, with a token that may do everything but shut down."""
    (tmp_path / "hooks.py").write_text(HOOKS)
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("schemathesis"),
            "run",
            f"{server.url}/docs/openapi.yaml",
            f"--header=Authorization: Bearer {server.token('tester', roles=['admin', 'sre'])}",
            "--exclude-path=/api/shutdown",
            "--exclude-path=/api/runs/changes",  # never ends
            "--checks=all",
            "--max-examples=4",
            "--generation-database=none",
            "--seed=1",
            "--no-color",
        ],
        cwd=tmp_path,
        env={
            "PATH": "/usr/bin:/bin",
            "HOME": str(tmp_path),
            # With the seed, the same requests each time: sets have an order, too.
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": str(tmp_path),
            "SCHEMATHESIS_HOOKS": "hooks",
            "REAL": json.dumps(real),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 0, ended.stdout[-16000:] + ended.stderr[-2000:]
    tested = re.search(r"Selected: (\d+)/(\d+)\s+Tested: (\d+)", ended.stdout)
    assert tested[1] == tested[3] == str(int(tested[2]) - 2)
    assert server.events_logged("http.fault") == []


def test_the_document_is_valid(document):
    """By the meta-schema of OpenAPI 3.1, which schemathesis brings."""
    assert document["openapi"].startswith("3.1.")
    schema = schemathesis.openapi.from_dict(document)
    schema.validate()
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == sum(len(methods) for methods in document["paths"].values())


def test_every_reference_leads_somewhere(document):
    referred = re.findall(r"#/components/schemas/(\w+)", json.dumps(document))
    assert set(referred) <= set(document["components"]["schemas"])


def test_every_operation_has_a_name_a_summary_and_its_refusals(document):
    names = set()
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["summary"], path
            names.add(operation["operationId"])
            assert "200" in operation["responses"]
            if "security" in operation:
                assert {"401", "403", "503"} <= set(operation["responses"])
            for status, reply in operation["responses"].items():
                assert reply["description"]
                if int(status) in (401, 403, 404, 413, 422, 429):
                    assert "application/problem+json" in reply["content"]
    assert len(names) == sum(len(methods) for methods in document["paths"].values())


def test_the_document_knows_every_status(document):
    run = document["components"]["schemas"]["Run"]["properties"]["status"]
    name = run["$ref"].rpartition("/")[2]
    assert set(document["components"]["schemas"][name]["enum"]) == set(RunStatus)


def test_no_path_of_this_machine_is_in_the_document(server, document):
    text = json.dumps(document)
    assert str(server.folder) not in text
    assert "/home" not in text
    assert "site-packages" not in text


# -- the explorer ----------------------------------------------------------------------------------


class References(HTMLParser):
    """What a page makes the browser load."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, _tag, attributes):
        self.found += [value for name, value in attributes if name in ("src", "href")]


def test_the_explorer_loads_everything_from_here(server):
    page = httpx.get(f"{server.url}/docs/explorer.html")
    references = References()
    references.feed(page.text)

    assert page.status_code == 200
    assert len(references.found) >= 3
    assert not re.search(r"<script(?![^>]*src)", page.text), "the policy allows no inline script"
    for reference in references.found:
        url = urljoin(str(page.url), reference)
        assert url.startswith(server.url)
        asset = httpx.get(url)
        assert asset.status_code == 200
        assert asset.content
        assert "html" not in asset.headers["content-type"]


def test_the_explorer_contacts_no_other_host(server):
    page = httpx.get(f"{server.url}/docs/explorer.html")
    policy = dict(
        directive.strip().partition(" ")[::2]
        for directive in page.headers["content-security-policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    sources = {source for sources in policy.values() for source in sources.split()}
    assert sources <= {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert "'unsafe-inline'" not in policy["script-src"]
    for name in ("explorer.html", "explorer.js"):
        assert "//" not in httpx.get(f"{server.url}/docs/{name}").text.replace("<!doctype", "")
    style = httpx.get(f"{server.url}/docs/assets/swagger-ui.css").text
    assert not re.search(r"url\(\s*[\"']?(https?:)?//|@import", style)


def test_the_explorer_reads_the_document_that_is_served(server):
    start = httpx.get(f"{server.url}/docs/explorer.js")
    assert start.headers["content-type"].startswith("text/javascript")
    (url,) = re.findall(r'url: "([^"]+)"', start.text)
    assert httpx.get(urljoin(f"{server.url}/docs/explorer.js", url)).status_code == 200


def test_every_problem_type_leads_to_its_explanation(server, client):
    problem = client.get("/api/runs/none").json()
    page, _, anchor = problem["type"].partition("#")
    text = client.get(page).text

    assert f'id="{anchor}"' in text
