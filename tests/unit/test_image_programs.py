"""The programs in docker/image, without Docker: `make test-images` tests them in the image."""

import importlib.util
import json
import re
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

import runbook

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "docker/image"
PROGRAM = '#!/bin/sh\nprintf "%s" "${0##*/}"\n[ "$#" -eq 0 ] || printf " %s" "$@"\n'


def loaded(name):
    spec = importlib.util.spec_from_file_location(name, IMAGE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def enter(tmp_path):
    """What the entry point starts."""
    for name in ("runbook", "gunicorn", "python"):
        (tmp_path / name).write_text(PROGRAM)
        (tmp_path / name).chmod(0o755)

    def entered(*arguments, **environment):
        command = ["/bin/sh", IMAGE / "entrypoint.sh", *arguments]
        environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", **environment}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        return done.stdout

    return entered


@pytest.mark.parametrize(
    ("arguments", "started"),
    [
        ((), "runbook serve"),
        (("runbook", "serve", "--port", "1"), "runbook serve --port 1"),
        (("execute", "--runbook", "a b.md"), "runbook execute --runbook a b.md"),
        (("test", "a"), "runbook test a"),
        (("--help",), "runbook --help"),
        (("gunicorn", "x"), "gunicorn x"),
        (("sh", "-c", "echo $((1 + 1))"), "2\n"),
        (("/bin/echo", "a"), "a\n"),
    ],
)
def test_the_entry_point(enter, arguments, started):
    assert enter(*arguments) == started


@pytest.mark.parametrize(
    ("arguments", "started"),
    [
        (("--json",), "runbook execute --runbook a b.md --json"),
        (("runs", "--json"), "runbook runs --json"),
    ],
)
def test_options_are_those_of_the_job(enter, arguments, started):
    assert enter(*arguments, JOB_RUNBOOK="a b.md") == started


def test_the_dockerfile_has_the_version():
    given = re.search(r"^ARG VERSION=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert given[1] == runbook.__version__


def test_the_dockerfile_has_all_extras():
    import tomllib

    given = re.search(r"^ARG EXTRAS=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert set(given[1].split(",")) == set(declared["optional-dependencies"]) - {"lab"}


def test_the_locked_packages():
    lock = json.loads((ROOT / "Pipfile.lock").read_text())
    lines = loaded("locked").requirements(lock)
    assert len(lines) == len(lock["default"]) - 1
    assert all(re.match(r"[\w.-]+==\S+ --hash=sha256:[0-9a-f]{64}", line) for line in lines)


def test_the_bill_of_materials_is_the_same_for_the_same_components():
    sbom = loaded("sbom")
    lock = {
        "packages": {
            "": {},
            "node_modules/vue": {"version": "3.5.0"},
            "node_modules/a/node_modules/@b/c": {"version": "1.0.0"},
            "node_modules/vitest": {"version": "4.1.0", "dev": True},
        }
    }
    found = sbom.from_npm(lock)
    assert [one["purl"] for one in found] == ["pkg:npm/vue@3.5.0", "pkg:npm/%40b/c@1.0.0"]
    engine = sbom.component("runbook-engine", "1", "pkg:pypi/runbook-engine@1", "application")
    one = sbom.document([*found, engine], "2026-01-01T00:00:00Z")
    assert one == sbom.document([engine, *found, engine], "2026-01-01T00:00:00Z")
    assert len({it["bom-ref"] for it in one["components"]}) == len(one["components"]) == 3
    assert "timestamp" not in sbom.document([engine], "")["metadata"]


@pytest.mark.parametrize(("status", "alive"), [(200, True), (503, False)])
def test_the_health_check(status, alive):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status if self.path == "/livez" else 404)
            self.end_headers()

        def log_message(self, *_):
            pass

    check = loaded("healthcheck").is_alive
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        assert check("127.0.0.1", server.server_port) is alive
        thread.join()
        port = server.server_port
    assert not check("127.0.0.1", port)
