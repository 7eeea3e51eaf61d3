"""The connector, with a Docker CLI that says what the test wants."""

import json
import os
import stat

import pytest

from runbook.connectors import compose
from runbook.connectors.checking import answer
from runbook.connectors.compose.target import target_of
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.kinds import DOCKER
from runbook.core.connection import check_values

PROGRAM = """\
#!/bin/sh
printf '%s\\n' "$@" >> "{folder}/arguments"
env > "{folder}/environment"
pwd > "{folder}/current"
cat "{folder}/stdout"
cat "{folder}/stderr" >&2
{more}
exit {code}
"""
KEY = "-----BEGIN PRIVATE KEY-----\nsecret-key\n-----END PRIVATE KEY-----"
TLS = {
    "transport": "tls",
    "host": "192.0.2.1",
    "ca": "the authority",
    "client_cert": "the certificate",
    "client_key": KEY,
}


class Docker:
    """A program `docker` on the PATH."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
        monkeypatch.setenv("APP_PASSWORD", "not for docker")
        self.says()

    def says(self, stdout="", stderr="", code=0, more=""):
        (self.folder / "stdout").write_text(stdout)
        (self.folder / "stderr").write_text(stderr)
        (self.folder / "arguments").write_text("")
        program = self.folder / "docker"
        program.write_text(PROGRAM.format(folder=self.folder, code=code, more=more))
        program.chmod(0o755)

    @property
    def arguments(self):
        return (self.folder / "arguments").read_text().splitlines()

    @property
    def environment(self):
        lines = (self.folder / "environment").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.fixture
def docker(tmp_path, monkeypatch):
    return Docker(tmp_path, monkeypatch)


def opened(*, dry_run=False, **values):
    given = ConnectionValues("dock", "docker", values)
    return compose.open_engine(given, CollectedHostKeys({}), dry_run=dry_run)


def refusal(docker, stderr):
    docker.says(stderr=stderr, code=1)
    with opened() as engine, pytest.raises(ConnectorError) as raised:
        engine.version()
    return raised.value


@pytest.mark.parametrize(
    ("said", "code", "unsent"),
    [
        ("unknown command: docker compose", ErrorCode.MISSING_EXTRA, True),
        ("docker: 'compose' is not a docker command.", ErrorCode.MISSING_EXTRA, True),
        (
            "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
            ErrorCode.UNREACHABLE,
            True,
        ),
        (
            "permission denied while trying to connect to the Docker daemon socket",
            ErrorCode.REFUSED,
            True,
        ),
        ("x509: certificate signed by unknown authority", ErrorCode.TLS, True),
        ("remote error: tls: certificate required", ErrorCode.AUTH, True),
        ("dial tcp 192.0.2.1:2376: i/o timeout", ErrorCode.TIMEOUT, False),
        ("manifest for app:9 not found: manifest unknown", ErrorCode.NOT_FOUND, False),
        ("no such service: x: not found", ErrorCode.NOT_FOUND, False),
        ("no configuration file provided: not found", ErrorCode.NOT_FOUND, False),
        ("Error response: unauthorized: authentication required", ErrorCode.AUTH, False),
        ("services.app additional properties 'imgae' not allowed", ErrorCode.INVALID, False),
        ("yaml: line 3: mapping values are not allowed", ErrorCode.INVALID, False),
        ("Bind for 0.0.0.0:80 failed: port is already allocated", ErrorCode.CONFLICT, False),
        ("write /var/lib/x: no space left on device", ErrorCode.FULL, False),
        ("dependency failed to start: container db is unhealthy", ErrorCode.TASK_FAILED, False),
        ("something else", ErrorCode.SERVER, False),
        ("", ErrorCode.SERVER, False),
    ],
)
def test_errors_have_codes(docker, said, code, unsent):
    error = refusal(docker, said)
    assert (error.code, error.nothing_changed, error.answered) == (code, unsent, True)


def test_a_missing_program_is_a_missing_extra(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with opened() as engine, pytest.raises(ConnectorError) as raised:
        engine.version()
    assert (raised.value.code, raised.value.nothing_changed) == (ErrorCode.MISSING_EXTRA, True)


def test_a_command_that_hangs_is_ended(docker):
    docker.says(more="exec sleep 600")
    with opened(timeout=0.2) as engine, pytest.raises(ConnectorError) as raised:
        engine.version()
    assert raised.value.code is ErrorCode.TIMEOUT


def test_output_is_bounded(docker):
    docker.says(more="yes | head -c 70000000")
    with opened() as engine, pytest.raises(ConnectorError) as raised:
        engine.version()
    assert raised.value.code is ErrorCode.TRUNCATED


def test_secrets_are_in_private_files_and_not_in_arguments(docker):
    docker.says(stdout="1")
    with opened(**TLS) as engine:
        engine.version()
        folder = engine.cli.folder
        (key,) = (path for path in folder.iterdir() if "tlskey" in path.name)
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert key.read_text() == f"{KEY}\n"
    assert not folder.exists()
    assert not any("secret-key" in word for word in docker.arguments)
    assert docker.arguments[:3] == ["--host", "tcp://192.0.2.1:2376", "--tlsverify"]
    assert "APP_PASSWORD" not in docker.environment


def test_words_of_a_shell_are_only_words(docker, tmp_path):
    docker.says(stdout="sha256:1")
    with opened() as engine:
        engine.image_id(f"x; touch {tmp_path}/made")
    assert f"x; touch {tmp_path}/made" in docker.arguments
    assert not (tmp_path / "made").exists()


def test_a_dry_run_only_plans_changes(docker, monkeypatch, tmp_path):
    monkeypatch.setenv("RUNBOOK_PLAN", str(tmp_path / "plan"))
    with opened(dry_run=True) as engine:
        engine.stack("web", "/srv/web", "/srv/web/compose.yaml").up({"app": 3}, services=["app"])
        engine.tag("sha256:1", "app:1")
    assert docker.arguments == []
    up, tag = (tmp_path / "plan").read_text().splitlines()
    assert "docker --host unix:///var/run/docker.sock compose --project-name web" in up
    assert up.endswith("--pull never --no-deps --scale app=3 app")
    assert tag.endswith("image tag sha256:1 app:1")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"transport": "tls"}, ErrorCode.INVALID),
        ({"transport": "tls", "host": "h"}, ErrorCode.AUTH),
        ({"transport": "ssh"}, ErrorCode.INVALID),
        ({"transport": "ssh", "host": "h"}, ErrorCode.INVALID),
        ({"transport": "ssh", "host": "h", "username": "u"}, ErrorCode.AUTH),
    ],
)
def test_each_transport_has_what_it_needs(values, code):
    with pytest.raises(ConnectorError) as raised:
        target_of(ConnectionValues("dock", "docker", values))
    assert (raised.value.code, raised.value.nothing_changed) == (code, True)


def test_other_kinds_are_refused():
    with pytest.raises(ConnectorError) as raised:
        target_of(ConnectionValues("pve", "proxmox", {}))
    assert raised.value.code is ErrorCode.INVALID


def test_hosts_are_addresses():
    def host(**values):
        return target_of(ConnectionValues("dock", "docker", values)).host

    assert host() == "unix:///var/run/docker.sock"
    assert host(**{**TLS, "host": "2001:db8::1"}) == "tcp://[2001:db8::1]:2376"
    by_ssh = {
        "transport": "ssh",
        "host": "h",
        "ssh_port": 2222,
        "username": "u",
        "password": "pass",
    }
    assert host(**by_ssh) == "ssh://u@h:2222"


def test_fields_of_the_kind_are_checked():
    wrong = check_values(DOCKER, {"transport": "http", "socket": "relative", "client_key": "abc"})[
        1
    ]
    assert {one.params["field"] for one in wrong} == {"transport", "socket", "client_key"}
    assert DOCKER.secrets >= {"client_key", "password", "private_key", "jump_password"}


def test_a_check_says_which_versions_there_are(docker):
    docker.says(stdout="28.1\n")
    question = {"name": "dock", "kind": "docker", "values": {}, "host_keys": {}}
    found = answer("runbook.connectors.compose", question)
    assert (found.ok, found.version) == (True, "28.1")
    docker.says(stderr="Cannot connect to the Docker daemon", code=1)
    assert answer("runbook.connectors.compose", question).code is ErrorCode.UNREACHABLE


def test_files_are_found_as_compose_finds_them(docker, tmp_path):
    for name in ("docker-compose.yml", "compose.yaml", "compose.override.yml"):
        (tmp_path / name).write_text("services: {}\n")
    with opened() as engine:
        found = engine.stack("web", tmp_path).all_files()
        assert [path.name for path in found] == ["compose.yaml", "compose.override.yml"]
        own = engine.stack("web", tmp_path, tmp_path / "docker-compose.yml").all_files()
        assert [path.name for path in own] == ["docker-compose.yml"]
        assert engine.stack("web", tmp_path / "none").all_files() == ()


def test_services_say_why_they_cannot_be_scaled(docker):
    services = {
        "free": {"image": "a:1", "ports": [{"target": 80, "published": "8000-8010"}]},
        "fixed": {"image": "a:1", "ports": [{"target": 80, "published": "80"}]},
        "named": {"image": "a:1", "container_name": "one", "deploy": {"replicas": 1}},
        "scaled": {"image": "a:1", "scale": 2, "volumes": [{"type": "volume", "source": "data"}]},
    }
    docker.says(stdout=json.dumps({"services": services}))
    with opened() as engine:
        found = engine.stack("web", "/srv/web").services
    assert [name for name, one in found.items() if one.blocker] == ["fixed", "named"]
    assert {name: one.replicas for name, one in found.items()} == {
        "free": None,
        "fixed": None,
        "named": 1,
        "scaled": 2,
    }
    assert found["scaled"].volumes == ("data",)


def test_helpers_that_were_left_are_removed(docker):
    docker.says(stdout="abc\n")
    with opened() as engine:
        engine.remove_helpers("web_data")
    assert "label=runbook.volume=web_data" in docker.arguments
    assert docker.arguments[-3:] == ["rm", "--force", "abc"]
