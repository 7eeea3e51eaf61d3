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
