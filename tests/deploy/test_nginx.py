"""The nginx configuration by itself: what nginx answers without an engine."""

import os
import re
import shutil
import ssl
import tempfile
from pathlib import Path

import httpx
import pytest

from deploy import tools
from deploy.cluster import Nginx
from ports import free_port
from runbook.settings import Settings

ADDED = {
    "strict-transport-security": "max-age=31536000",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
}
UPSTREAMS = {"single": ["engine"], "multi": ["engine-a", "engine-b", "engine-c"]}


@pytest.fixture(scope="module")
def secrets():
    with tempfile.TemporaryDirectory(prefix="nginx-") as folder:
        environment = {"PATH": "/usr/bin:/bin", "SECRETS_FOLDER": folder}
        tools.output(tools.DOCKER / "secrets.sh", env=environment)
        os.chmod(folder, 0o755)  # as the files are mounted one by one
        yield Path(folder)


@pytest.fixture(params=UPSTREAMS)
def nginx(request, secrets):
    """In front of instances that don't run."""
    ports = {name: free_port() for name in UPSTREAMS[request.param]}
    nginx = Nginx(secrets / request.param, secrets, request.param, ports).start()
    yield nginx
    nginx.stop()
    shutil.rmtree(nginx.folder)


@pytest.fixture
def client(nginx, secrets):
    trust = ssl.create_default_context(cafile=secrets / "tls.crt")
    with httpx.Client(base_url=nginx.address, verify=trust) as client:
        yield client


def test_the_configuration_is_valid(nginx):
    code, said = nginx.check()
    assert code == 0, said
    assert "test is successful" in said


def test_without_an_engine_it_answers_with_its_own_headers(client):
    reply = client.get("/api/status")
    assert reply.status_code == 502
    for name, value in ADDED.items():
        assert reply.headers.get_list(name) == [value]
    assert "nginx/" not in reply.headers["server"]


def test_plain_http_is_redirected_with_its_method(nginx):
    reply = httpx.post(f"http://127.0.0.1:{nginx.http}/api/x?y=1", headers={"Host": "a.example"})
    assert reply.status_code == 308
    assert reply.headers["location"] == "https://a.example/api/x?y=1"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2])
def test_only_secure_versions_of_tls_are_spoken(nginx, secrets, version):
    context = ssl.create_default_context(cafile=secrets / "tls.crt")
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = version
    try:
        code = httpx.get(nginx.address, verify=context).status_code
    except httpx.ConnectError:
        code = None
    assert code == (502 if version is ssl.TLSVersion.TLSv1_2 else None)


def test_metrics_are_not_passed_on(client):
    assert client.get("/metrics").status_code == 404


def test_a_body_that_is_too_large_is_left_to_the_engine_up_to_a_limit(client):
    limit = Settings().max_body_bytes
    assert client.post("/api/x", content=b"x" * (limit + 1)).status_code == 502
    assert client.post("/api/x", content=b"x" * (3 * limit)).status_code == 413


def test_a_request_that_waits_for_a_run_is_not_cut(nginx):
    text = (tools.DOCKER / "nginx/nginx.conf").read_text()
    (hours,) = re.findall(r"proxy_read_timeout (\d+)h;", text)
    assert int(hours) * 3600 > Settings().script_timeout_seconds
    assert "proxy_buffering off;" in text


def test_the_query_is_not_logged(nginx, client):
    client.get("/login?access_token=hunter2")
    nginx.stop()
    log = (nginx.folder / "log").read_text()
    assert '"GET /login" 502' in log
    # The error log quotes the request line of one that failed.
    accesses = [line for line in log.splitlines() if "[error]" not in line and "[warn]" not in line]
    assert not any("hunter2" in line for line in accesses)
    nginx.start()
