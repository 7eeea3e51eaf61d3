"""What a request says and the API doesn't know is refused, so that nothing else happens instead."""

import pytest

EXECUTE = "/api/runbooks/Quick.md/execute"


def refused(reply, status=400):
    assert reply.status_code == status, reply.text
    assert reply.mimetype == "application/problem+json"
    return reply.json["errors"]


def runs(client):
    return client.get("/api/runs").json["runs"]


@pytest.mark.parametrize(
    ("body", "member", "hint"),
    [
        ({"dryrun": True}, "dryrun", "Did you mean dry_run?"),
        ({"dryRun": True}, "dryRun", "Did you mean dry_run?"),
        ({"dry_run": True, "environment": {}}, "environment", None),
    ],
)
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", EXECUTE),
        ("POST", "/api/runbooks/Quick.md"),
        ("PATCH", "/api/runbooks/Quick.md/validate"),
        ("PATCH", "/api/runbooks/Quick.md"),
        ("POST", "/api/runs/1/retry"),
        ("POST", "/api/runs/1/resume"),
        ("POST", "/api/runs/1/undo"),
    ],
)
def test_an_unknown_member_is_refused_with_a_suggestion(client, method, path, body, member, hint):
    (problem,) = refused(client.open(path, method=method, json=body))

    assert (problem["code"], problem["params"]) == ("unknown_member", {"member": member})
    assert hint is None or problem["hint"] == hint
    assert runs(client) == []


@pytest.mark.parametrize("path", ["/api/shutdown", "/api/runs/1/cancel"])
def test_a_request_that_takes_no_body_refuses_members(client, path):
    (problem,) = refused(client.post(path, json={"dry_run": True}))
    assert (problem["code"], problem["params"]) == ("unknown_member", {"member": "dry_run"})


def test_a_login_refuses_unknown_members(stranger):
    (problem,) = refused(stranger.post("/dev-login", json={"subject": "ann", "role": ["sre"]}))
    assert problem["params"] == {"member": "role"}
    assert problem["hint"] == "Did you mean roles?"


@pytest.mark.parametrize(
    ("body", "members"),
    [
        ({"env_vars": []}, {"env_vars"}),
        ({"env_vars": {"A": "x"}, "reason": 5, "dry_run": "yes"}, {"reason", "dry_run"}),
    ],
)
def test_every_invalid_member_is_named(client, body, members):
    problems = refused(client.post(EXECUTE, json=body))
    assert {problem["params"]["member"] for problem in problems} == members
    assert {problem["code"] for problem in problems} == {"invalid_member"}


@pytest.mark.parametrize(
    "body", ['{"dry_run": true, "dry_run": false}', '{"env_vars": {"A": 1, "A": 2}}']
)
def test_a_member_given_twice_is_refused(client, body):
    assert refused(client.post(EXECUTE, data=body, content_type="application/json")) == []


@pytest.mark.parametrize(
    ("path", "code", "parameter"),
    [
        ("/api/runs?stauts=failed", "unknown_parameter", "stauts"),
        ("/api/runs?status=failed&status=lost", "repeated_parameter", "status"),
        ("/api/runbooks?filter=x", "unknown_parameter", "filter"),
        ("/api/runbooks/Quick.md?version=1", "unknown_parameter", "version"),
        ("/api/status?verbose", "unknown_parameter", "verbose"),
        ("/api/audit?action=a&action=b", "repeated_parameter", "action"),
    ],
)
def test_an_unknown_or_repeated_parameter_is_refused(client, path, code, parameter):
    (problem,) = refused(client.get(path))
    assert (problem["code"], problem["params"]) == (code, {"parameter": parameter})


@pytest.mark.parametrize("query", ["relation=", "dry_run=", "active="])
def test_an_empty_choice_is_not_taken_for_none(client, query):
    assert client.get(f"/api/runs?{query}").status_code == 400


def test_a_parameter_of_a_change_is_refused_too(client):
    (problem,) = refused(client.post(f"{EXECUTE}?dry_run=true"))
    assert problem["params"] == {"parameter": "dry_run"}
    assert runs(client) == []


def test_a_stranger_learns_nothing_of_parameters(stranger):
    assert stranger.get("/api/runs?x=1").status_code == 401


@pytest.mark.parametrize(
    "path", ["/livez?verbose=1", "/metrics?name[]=up", "/?utm=1", "/login?returnUrl=/"]
)
def test_pages_and_probes_take_any_parameter(stranger, path):
    assert stranger.get(path).status_code == 200


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/api/runs?limit=500", 200),
        ("/api/audit?limit=201", 200),
        ("/api/runbooks/Quick.md/history?limit=1000000", 200),
    ],
)
def test_a_limit_beyond_the_maximum_is_refused_with_the_maximum(client, path, most):
    reply = client.get(path)
    assert reply.status_code == 400
    assert str(most) in reply.json["detail"]


@pytest.mark.parametrize(
    "path", ["/api/runs?limit=200", "/api/runs?limit=1", "/api/runs?id=a&id=b"]
)
def test_what_is_known_is_accepted(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 404),
        ("application/json; charset=utf-8", 404),
        ("application/merge-patch+json", 404),
        (None, 404),
        ("application/x-www-form-urlencoded", 415),
        ("text/plain", 415),
        ("application/xml", 415),
    ],
)
def test_a_body_must_be_json(client, content_type, status):
    reply = client.post("/api/runs/none/retry", data=b"{}", content_type=content_type)
    assert reply.status_code == status
    assert reply.mimetype == "application/problem+json"
    assert (reply.json["code"] == "unsupported_media_type") is (status == 415)


def test_without_a_body_the_content_type_says_nothing(client):
    reply = client.post("/api/runs/none/retry", data=b"", content_type="text/plain")
    assert reply.status_code == 404
