"""Toolkits over HTTP."""

import io
import random
import zipfile

import pytest

from runbook.api import toolkits

MANIFEST = "slug: yard\nname: Yard\nversion: {version}\n"
ZIP = {"Content-Type": "application/zip"}


def zipped(version="1.0.0", **more):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as made:
        made.writestr("toolkit.yaml", MANIFEST.format(version=version))
        made.writestr("README.md", "# Yard\n")
        for name, text in more.items():
            made.writestr(f"{name}.md", text)
    return buffer.getvalue()


def upload(client, data):
    return client.post("/api/toolkits", data=data, headers=ZIP)


def of_slug(client, slug):
    found = client.get("/api/toolkits").json["toolkits"]
    return next((it for it in found if it["slug"] == slug), None)


@pytest.fixture(autouse=True)
def _clean(client):
    yield
    for slug in ("yard", "health"):
        client.delete(f"/api/toolkits/{slug}")


def test_from_upload_to_removal(client):
    reply = upload(client, zipped())
    assert reply.json == {"slug": "yard", "version": "1.0.0", "enabled": False}
    assert client.patch("/api/toolkits/yard", json={"enabled": True}).status_code == 200
    assert upload(client, zipped("1.1.0")).json["enabled"] is True
    assert client.get("/api/toolkits/yard/readme").json == {"text": "# Yard\n"}
    found = of_slug(client, "yard")
    assert (found["version"], found["previous_version"]) == ("1.1.0", "1.0.0")
    assert (found["origin"], found["installed_by"]) == ("upload", "ann")
    assert client.post("/api/toolkits/yard/rollback").json["version"] == "1.0.0"
    assert client.patch("/api/toolkits/yard", json={"enabled": False}).status_code == 200
    assert of_slug(client, "yard")["enabled"] is False
    assert client.delete("/api/toolkits/yard").status_code == 200
    assert of_slug(client, "yard") is None
    for slug in ("yard", "..", "%2e%2e"):
        assert client.get(f"/api/toolkits/{slug}/readme").status_code == 404


def test_a_bundled_one_and_a_run_of_it(client):
    assert of_slug(client, "health")["version"] is None
    assert client.get("/api/toolkits/health/readme").json["text"].startswith("# Health\n")
    assert client.post("/api/toolkits/health/install").json["enabled"] is False
    assert client.get("/api/runbooks/health/Health.md").status_code == 404
    client.patch("/api/toolkits/health", json={"enabled": True})
    assert client.get("/api/runbooks/health/Health.md").json["name"] == "Health"
    later = {"Prefer": "respond-async"}
    reply = client.post("/api/runbooks/health/Health.md/execute", headers=later)
    run_id = reply.json["run_id"]
    run, toolkit = client.get(f"/api/runs/{run_id}").json, of_slug(client, "health")
    assert run["toolkit"] == {key: toolkit[key] for key in ("slug", "version", "digest")}
    client.patch("/api/toolkits/health", json={"enabled": False})
    assert client.get("/api/runbooks/health/Health.md").status_code == 404
    assert client.get(f"/api/runs/{run_id}").json["toolkit"] == run["toolkit"]
    client.post(f"/api/runs/{run_id}/cancel")


def test_what_is_shown(client):
    shown = client.get("/api/toolkits/health").json
    assert (shown["version"], shown["enabled"]) == (None, False)
    assert shown["readme"].startswith("# Health")
    assert [(it["path"], it["executable"]) for it in shown["runbooks"]] == [
        ("health/Diagnose.md", False),
        ("health/Health.md", False),
    ]
    assert {key: shown[key] for key in of_slug(client, "health")} == of_slug(client, "health")


def test_a_missing_connection_is_one_that_the_caller_may_not_use(client, token):
    kinds = "connections: [netbox]\n"
    upload(client, zipped("1.0.0\n" + kinds))
    assert of_slug(client, "yard")["missing"]["connections"] == ["netbox"]
    values = {"url": "http://localhost", "token": "s3cret-value"}
    made = {"name": "ipam", "kind": "netbox", "values": values, "claims": {"roles": ["sre"]}}
    assert client.post("/api/connections", json=made).status_code < 300
    assert of_slug(client, "yard")["missing"]["connections"] == []
    other = {"Authorization": f"Bearer {token(roles=['developer'])}"}
    shown = client.get("/api/toolkits/yard", headers=other).json
    assert shown["missing"]["connections"] == ["netbox"]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"no zip", "not_a_zip"),
        (zipped("one"), "bad_manifest"),
        (zipped().replace(b"README.md", b"../AD.md."), "bad_name"),
    ],
)
def test_a_refused_archive(client, data, reason):
    reply = upload(client, data)
    assert (reply.status_code, reply.json["code"]) == (422, "toolkit_refused")
    assert reply.json["reason"] == reason


def test_archives_may_be_larger_than_other_bodies(client, settings, monkeypatch):
    large = zipped(Large=random.Random(1).randbytes(settings.max_body_bytes + 1))
    assert upload(client, large).status_code == 200
    monkeypatch.setattr(toolkits, "MOST_ARCHIVE_BYTES", len(large) - 1)
    assert upload(client, large).status_code == 413


def test_the_problems_of_a_manifest_are_named(client):
    (problem,) = upload(client, zipped("one")).json["errors"]
    assert (problem["code"], problem["line"]) == ("bad_value", 3)


@pytest.mark.parametrize(
    ("send", "status"),
    [
        (lambda client: client.post("/api/toolkits", json={}), 415),
        (lambda client: client.post("/api/toolkits", data=b"", headers=ZIP), 400),
        (lambda client: client.patch("/api/toolkits/yard", json={}), 400),
        (lambda client: client.patch("/api/toolkits/yard", json={"enabled": "yes"}), 400),
        (lambda client: client.patch("/api/toolkits/yard", json={"enabled": True}), 404),
        (lambda client: client.post("/api/toolkits/yard/install"), 404),
        (lambda client: client.post("/api/toolkits/yard/rollback"), 404),
        (lambda client: client.post("/api/toolkits/yard/update"), 404),
        (lambda client: client.post("/api/toolkit-updates"), 404),
        (lambda client: client.get("/api/toolkits/yard"), 404),
        (lambda client: client.delete("/api/toolkits/yard"), 404),
    ],
)
def test_what_is_refused(client, send, status):
    assert send(client).status_code == status


def test_a_name_that_is_taken(client, settings):
    (settings.runbooks_dir / "yard").mkdir()
    try:
        assert upload(client, zipped()).json["code"] == "source_conflict"
    finally:
        (settings.runbooks_dir / "yard").rmdir()
