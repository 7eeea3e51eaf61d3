"""What monitoring reads: metrics of requests, and warnings in the log."""

import logging

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from runbook.api.app import create_app
from runbook.api.context import Application
from runbook.api.routing import POLICY_ATTRIBUTE, PUBLIC, Limit, RoutePolicy
from runbook.log import Alert
from runbook.settings import Settings


def messages(caplog):
    """The messages of the warnings in the log."""
    fields = [getattr(r, "fields", {}) for r in caplog.records if r.levelno >= logging.WARNING]
    return [found["message"] for found in fields if "message" in found]


def samples(registry):
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


@pytest.fixture
def counted(settings, engine, application):
    """An application with metrics of its own."""
    registry = CollectorRegistry()
    return create_app(
        Application(settings, engine, application.authenticator, None, registry)
    ), registry


def test_requests_are_counted_under_the_names_of_existing_dashboards(counted, token):
    app, registry = counted
    client = app.test_client()
    headers = {"Authorization": f"Bearer {token()}"}
    for path in ("/api/runbooks/Quick.md", "/api/runbooks/None.md", "/api/runs/1", "/api/none"):
        client.get(path, headers=headers)

    found = samples(registry)

    rule = "/api/runbooks/<ref:ref>"
    assert found["flask_http_request_total", "200", "GET"] == 1
    assert found["flask_http_request_total", "404", "GET"] == 3
    assert found["flask_http_request_duration_seconds_count", rule, "200", "GET"] == 1
    assert found["flask_http_request_duration_seconds_count", rule, "404", "GET"] == 1
    assert found["flask_http_request_duration_seconds_count", "404", "GET", "none"] == 1
    assert found["runbook_http_request_total", "200", "GET"] == 1
    assert found["flask_exceptions_total",] == 0


def test_an_unexpected_failure_is_counted(counted, monkeypatch):
    app, registry = counted
    app.config["PROPAGATE_EXCEPTIONS"] = False

    def fail():
        raise ZeroDivisionError

    setattr(fail, POLICY_ATTRIBUTE, RoutePolicy(PUBLIC, Limit.NONE, ""))
    (rule,) = [rule for rule in app.url_map.iter_rules() if rule.rule == "/api/public"]
    monkeypatch.setitem(app.view_functions, rule.endpoint, fail)

    assert app.test_client().get("/api/public").status_code == 500
    assert samples(registry)["flask_exceptions_total",] == 1


def test_a_missing_claim_and_a_missing_permission_are_warnings(client, token, caplog):
    headers = {"Authorization": f"Bearer {token(roles=['viewer'])}"}
    assert client.post("/api/shutdown", headers=headers).status_code == 403
    assert client.post("/api/runbooks/Sre.md/execute", headers=headers).status_code == 403
    assert messages(caplog) == [Alert.ACCESS] * 2


def test_a_name_that_no_variable_can_have_is_a_warning(client, caplog):
    body = {"env_vars": {"A-B": "x"}}
    assert client.patch("/api/runbooks/Quick.md/validate", json=body).status_code == 400
    assert client.post("/api/runbooks/Quick.md", json=body).json["return_code"] == 1
    assert messages(caplog) == [Alert.BAD_NAME] * 2


def test_a_caller_over_the_limit_is_a_warning(settings, engine, application, token, caplog):
    limited = Settings.load(
        dict(settings.environment), rate_limit_enabled=True, rate_limit_per_minute=1
    )
    registry = CollectorRegistry()
    app = create_app(Application(limited, engine, application.authenticator, None, registry))
    client, headers = app.test_client(), {"Authorization": f"Bearer {token()}"}

    replies = [client.get("/api/runs", headers=headers) for _ in range(2)]
    replies += [client.post("/api/runbooks/None.md", headers=headers)]

    assert [reply.status_code for reply in replies] == [200, 429, 404]
    assert messages(caplog) == [Alert.RATE_LIMIT]
    policies = {reply.headers["RateLimit-Policy"].partition(";")[0] for reply in replies}
    assert policies == {'"default"', '"execute"'}


def test_a_refused_token_is_logged_with_the_reason_and_without_the_token(stranger, token, caplog):
    expired = token(exp=1)

    reply = stranger.get("/api/runs", headers={"Authorization": f"Bearer {expired}"})

    assert (reply.status_code, reply.json["reason"]) == (401, "expired")
    (logged,) = [record for record in caplog.records if record.getMessage() == "auth.refused"]
    assert logged.levelno == logging.WARNING
    assert (logged.fields["reason"], logged.fields["path"]) == ("expired", "/api/runs")
    assert expired not in str(logged.fields) + reply.text


def test_the_configuration_shows_the_standard_claims(client, token):
    headers = {"Authorization": f"Bearer {token(team='core', jti='7')}"}
    shown = client.get("/api/config", headers=headers).json["token"]["claims"]
    assert shown == {
        "sub": "ann",
        "iss": "dev-idp",
        "aud": "dev-api",
        "exp": 4_000_000_000,
        "jti": "7",
        "roles": ["admin", "sre"],
        "team": "core",
    }
