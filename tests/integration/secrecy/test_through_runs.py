"""Secrets of runs that wait, die, go on in another one or call one."""

import base64

import pytest


def begun(client, run_id, parse_lines):
    with client.stream("GET", f"/api/runs/{run_id}/events") as reply:
        for _, data, _ in parse_lines(reply):
            if '"begun' in data:
                return
    raise AssertionError("it did not begin")


def test_while_it_waits_and_after_its_worker_was_killed(
    add, submit, client, server, sinks, follow, parse_lines, tmp_path
):
    """Before, while and after the worker has it; its end by kill -9 wipes its inputs too."""
    text = "k3yStart7&<\"'/+ %$`\\ ü?=middlePart7~!endOfKey7"
    gate = tmp_path / "gate"
    blocks = f"print begun; while [[ ! -e {gate} ]]; do sleep 0.02; done"
    blocker = submit(client, add("Blocks", blocks, ""))
    begun(client, blocker, parse_lines)
    dies = 'print -r -- "$PASSWORD"; print -rn -- "${PASSWORD:0:30}"; print -u2 begun; sleep 999'
    run_id = submit(client, add("Dies", dies), env_vars={"PASSWORD": text})
    assert client.get(f"/api/runs/{run_id}").json()["status"] == "queued"
    assert sinks.traces(text) == {}
    gate.touch()
    begun(client, run_id, parse_lines)
    assert sinks.traces(text) == {}

    server.worker.kill()

    assert list(follow(client, run_id))[-1]["status"] == "lost"
    assert sinks.traces(text, run_id) == {}


STEPS = """
## One
```zsh
print -r -- "one $PASSWORD"; runbook env TOKEN=$PASSWORD; runbook output out=$PASSWORD
```

### Undo
```zsh
print -r -- "undone $PASSWORD $TOKEN"
```

## Two
```zsh
set -x; print -r -- "two $PASSWORD $TOKEN"; [[ $MODE == good ]] || exit 3
```
"""


@pytest.mark.parametrize("policy", ["on_failure: stop", "on_failure: undo"])
def test_through_retry_resume_and_undo(
    add, submit, client, sinks, follow, run_json, policy, tricky
):
    number = policy[-4:]
    text = tricky(f"Steps{number}")
    inputs = "PASSWORD: {type: secret}\nMODE: {type: string, default: bad}"
    url = add(f"Steps{number}", STEPS, inputs, policy=policy)
    given = {"PASSWORD": text, "TOKEN": text, "out": text}

    first = submit(client, url, env_vars={"PASSWORD": text})
    ends = {first: list(follow(client, first))[-1]["status"]}
    retried = submit(client, f"/api/runs/{first}/retry", env_vars={"PASSWORD": text})
    ends[retried] = list(follow(client, retried))[-1]["status"]
    if number == "stop":
        for action, more in (("resume", {"MODE": "good"}), ("undo", {})):
            of = retried if action == "resume" else next(reversed(ends))
            run_id = submit(client, f"/api/runs/{of}/{action}", env_vars=given | more)
            ends[run_id] = list(follow(client, run_id))[-1]["status"]
        assert list(ends.values()) == ["failed", "failed", "succeeded", "succeeded"]
    else:
        for run_id in list(ends):
            followers = run_json(run_id)["followers"]
            ends |= {one["id"]: one["status"] for one in followers if one["relation"] == "undo"}
        assert list(ends.values()) == ["failed", "failed", "succeeded", "succeeded"]
    logs = "".join(client.get(f"/api/runs/{run_id}/log").text for run_id in ends)
    assert "undone *** ***" in logs
    assert sinks.traces(text, *ends) == {}


@pytest.mark.parametrize("kind", ["secret", "string"])
@pytest.mark.parametrize("registered", [False, True], ids=["given", "registered"])
def test_in_a_run_that_is_called_with_it(add, client, sinks, execute, run_json, kind, registered):
    """Also where the called runbook does not know that it is a secret."""
    text = f"c4lledStart{kind}{registered}&<\"' %$`middlePart{kind}~!endOfKey{registered}"
    add(
        "Called",
        'print -r -- "called with $X"; runbook output x="$X"; runbook progress 5 "$X"; exit 3',
        f"X: {{type: {kind}}}",
    )
    call = 'runbook call Called.md X="$S"; print -r -- "again $S"'
    inputs = "PASSWORD: {type: secret}"
    script = f"S=$PASSWORD; {call}"
    if registered:
        hidden = base64.b64encode(text.encode()).decode()[::-1]
        script = (
            f"S=$(print -rn -- '{hidden}' | rev | base64 -d); print -r -- $S | runbook mask; {call}"
        )
        inputs = ""
    add("Calls", script, inputs)

    done = execute(client, "Calls.md", **({} if registered else {"PASSWORD": text}))

    (child,) = run_json(done["run_id"])["children"]
    assert "again ***" in done["stdout"]
    assert "called with ***" in client.get(f"/api/runs/{child['id']}/log").text
    assert sinks.traces(text, done["run_id"], child["id"]) == {}


def test_a_call_that_is_refused_does_not_repeat_it(add, client, sinks, execute, run_json):
    text = "1nvalidSecretOfThirtyCharacters"
    add("Strict", "print never", "X: {type: integer}\nY: {type: choice, choices: [a, b]}")
    add("Calls", 'runbook call Strict.md X="$PASSWORD" Y="<$PASSWORD>"')

    done = execute(client, "Calls.md", PASSWORD=text)

    (child,) = run_json(done["run_id"])["children"]
    assert run_json(child["id"])["errors"] == ["X must be an integer", "Y must be one of a, b"]
    assert sinks.traces(text, done["run_id"], child["id"]) == {}
