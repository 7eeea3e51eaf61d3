"""`runbook call` and `runbook.call` over the API of a real server."""

import json
import os
import re
import sys

import pytest

from runbook.errors import NotFoundError, ServerUnavailableError
from runbook.script.calling import Caller, CallRequest, HttpTransport, file_inputs, follow
from runbook.script.frame import Frame

CALL = 'out=$(runbook call {call}); code=$?; print -r -- "$code $out"'
BY_FUNCTION = """
import json
import runbook

try:
    print(json.dumps(runbook.call({call})))
except runbook.CalledRunbookError as error:
    print(error.done["status"], error)
"""


@pytest.fixture(scope="module", autouse=True)
def runbooks(server):
    server.add(
        "Prints", 'print -n "to "; print out; print -u2 err; print "<$TEXT>"', inputs="TEXT: t"
    )
    server.add("Fails", "print broken; exit 3")
    server.add("Killed", "kill -KILL $$")
    server.add("Restricted", "print opened", claims="roles: sre")
    server.add("folder/Deep", "print deep")
    server.add("Steps", "true")
    for name, target in (("A", "B.md"), ("B", "A.md")):
        server.add(name, CALL.format(call=target))


@pytest.fixture
def caller(server, execute):
    """Executes a script that calls; its `done`."""

    def run(client, call, *, source=CALL, language="zsh"):
        server.add("Caller", source.format(call=call), language=language)
        done = execute(client, "Caller.md")
        assert done["status"] == "succeeded", done
        return done

    return run


def test_what_the_child_prints_stands_in_a_frame(client, caller):
    done = caller(client, "Prints.md TEXT='a b'")

    assert done["stdout"] == "0 {}\n"
    assert re.fullmatch(
        r"┌ Prints\.md run [0-9a-f-]{36}\n([┊┃] .+\n){3}└ Prints\.md succeeded after \d+\.\d s\n",
        done["stderr"],
    )
    assert {"┊ to out", "┃ err", "┊ <a b>"} < set(done["stderr"].splitlines())


def test_the_child_is_a_run_of_its_own_below_ours(client, caller):
    done = caller(client, "folder/Deep.md")

    parent = client.get(f"/api/runs/{done['run_id']}").json()
    (child,) = parent["children"]
    run = client.get(f"/api/runs/{child['id']}").json()
    assert run["chain"] == ["Caller.md", "folder/Deep.md"]
    assert run["correlation_id"] == parent["correlation_id"]
    assert f"┌ folder/Deep.md run {run['id']}\n" in done["stderr"]


@pytest.mark.parametrize(
    ("call", "code", "end"),
    [
        ("Fails.md", 3, "└ Fails.md failed with return code 3 after"),
        ("Killed.md", 137, "└ Killed.md failed with return code -9 after"),
    ],
)
def test_the_childs_failure_is_the_callers(client, caller, call, code, end):
    done = caller(client, call)
    assert done["stdout"] == f"{code} \n"
    assert end in done["stderr"]


def test_quiet_says_nothing_but_why_it_failed(client, caller):
    assert caller(client, "--quiet folder/Deep.md")["stderr"] == ""
    done = caller(client, "--quiet Fails.md")
    assert done["stderr"] == "runbook: error: Fails.md failed with return code 3\n"


def test_an_invalid_call_says_what_is_missing(client, caller):
    done = caller(client, "Prints.md")
    assert done["stdout"] == "65 \n"
    assert done["stderr"] == (
        "runbook: error: Required environment variable not set: TEXT\nrunbook: hint: t\n"
    )


def test_an_unknown_runbook_is_not_found(client, caller):
    done = caller(client, "None.md")
    assert done["stdout"] == "66 \n"
    assert done["stderr"].startswith("runbook: error: ")


def test_a_call_without_the_claims_is_refused(server, caller):
    with server.client("vic", roles=["viewer"]) as viewer:
        done = caller(viewer, "Restricted.md")
    assert done["stdout"] == "77 \n"
    assert "roles=viewer (required: sre)" in done["stderr"]
    assert "opened" not in done["stderr"]


def test_a_cycle_is_refused(client, execute):
    done = execute(client, "A.md")
    assert done["stdout"] == "0 {}\n"  # B printed the code of its own call
    assert "┊ 65 \n" in done["stderr"]
    assert "┃ runbook: error: Recursion detected: Runbook A.md already in" in done["stderr"]


@pytest.mark.parametrize("forged", ["", "[]", '["Other.md"]'])
def test_another_stack_hides_no_cycle(client, server, execute, forged):
    server.add("Forges", f"RUNBOOK_RECURSION_STACK='{forged}' runbook call Forges.md; print $?")
    done = execute(client, "Forges.md")
    assert done["stdout"] == "65\n"
    assert "Recursion detected" in done["stderr"]


def test_an_assignment_that_is_none_is_a_usage_error(client, caller):
    done = caller(client, "Prints.md TEXT")
    assert done["stdout"] == "2 \n"
    assert "must be NAME=VALUE" in done["stderr"]


def test_a_text_that_begins_like_a_file_stays_a_text(client, caller):
    """Only for an input that is a file does @ mean one."""
    assert "┊ <@nothing>" in caller(client, "Prints.md TEXT=@nothing")["stderr"]


def test_python_calls_by_function(client, caller):
    call = '"Prints.md", {"TEXT": 5}'
    done = caller(client, call, source=BY_FUNCTION, language="python")
    assert done["stdout"] == "{}\n"
    assert "┊ <5>\n" in done["stderr"]
    call = '"Prints.md", TEXT="by keyword", quiet=True'
    assert caller(client, call, source=BY_FUNCTION, language="python")["stderr"] == ""


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ('"Fails.md"', "failed Fails.md failed with return code 3\n"),
        (
            '"Prints.md"',
            "invalid Prints.md invalid: Required environment variable not set: TEXT\n",
        ),
    ],
)
def test_python_gets_an_error_with_the_end_of_the_child(client, caller, call, text):
    assert caller(client, call, source=BY_FUNCTION, language="python")["stdout"] == text


def test_output_arrives_while_the_child_runs(client, server, follow):
    server.add("Waits", "print begun; read < $FIFO; print ended", inputs="FIFO: f")
    fifo = server.folder / "fifo"
    os.mkfifo(fifo)
    server.add("Caller", f"runbook call Waits.md FIFO={fifo}")
    headers = {"Prefer": "respond-async"}
    run_id = client.post("/api/runbooks/Caller.md/execute", headers=headers).json()["run_id"]
    shown = ""
    for event in follow(client, run_id):
        shown += event.get("text", "")
        if "┊ begun\n" in shown and "ended" not in shown and fifo.exists():
            fifo.write_text("go\n")
            fifo.unlink()
    assert re.search(r"┊ begun\n┊ ended\n└ Waits\.md succeeded", shown)


def test_the_end_of_the_caller_ends_the_child(client, server, follow):
    server.add("Sleeps", "print begun; sleep 3434")
    server.add("Caller", "runbook call Sleeps.md")
    headers = {"Prefer": "respond-async"}
    run_id = client.post("/api/runbooks/Caller.md/execute", headers=headers).json()["run_id"]
    for event in follow(client, run_id):
        if "begun" in event.get("text", ""):
            (child,) = client.get(f"/api/runs/{run_id}").json()["children"]
            client.post(f"/api/runs/{run_id}/cancel")
    assert event["status"] == "cancelled"
    assert list(follow(client, child["id"]))[-1]["status"] == "cancelled"


# -- the transport by itself ---------------------------------------------------------------------


@pytest.fixture
def way(server):
    token = server.token()
    return HttpTransport(Caller(token, url=f"{server.url}/api/runbooks"))


def test_a_called_run_is_followed_to_its_end(way):
    done = follow(way, CallRequest("Fails.md", {}), None)
    assert (done["status"], done["return_code"]) == ("failed", 3)


def test_an_unknown_runbook_has_no_file_inputs_and_cannot_be_called(way):
    assert file_inputs(way, "None.md") == frozenset()
    with pytest.raises(NotFoundError):
        follow(way, CallRequest("None.md", {}), None)


def test_a_server_that_is_not_there_is_named():
    way = HttpTransport(Caller("t", url="http://127.0.0.1:9/api/runbooks"))
    with pytest.raises(ServerUnavailableError, match=r"127\.0\.0\.1:9"):
        follow(way, CallRequest("A.md", {}), None)


def test_the_events_are_those_of_the_api(way, capsys):
    events = list(way.events(CallRequest("folder/Deep.md", {})))
    assert list(events[0]) == ["run"]
    assert [event["n"] for event in events[1:]] == list(range(1, len(events)))
    frame = Frame("folder/Deep.md", sys.stderr)
    for event in events:
        frame.show(event)
    assert "┊ deep\n" in capsys.readouterr().err
    json.dumps(events)
