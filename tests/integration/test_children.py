"""Runbooks that execute runbooks: over HTTP, with the token of their own run."""

import json
import shutil
from pathlib import Path

import httpx
import psutil
import pytest

from patience import PATIENCE_S

SAMPLES = Path(__file__).parents[2] / "samples" / "runbooks"
CALL = """
eval "headers=($RUNBOOK_HEADERS)"
curl -sS "${headers[@]}" --data-raw '{}' "$RUNBOOK_URL/$CALLS/execute" > reply
print -r -- "$(grep '^data:' reply | tail -1)"
"""
CALL_WITHOUT_HEADER = """
curl -sS -H "$RUNBOOK_H_AUTH" -H "$RUNBOOK_H_CTYPE" --data-raw '{}' "$RUNBOOK_URL/$CALLS/execute" > reply
print -r -- "$(grep '^data:' reply | tail -1)"
"""  # noqa: E501
WAITS = 'print begun; print $$ > $PID; sleep $NAP & sleep $NAP; print "not ended"'
WAITS_INPUTS = "PID: file\nNAP: seconds"


@pytest.fixture(scope="module")
def server(serve, tmp_path_factory):
    """One slot only: children that needed one of their own would wait for ever."""
    with serve(tmp_path_factory.mktemp("children"), MAX_PARALLEL_RUNS=1) as server:
        yield server


def child_of(client, run_id):
    (child,) = client.get(f"/api/runs/{run_id}").json()["children"]
    return client.get(f"/api/runs/{child['id']}").json()


def last_event(reply):
    """The `done` of a called run, as its caller saw it."""
    (line,) = [line for line in reply.splitlines() if line.startswith("data:")]
    return json.loads(line.removeprefix("data: "))


@pytest.fixture(scope="module", autouse=True)
def runbooks(server):
    for name in ("ParentRunbook.md", "SimpleRunbook.md"):
        shutil.copy(SAMPLES / name, server.runbooks)
    server.add("Fails", "print -u2 broken; exit 3")
    for name, target in (("Self", "Self.md"), ("A", "B.md"), ("B", "C.md"), ("C", "A.md")):
        server.add(name, CALL.replace("$CALLS", target))
    for name, target in (("Quiet", "Quiet.md"), ("QuietA", "QuietB.md"), ("QuietB", "QuietA.md")):
        server.add(name, CALL_WITHOUT_HEADER.replace("$CALLS", target))
    server.add("Waits", WAITS, inputs=WAITS_INPUTS)


def test_the_sample_calls_the_other_sample(client, server, execute):
    headers = {"X-Correlation-Id": "one-for-all", "Accept": "application/json"}
    body = {"env_vars": {"CHILD_VALUE": 'a "quoted" \\ value'}}
    done = client.post("/api/runbooks/ParentRunbook.md/execute", json=body, headers=headers).json()

    assert done["success"], done
    assert "ParentRunbook completed successfully" in done["stdout"]
    parent = client.get(f"/api/runs/{done['run_id']}").json()
    child = child_of(client, parent["id"])
    assert child["status"] == "succeeded"
    assert child["parent_id"] == child["root_id"] == parent["id"]
    assert child["correlation_id"] == parent["correlation_id"] == "one-for-all"
    assert child["chain"] == ["ParentRunbook.md", "SimpleRunbook.md"]
    assert parent["chain"] == ["ParentRunbook.md"]
    assert (child["by"], child["origin"], child["roles"]) == ("ann", "runbook", ["sre"])
    assert 'TEST_VAR: a "quoted" \\ value' in client.get(f"/api/runs/{child['id']}/log").text
    history = (server.runbooks / "SimpleRunbook.md").read_text().partition("# History")[2]
    assert f"run={child['id']} " in history


def test_parents_that_wait_do_not_keep_others_from_running(client, execute, follow):
    """Two parents, one slot: the second waits for the first, whose child needs no slot."""
    run_ids = [
        client.post(
            "/api/runbooks/ParentRunbook.md/execute", headers={"Prefer": "respond-async"}
        ).json()["run_id"]
        for _ in range(2)
    ]
    assert [list(follow(client, run_id))[-1]["status"] for run_id in run_ids] == ["succeeded"] * 2


def test_the_parent_sees_that_its_child_failed(client, server, execute):
    path = server.runbooks / "SimpleRunbook.md"
    sound = path.read_text()
    path.write_text(sound.replace('print "Running SimpleRunbook"', "exit 7"))
    try:
        done = execute(client, "ParentRunbook.md")
    finally:
        path.write_text(sound)

    assert done["return_code"] == 1
    assert done["stderr"] == "SimpleRunbook failed\n"
    assert child_of(client, done["run_id"])["return_code"] == 7


@pytest.mark.parametrize(
    ("ref", "chain", "depth"),
    [
        ("Self.md", ["Self.md"], 1),
        ("A.md", ["A.md", "B.md", "C.md"], 3),
        ("Quiet.md", ["Quiet.md"], 1),  # the chain is known from the token alone
        ("QuietA.md", ["QuietA.md", "QuietB.md"], 2),
    ],
)
def test_recursion_is_refused_with_the_old_text(client, execute, ref, chain, depth):
    run = client.get(f"/api/runs/{execute(client, ref)['run_id']}").json()
    for _ in range(depth):
        run = child_of(client, run["id"])

    text = f"Recursion detected: Runbook {ref} already in execution chain: {chain}"
    assert run["status"] == "invalid"
    assert run["return_code"] == 1
    assert run["errors"] == [text]
    assert run["chain"] == [*chain, ref]


def test_the_caller_of_a_recursion_gets_a_stream_with_the_error(client, execute):
    done = last_event(execute(client, "Self.md")["stdout"])

    text = "Recursion detected: Runbook Self.md already in execution chain: ['Self.md']"
    assert done["success"] is False
    assert done["return_code"] == 1
    assert done["stderr"] == text
    assert done["errors"] == [text]


def test_a_header_without_a_script_is_believed_too(client):
    headers = {"X-Recursion-Stack": '["Fails.md"]', "Accept": "application/json"}
    done = client.post("/api/runbooks/Fails.md/execute", headers=headers).json()

    assert done["status"] == "invalid"
    assert "Recursion detected: Runbook Fails.md" in done["errors"][0]


def test_a_forged_header_does_not_hide_the_chain(client, server, execute):
    """Neither an empty stack nor another one makes the token's chain forgotten."""
    for name, stack in (("Forges", "[]"), ("Forges2", '["Other.md"]')):
        call = CALL_WITHOUT_HEADER.replace("$CALLS", f"{name}.md")
        server.add(name, call.replace("curl -sS", f"curl -sS -H 'X-Recursion-Stack: {stack}'", 1))
        done = last_event(execute(client, f"{name}.md")["stdout"])
        assert done["status"] == "invalid"
        assert "Recursion detected" in done["errors"][0]


@pytest.mark.parametrize("header", ["x", "{}", '"A.md"', "[1]", "[" * 3000, '["A.md"'])
def test_a_stack_that_is_no_list_of_refs_is_400(client, header):
    reply = client.post("/api/runbooks/Fails.md/execute", headers={"X-Recursion-Stack": header})

    assert reply.status_code == 400
    assert "X-Recursion-Stack" in reply.json()["error"]


def test_a_viewers_script_may_do_no_more_than_the_viewer(client, server, execute):
    server.add("Restricted", "print opened", claims="roles: sre")
    server.add("Tries", CALL_WITHOUT_HEADER.replace("$CALLS", "Restricted.md") + "cat reply")
    with server.client("vic", roles=["viewer"]) as viewer:
        done = execute(viewer, "Tries.md")

    problem = json.loads(done["stdout"].strip().splitlines()[-1])
    assert problem["status"] == 403
    assert "roles=viewer (required: sre)" in problem["error"]
    refused = child_of(client, done["run_id"])
    assert (refused["status"], refused["by"]) == ("refused", "vic")
    assert "opened" in execute(client, "Tries.md")["stdout"]  # with the claims it works


POLICY = """
# Policy
```yaml
{}
```

# Script"""


def begin_nested(client, server, name, nap, policy=""):
    """A parent that waits for `Waits`; its run id, and the inner script once that runs.

    Without the script if the parent ended before.
    """
    pid = server.folder / f"pid-{name}"
    body = json.dumps({"env_vars": {"PID": str(pid), "NAP": nap}})
    path = server.runbooks / server.add(
        name, CALL.replace("{}", body).replace("$CALLS", "Waits.md")
    )
    if policy:
        path.write_text(path.read_text().replace("\n# Script", POLICY.format(policy), 1))
    reply = client.post(f"/api/runbooks/{name}.md/execute", headers={"Prefer": "respond-async"})
    run_id = reply.json()["run_id"]
    while not pid.exists() or not pid.read_text().strip():
        if not client.get(f"/api/runs/{run_id}").json()["active"]:
            return run_id, None
    return run_id, _script_of(child_of(client, run_id)["id"])


def _script_of(run_id):
    """The script's process, which may know itself by another ID."""
    found = [
        process
        for process in psutil.process_iter(["cmdline", "name"])
        if process.info["name"] == "zsh"
        and any(run_id in word for word in process.info["cmdline"] or ())
    ]
    return min(found, key=lambda process: process.pid)  # it may have a subshell


def test_the_end_of_a_parent_ends_its_child(client, server, follow, nap, sleepers):
    run_id, script = begin_nested(client, server, "Cancelled", nap)
    child = child_of(client, run_id)
    assert child["status"] == "running"

    assert client.post(f"/api/runs/{run_id}/cancel").status_code == 202

    assert list(follow(client, run_id))[-1]["status"] == "cancelled"
    end = list(follow(client, child["id"]))[-1]
    assert end["status"] == "cancelled"
    assert not script.is_running()
    assert not sleepers()


def test_the_end_of_a_child_is_no_end_of_its_parent(client, server, follow, nap):
    run_id, script = begin_nested(client, server, "Outlives", nap)
    child = child_of(client, run_id)

    client.post(f"/api/runs/{child['id']}/cancel")

    assert list(follow(client, child["id"]))[-1]["status"] == "cancelled"
    events = list(follow(client, run_id))
    assert events[-1]["status"] == "succeeded"
    text = "".join(event.get("text", "") for event in events)
    assert last_event(text)["status"] == "cancelled"


def test_a_timeout_of_the_parent_ends_the_child(serve, tmp_path, follow, nap, sleepers):
    with serve(tmp_path, MAX_PARALLEL_RUNS=1) as server:
        server.add("Waits", WAITS, inputs=WAITS_INPUTS)
        with server.client() as client:
            # Longer until the child begins in time, whose own timeout would come later.
            for seconds in (3, 12, PATIENCE_S):
                name = f"TimesOut{seconds:.0f}"
                policy = f"timeout: {seconds:.0f}s"
                run_id, script = begin_nested(client, server, name, nap, policy)
                if script is not None:
                    break
            child = child_of(client, run_id)
            assert list(follow(client, run_id))[-1]["status"] == "timed_out"
            end = list(follow(client, child["id"]))[-1]
        assert end["status"] in ("cancelled", "timed_out")
        assert not sleepers()


def test_a_chain_ends_at_the_limit_of_its_depth(serve, tmp_path, follow):
    with serve(tmp_path, MAX_PARALLEL_RUNS=1, MAX_RECURSION_DEPTH=3) as server:
        for n in range(1, 6):
            server.add(f"Level{n}", CALL.replace("$CALLS", f"Level{n + 1}.md"))
        with server.client() as client:
            headers = {"Accept": "application/json"}
            done = client.post("/api/runbooks/Level1.md/execute", headers=headers).json()
            run = client.get(f"/api/runs/{done['run_id']}").json()
            for _ in range(3):
                run = child_of(client, run["id"])

            assert run["runbook"] == "Level4.md"
            assert run["errors"] == ["Recursion depth limit exceeded: 3 (max: 3)"]
            assert run["root_id"] == done["run_id"]
            reply = httpx.post(
                f"{server.url}/api/runbooks/Level5.md",
                headers=dict(client.headers) | {"X-Recursion-Stack": '["x.md", "y.md", "z.md"]'},
            )
            assert reply.json()["errors"] == ["Recursion depth limit exceeded: 3 (max: 3)"]
