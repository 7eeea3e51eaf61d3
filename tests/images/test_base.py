"""The base image."""

import json
import urllib.error
import urllib.request

import pytest

from images.building import BASE, BUILT_AT, version

HARDENED = (
    *("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL"),
    *("--security-opt", "no-new-privileges"),
)
SECRET = "a-secret-of-more-than-thirty-two-bytes!"
SERVER = (
    *("--env", f"JWT_SECRET={SECRET}", "--env", "ENABLE_LOGIN=true"),
    *("--env", "ALLOW_REMOTE_DEV_LOGIN=true"),
)


@pytest.fixture
def serve(images):
    """Starts a server, and waits until its container is healthy. Gives its ID."""
    started = []

    def start(*arguments, options=()):
        probes = ("--health-interval", "1s", "--publish", "8083:8083")
        given = (*probes, *SERVER, *options)
        started.append(images.start("runbook", *arguments, options=given))
        images.wait_until_healthy(started[-1])
        return started[-1]

    yield start
    for container in started:
        images.docker("rm", "--force", "--volumes", container)


def ask(images, path, **request):
    asked = urllib.request.Request(f"http://{images.engine.address}:8083{path}", **request)
    with urllib.request.urlopen(asked) as answer:
        return answer.read()


def test_who_runs_what(images):
    config = images.inspect("runbook", "Config")
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"][0] == "tini"
    assert config["Cmd"] == ["runbook", "serve"]
    assert config["Volumes"] is None
    labels = {name.rpartition(".")[2]: text for name, text in config["Labels"].items()}
    assert labels["version"] == version()
    assert (labels["created"], labels["revision"]) == (BUILT_AT, "0123abc")
    assert f"BUILT_AT={BUILT_AT}" in config["Env"]


@pytest.mark.parametrize("command", [("runbook", "version"), ("version",)])
def test_the_commands_of_runbook(images, command):
    assert images.run("runbook", *command).stdout.startswith(f"runbook {version()}")


@pytest.mark.parametrize(
    "command",
    [
        ("gunicorn", "--bind", "0.0.0.0:8083", "src.server:app"),
        ("sh", "-c", "exec gunicorn src.server:app"),
    ],
)
def test_gunicorn_says_what_replaces_it(images, command):
    done = images.run("runbook", *command, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert "runbook serve" in done.stderr


def test_other_programs_and_mistakes(images):
    assert images.run("runbook", "sh", "-c", "id -u").stdout == "10001\n"
    assert images.run("runbook", "/bin/echo", "a").stdout == "a\n"
    assert images.run("runbook", "--help").stdout.startswith("Usage: runbook")
    assert images.run("runbook", "no-such-command", check=False).returncode == 2


def test_the_programs_of_runbooks_are_there(images):
    script = "for one in zsh bash git curl bwrap runbook python3; do command -v $one; done"
    assert len(images.run("runbook", "sh", "-c", script).stdout.splitlines()) == 7


def test_no_secret_no_key_and_no_tests(images):
    script = """
        find /data /runbooks -mindepth 1
        find / -xdev -type f \\( -name '*.pem' -o -name '*.key' -o -name 'id_*' \\) 2>/dev/null |
            grep -v -e ^/etc/ssl -e ^/usr -e certifi -e ^/proc
        find /opt/runbook -type d -name tests
        find /opt/runbook -newermt 2100-01-01
        find /opt /usr/local -writable ! -type l
        find /opt ! -readable
    """
    assert images.run("runbook", "sh", "-c", script).stdout == ""


def test_all_python_is_compiled(images):
    """Nothing is left for a process that may write bytecode, as root may."""
    script = """
        runbook list >/dev/null && python -c 'import runbook.api.server, asyncio, sqlalchemy.orm' &&
        find / -xdev -name '*.pyc' -newer /opt/runbook/share/sbom.cdx.json
    """
    assert images.run("runbook", "sh", "-c", script, options=("--user", "0")).stdout == ""


def test_the_bill_of_materials(images):
    text = images.run("runbook", "sh", "-c", "cat /opt/runbook/share/sbom.cdx.json").stdout
    found = json.loads(text)
    assert (found["bomFormat"], found["metadata"]["timestamp"]) == ("CycloneDX", BUILT_AT)
    purls = {one["purl"].partition("?")[0].rpartition("@")[0] for one in found["components"]}
    assert purls >= {"pkg:pypi/runbook-engine", "pkg:pypi/flask", "pkg:deb/debian/zsh"}
    assert "pkg:npm/vue" in purls
    assert "pkg:npm/vitest" not in purls
    installed = images.run("runbook", "sh", "-c", "dpkg-query -W | wc -l")
    of_debian = [one for one in found["components"] if one["purl"].startswith("pkg:deb/")]
    assert len(of_debian) == int(installed.stdout)


def test_a_hardened_server(images, serve):
    container = serve(options=(*HARDENED, "--tmpfs", "/data:uid=10001"))
    assert b'<div id="app"' in ask(images, "/")
    assert json.loads(ask(images, "/readyz"))
    body = json.dumps({"roles": ["admin"]}).encode()
    headers = {"Content-Type": "application/json"}
    token = json.loads(ask(images, "/dev-login", data=body, headers=headers))["access_token"]
    config = ask(images, "/api/config", headers={"Authorization": f"Bearer {token}"})
    items = {one["name"]: one["value"] for one in json.loads(config)["config_items"]}
    assert items["BUILT_AT"] == BUILT_AT
    assert items["RUNBOOKS_DIR"] == "/runbooks"
    with pytest.raises(urllib.error.HTTPError):
        ask(images, "/api/config")
    images.docker("stop", "-t", "60", container)
    assert images.inspect(container, "State.ExitCode") == 0


def test_the_old_health_check_and_another_port(images, serve):
    container = serve(options=("--env", "API_PORT=9000"))
    old = ("curl", "-f", "http://localhost:9000/metrics")
    assert "flask_http_request_total" in images.out("exec", container, *old)


def test_without_a_secret_the_server_says_what_to_set(images):
    done = images.run("runbook", check=False)
    assert done.returncode == 78
    assert "JWT_SECRET" in done.stderr


def test_it_is_built_on_the_base(images):
    own = images.inspect("runbook", "RootFS.Layers")
    assert own[0] == images.inspect(BASE, "RootFS.Layers")[0]
    assert len(own) == 4
