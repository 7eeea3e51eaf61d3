"""Clients that have the current state get a 304, and nobody gets another's."""

import pytest


@pytest.fixture(scope="module")
def run_id(app):
    login = {"subject": "ann", "roles": ["admin"]}
    client = app.test_client()
    token = client.post("/dev-login", json=login).json["access_token"]
    headers = {"Authorization": f"Bearer {token}", "Prefer": "respond-async"}
    return client.post("/api/runbooks/Quick.md/execute", headers=headers).json["run_id"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/runbooks",
        "/api/runbooks/Quick.md",
        "/api/runs/{run_id}",
        "/api/runs/{run_id}/document",
    ],
)
def test_what_the_client_has_is_not_sent_again(client, stranger, run_id, path):
    path = path.format(run_id=run_id)
    first = client.get(path)
    known = {"If-None-Match": first.headers["ETag"]}

    again = client.get(path, headers=known)

    assert first.headers["Cache-Control"] == "private, no-cache"
    assert first.headers["Vary"] == "Authorization"
    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": '"other"'}).status_code == 200
    assert stranger.get(path, headers=known).status_code == 401


def test_a_change_changes_the_etag(client, settings, run_id):
    before = client.get("/api/runbooks").headers["ETag"]
    (settings.runbooks_dir / "Other.md").write_text("# Other\n")
    try:
        reply = client.get("/api/runbooks", headers={"If-None-Match": before})
    finally:
        (settings.runbooks_dir / "Other.md").unlink()
    assert reply.status_code == 200

    before = client.get(f"/api/runs/{run_id}").headers["ETag"]
    assert client.post(f"/api/runs/{run_id}/cancel").status_code in (200, 202)
    reply = client.get(f"/api/runs/{run_id}", headers={"If-None-Match": before})
    assert reply.status_code == 200
