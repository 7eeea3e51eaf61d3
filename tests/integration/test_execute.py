"""Execute over HTTP: the stream, the record, and what old clients rely on."""

import json
import re

import pytest

ON_BOTH_DATABASES = True


@pytest.fixture(scope="module")
def runbooks(server):
    server.add(
        "Greet",
        """
        print "hello $TARGET"
        print -u2 "to stderr"
        """,
        inputs="TARGET: who",
        claims="roles: sre, api",
    )
    server.add("Quick", "print done")
    server.add("Fails", "print -u2 broken; exit 3")
    server.add("Killed", "kill -KILL $$")
    server.add("Slow", "print started; sleep 60")
    server.add("Environment", "env -0 | sort -z | tr '\\0' '\\n'")


@pytest.fixture
def client(server, runbooks):
    with server.client() as client:
        yield client


def post(client, ref, env_vars=None, **headers):
    body = {"env_vars": env_vars or {}}
    return client.post(f"/api/runbooks/{ref}/execute", json=body, headers=headers)


def test_the_default_reply_is_the_old_stream(client):
    reply = post(client, "Greet.md", {"TARGET": "world"})

    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    assert reply.headers["x-accel-buffering"] == "no"
    last = [line for line in reply.text.splitlines() if line.startswith("data:")][-1]
    done = json.loads(last[len("data: ") :])
    assert done["success"] is True
    assert done["runbook"] == "Greet.md"
    assert done["return_code"] == 0
    assert done["stdout"] == "hello world\n"
    assert done["stderr"] == "to stderr\n"
    assert done["errors"] == []
    assert done["warnings"] == []
    assert list(done)[:5] == ["success", "runbook", "return_code", "stdout", "stderr"]


@pytest.mark.parametrize("language", ["zsh", "bash", "python"])
def test_half_a_script_is_not_executed(client, server, language):
    ref = server.add(f"Half-{language}", "print\nif (", language=language)
    for _ in range(2):
        reply = client.post(f"/api/runbooks/{ref}", json={})
        assert [each["code"] for each in reply.json()["problems"]] == ["script_syntax"]
        assert reply.json()["return_code"] == 1
    assert client.patch(f"/api/runbooks/{ref}/validate", json={}).status_code == 400
    shown = client.get(f"/api/runbooks/{ref}").json()
    assert (shown["valid"], shown["executable"]) == (False, False)


def test_what_was_read_is_what_runs(client, server):
    server.add("Edited", "print before")
    read = client.get("/api/runbooks/Edited.md").json()["digest"]
    body = {"digest": read}
    assert client.patch("/api/runbooks/Edited.md/validate", json=body).status_code == 200
    server.add("Edited", "print after")

    for call in (client.patch, client.post):
        address = f"/api/runbooks/Edited.md/{'validate' if call == client.patch else 'execute'}"
        problem = call(address, json=body)
        assert (problem.status_code, problem.json()["code"]) == (409, "document_changed")
    body["digest"] = problem.json()["current_digest"]
    done = client.post("/api/runbooks/Edited.md", json=body).json()
    assert done["stdout"] == "after\n"
    assert client.get("/api/runs", params={"runbook": "Edited.md"}).json()["runs"][1:] == []


def test_events_are_numbered_and_done_comes_last_and_once(client, parse_stream):
    events = parse_stream(post(client, "Greet.md", {"TARGET": "x"}))

    names = [name for name, _, _ in events]
    assert names.count("done") == 1
    assert names[-1] == "done"
    assert {"queued", "started", "stdout", "stderr"} <= set(names)
    assert [number for _, _, number in events] == list(range(1, len(events) + 1))


def test_output_arrives_while_the_script_runs(client, server, parse_lines):
    server.add(
        "Waits",
        'print first; while [[ ! -e "$GATE" ]]; do sleep 0.02; done; print last',
        inputs="GATE: file to wait for",
    )
    gate = server.folder / "gate"
    body = {"env_vars": {"GATE": str(gate)}}
    seen = []
    with client.stream("POST", "/api/runbooks/Waits.md/execute", json=body) as reply:
        for name, data, _ in parse_lines(reply):
            seen.append((name, data))
            if name == "stdout" and "first" in data:
                gate.touch()  # only now may the script go on

    assert ("stdout", "first\n") in seen
    assert ("stdout", "last\n") in seen


def test_a_failing_script_is_a_200_with_its_code(client):
    reply = post(client, "Fails.md", Accept="application/json")

    assert reply.status_code == 200
    assert reply.json()["return_code"] == 3
    assert reply.json()["status"] == "failed"
    assert reply.json()["stderr"] == "broken\n"


def test_a_script_killed_by_a_signal_has_its_negative(client):
    assert post(client, "Killed.md", Accept="application/json").json()["return_code"] == -9


def test_post_on_the_runbook_itself_answers_json(client):
    reply = client.post("/api/runbooks/Quick.md", json={})

    assert reply.headers["content-type"] == "application/json"
    assert reply.json()["stdout"] == "done\n"


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"env_vars": null}'])
def test_no_body_means_no_values(client, body):
    reply = client.post(
        "/api/runbooks/Quick.md/execute", content=body, headers={"Accept": "application/json"}
    )
    assert reply.json()["success"] is True


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'"x"', b'{"env_vars": []}', b"\xff", b'{"a": NaN}'],
)
def test_a_body_that_is_not_understood_is_400(client, body):
    reply = client.post("/api/runbooks/Quick.md/execute", content=body)

    assert reply.status_code == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["success"] is False
    assert reply.json()["error"]


def test_values_are_texts_numbers_booleans_and_null(client, server):
    server.add("Shows", 'print -r -- "$A|$B|$C|$D"', inputs="A: a\nB: b\nC: c\nD: d")

    values = {"A": "x\ty\nz", "B": 5, "C": True, "D": None}

    assert post(client, "Shows.md", values, Accept="application/json").json()["stdout"] == (
        "x\ty\nz|5|true|\n"
    )


def test_a_missing_input_is_a_stream_with_one_error(client, parse_stream):
    events = parse_stream(post(client, "Greet.md"))

    assert [name for name, _, _ in events] == ["stderr", "done"]
    done = json.loads(events[-1][1])
    text = "Required environment variable not set: TARGET"
    assert done["return_code"] == 1
    assert done["errors"] == [text]
    assert done["stderr"] == text
    assert done["status"] == "invalid"


@pytest.mark.parametrize("value", [{}, ["x"]])
def test_a_value_that_the_input_does_not_take_is_an_invalid_run(server, client, value):
    server.add("Takes", "true", inputs="A: a")

    done = post(client, "Takes.md", {"A": value}, Accept="application/json").json()

    assert done["status"] == "invalid"
    assert done["errors"] == ["The value of A must be a string, number, boolean or null"]


@pytest.mark.parametrize("name", ["LD_PRELOAD", "PATH", "RUNBOOK_API_TOKEN", "UNDECLARED", "a b"])
def test_names_that_are_not_declared_or_change_programs_are_refused(client, name):
    done = post(client, "Quick.md", {name: "x"}, Accept="application/json").json()

    assert done["return_code"] == 1
    assert name in done["errors"][0]


def test_refusal_by_claims_is_403_and_recorded(server, client):
    with server.client("bob", roles=["viewer"]) as bob:
        reply = post(bob, "Greet.md", {"TARGET": "x"})

    text = (
        "RBAC check failed for execute. "
        "Missing or invalid claims: roles=viewer (required: sre, api)"
    )
    assert reply.status_code == 403
    assert reply.json()["error"] == text
    history = (server.runbooks / "Greet.md").read_text()
    assert "| Exit Code: 403" in history
    assert f"RBAC Failure: Access denied for user bob. {text}" in history
    runs = client.get("/api/runs", params={"runbook": "Greet.md", "who": "bob"}).json()["runs"]
    assert runs[0]["status"] == "refused"
    assert runs[0]["return_code"] == 403


def test_the_run_is_in_the_api_and_below_history(client, server):
    reply = client.post(
        "/api/runbooks/Quick.md/execute",
        json={"reason": "OPS-7: a try"},
        headers={"Accept": "application/json", "X-Correlation-Id": "corr-1"},
    )
    run_id = reply.json()["run_id"]

    run = client.get(f"/api/runs/{run_id}").json()
    assert reply.headers["x-correlation-id"] == "corr-1"
    assert reply.headers["x-run-id"] == run_id
    assert run["status"] == "succeeded"
    assert run["correlation_id"] == "corr-1"
    assert run["by"] == "ann"
    assert run["origin"] == "api"
    assert run["reason"] == "OPS-7: a try"
    entry = (server.runbooks / "Quick.md").read_text().rpartition("\n### ")[2]
    assert re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \| Exit Code: 0\n", entry)
    assert "**Stdout:**\n```\ndone\n" in entry
    assert run_id in entry
    assert "OPS-7: a try" in entry


def test_the_record_is_one_line_of_the_log_in_the_old_schema(client, server):
    run_id = post(client, "Fails.md", Accept="application/json").json()["run_id"]

    record = None
    while record is None:  # the line follows the end of the run; it comes through a pipe
        records = server.events_logged("run.record")
        record = next((r for r in records if r["run_id"] == run_id), None)
    assert record["return_code"] == 3
    assert record["operation"] == "execute"
    assert record["stderr"] == "broken\n"
    assert record["breadcrumb"]["by_user"] == "ann"
    assert record["breadcrumb"]["roles"] == ["sre"]
    assert record["breadcrumb"]["from_ip"] == "127.0.0.1"
    assert record["breadcrumb"]["recursion_stack"] == ["Fails.md"]
    assert {"name": "JWT_SECRET", "value": "secret", "from": "environment"} in (
        record["config_items"]
    )


def test_prefer_respond_async_answers_202_at_once(client, follow):
    reply = post(client, "Quick.md", Prefer="respond-async")

    assert reply.status_code == 202
    location = reply.headers["location"]
    run_id = reply.json()["run_id"]
    assert location == f"/api/runs/{run_id}"
    assert list(follow(client, run_id))[-1]["type"] == "done"
    assert client.get(location).json()["status"] == "succeeded"


def test_an_idempotency_key_gives_the_same_run_from_its_start(client, parse_stream):
    first = post(client, "Quick.md", **{"Idempotency-Key": "key-1"})
    again = post(client, "Quick.md", **{"Idempotency-Key": "key-1"})

    assert again.headers["x-run-id"] == first.headers["x-run-id"]
    assert again.headers["idempotent-replayed"] == "true"
    assert parse_stream(again) == parse_stream(first)


def test_an_idempotency_key_of_another_request_is_422(client, server):
    post(client, "Shows2.md") if server.add("Shows2", "true", inputs="A: a") else None
    headers = {"Idempotency-Key": "key-2"}
    assert post(client, "Shows2.md", {"A": "1"}, **headers).status_code == 200

    reply = post(client, "Shows2.md", {"A": "2"}, **headers)

    assert reply.status_code == 422
    assert reply.json()["code"] == "idempotency_key_reused"


def test_cancel_ends_the_script_and_says_who(client, server, parse_lines):
    slow = client.stream("POST", "/api/runbooks/Slow.md/execute", json={})
    with slow as reply, server.client() as another:
        run_id = reply.headers["x-run-id"]
        for name, data, _ in parse_lines(reply):
            if name == "stdout":
                assert another.post(f"/api/runs/{run_id}/cancel").status_code == 202
            if name == "done":
                done = json.loads(data)

    assert done["status"] == "cancelled"
    assert done["return_code"] == -2
    assert done["errors"] == ["Cancelled by ann"]
    assert client.post(f"/api/runs/{run_id}/cancel").status_code == 200


def test_the_environment_is_the_small_one_of_the_contract(client, server):
    text = post(client, "Environment.md", Accept="application/json").json()["stdout"]
    found = dict(line.partition("=")[::2] for line in text.splitlines())

    assert sorted(found) == [
        "HOME", "LANG", "LOGNAME", "OLDPWD", "PATH", "PWD",
        "RUNBOOK_API_TOKEN", "RUNBOOK_ARTIFACTS", "RUNBOOK_BACKUPS", "RUNBOOK_CORRELATION_ID",
        "RUNBOOK_DEVICES", "RUNBOOK_DRY_RUN", "RUNBOOK_EFFECTS", "RUNBOOK_ENV",
        "RUNBOOK_EXEC_DIR_HOST",
        "RUNBOOK_HEADERS",
        "RUNBOOK_H_AUTH", "RUNBOOK_H_CORR", "RUNBOOK_H_CTYPE", "RUNBOOK_H_RECUR",
        "RUNBOOK_MASK", "RUNBOOK_OUTPUT", "RUNBOOK_PLAN", "RUNBOOK_PROGRESS",
        "RUNBOOK_RECURSION_STACK", "RUNBOOK_REQUESTED_BY", "RUNBOOK_RUN_ID",
        "RUNBOOK_SUMMARY", "RUNBOOK_URL",
        "SHLVL", "TERM", "TMPDIR", "TZ", "USER", "_",
    ]  # fmt: skip
    assert found["RUNBOOK_URL"] == f"{server.url}/api/runbooks"
    assert json.loads(found["RUNBOOK_RECURSION_STACK"]) == ["Environment.md"]
    assert found["HOME"].startswith(str(server.execution))


def test_a_runs_directory_is_removed(client, server):
    post(client, "Quick.md", Accept="application/json")
    assert not list(server.execution.iterdir())
