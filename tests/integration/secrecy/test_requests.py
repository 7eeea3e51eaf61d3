"""The answers to wrong requests do not repeat a secret."""

import json

import pytest

WRONG = "wr0ngSecretOfThirtyCharacters"


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("min: 99", WRONG),
        ("max: 5", WRONG),
        ("pattern: '[0-9]+'", WRONG),
        ("pattern: '[0-9]+'", WRONG * 200),
        ("", f"{WRONG}\0"),
        ("", f"{WRONG}\ud800"),
        ("", WRONG * 3000),
        ("", [WRONG]),
        ("", {WRONG: WRONG}),
    ],
)
def test_the_errors_of_a_secret_do_not_repeat_it(add, client, server, sinks, rule, value, caught):
    inputs = f"PASSWORD: {{type: secret{', ' if rule else ''}{rule}}}"
    url = add("Checked", "print never", inputs)
    body = json.dumps({"env_vars": {"PASSWORD": value}})

    invalid = client.patch(url.replace("execute", "validate"), content=body)
    reply = client.post(url, content=body)

    assert invalid.status_code == 400
    assert "PASSWORD" in reply.text
    assert "never" not in reply.text
    assert caught(WRONG, invalid.content + reply.content) == []
    assert sinks.traces(WRONG, reply.headers["x-run-id"]) == {}


@pytest.mark.parametrize(
    "body",
    [
        f'{{"env_vars": "{WRONG}"}}',
        f'{{"env_vars": ["{WRONG}"]}}',
        f'{{"env_vars": {{"PASSWORD": "{WRONG}"}}, "dry_run": "{WRONG}"}}',
        f'{{"env_vars": {{"PASSWORD": "{WRONG}"',
        f'["{WRONG}"]',
        f'"{WRONG}"',
        f"{WRONG}",
    ],
)
def test_a_body_that_is_none_is_not_repeated(add, client, sinks, body, caught):
    reply = client.post(add("Plain", "true"), content=body)

    assert reply.status_code == 400
    assert caught(WRONG, reply.content) == []
    assert sinks.traces(WRONG) == {}


INPUTS = """PASSWORD: {type: secret}
N: {type: integer, optional: true}
C: {type: choice, choices: [a, b], optional: true}
T: {type: string, optional: true}"""
POLICY = "locks: 'l-${T}'\nconfirm: yes ${T}"
BESIDE = "b3sideSecretOfThirtyCharacters"


@pytest.mark.parametrize(
    ("values", "more"),
    [
        ({}, {"reason": f"because {BESIDE}"}),
        ({"T": BESIDE}, {"confirm": f"yes {BESIDE}"}),
        ({"T": BESIDE}, {}),
        ({"N": BESIDE, "C": f"<{BESIDE}>"}, {}),
        ({BESIDE: "1", f"{BESIDE}-": [BESIDE]}, {}),
        ({"T": BESIDE * 20, "N": [BESIDE * 20]}, {}),
    ],
    ids=["reason", "lock", "confirmation", "errors", "names", "long"],
)
def test_no_text_of_a_request_repeats_its_secret(add, client, server, sinks, values, more, caught):
    url = add("Asked", "print done", INPUTS, policy=POLICY)
    body = {"env_vars": {"PASSWORD": BESIDE, "T": "t", **values}, "confirm": "yes t", **more}
    headers = {"Idempotency-Key": f"{list(values)}{BESIDE}", "X-Correlation-Id": BESIDE}

    client.patch(url.replace("execute", "validate"), json=body)
    reply = client.post(url, json=body, headers=headers)

    assert caught(BESIDE, reply.content + repr(reply.headers).encode()) == []
    run_id = reply.headers.get("x-run-id")
    assert sinks.traces(BESIDE, *[run_id] if run_id else []) == {}


ASKS = """
runbook call -q Asked.md PASSWORD=other N=$PASSWORD
runbook call -q Asked.md PASSWORD=other T=$PASSWORD --confirm "yes $PASSWORD"
runbook call -q Asked.md PASSWORD=other "$PASSWORD=3"
runbook call -q Asked.md PASSWORD=other T=t --confirm "yes t"
runbook call -q nope/$PASSWORD.md
curl -s -H "$RUNBOOK_H_AUTH" "${RUNBOOK_URL%/runbooks}/runs?q=$PASSWORD&who=$PASSWORD"
curl -s -H "$RUNBOOK_H_AUTH" -H "$RUNBOOK_H_CTYPE" -H "Accept: application/json" \
  -H "Idempotency-Key: $PASSWORD" -H "X-Correlation-Id: $PASSWORD" \
  -d "{\\"reason\\":\\"$PASSWORD\\",\\"env_vars\\":{\\"PASSWORD\\":\\"q\\"}}" \
  $RUNBOOK_URL/Asked.md/execute
print asked
"""


def test_no_text_that_a_script_sends_repeats_its_secret(add, client, sinks, execute, run_json):
    add("Asked", "print done", INPUTS, policy=POLICY)
    add("Asks", ASKS)

    done = execute(client, "Asks.md", PASSWORD=BESIDE)

    assert done["stdout"].endswith("asked\n")
    children = [child["id"] for child in run_json(done["run_id"])["children"]]
    assert len(children) == 5
    assert "***" in {run_json(one)["reason"] for one in children}
    assert sinks.traces(BESIDE, done["run_id"], *children) == {}
