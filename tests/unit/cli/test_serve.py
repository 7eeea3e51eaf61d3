"""`runbook serve` before anything is started."""

import resource
import socket

import pytest
from click.testing import CliRunner

from runbook.cli.app import cli
from runbook.cli.commands import Invocation


@pytest.fixture
def served(monkeypatch):
    """The environments that the supervisor was started with."""
    calls = []
    monkeypatch.setattr("runbook.host.supervisor.serve", lambda *given: calls.append(given) or 0)
    return calls


@pytest.fixture
def taken():
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def serve(tmp_path):
    def call(*args, **environment):
        called = Invocation(("serve", *args), {"DATA_DIR": str(tmp_path / "data")} | environment)
        return CliRunner().invoke(cli, ["serve", *args], obj=called)

    return call


@pytest.mark.parametrize("name", ["API_PORT", "METRICS_PORT"])
def test_a_port_that_is_taken_ends_the_start_with_78_and_a_way_out(serve, taken, served, name):
    result = serve(**{"API_PORT": "0", name: str(taken)})

    assert result.exit_code == 78
    assert f"127.0.0.1:{taken}" in result.stderr
    assert name in result.stderr
    assert served == []


def test_the_option_counts_and_not_the_setting(serve, taken, served):
    assert serve("--port", "0", API_PORT=str(taken)).exit_code == 0
    assert serve("--port", str(taken), API_PORT="0").exit_code == 78
    assert len(served) == 1


def test_an_address_that_is_not_ours_is_left_to_the_server(serve, served):
    assert serve(BIND_HOST="192.0.2.1", API_PORT="80").exit_code == 0
    assert len(served) == 1


def test_a_setting_that_is_wrong_ends_the_start_with_78(serve, served):
    result = serve(API_PORT="many")

    assert result.exit_code == 78
    assert "API_PORT" in result.stderr
    assert served == []


@pytest.mark.parametrize("name", ["keys", "wake", "artifacts"])
def test_a_file_where_a_folder_belongs_ends_the_start_with_78(serve, served, tmp_path, name):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / name).touch()

    result = serve(API_PORT="0")

    assert result.exit_code == 78
    assert str(tmp_path / "data" / name) in result.stderr
    assert served == []


def test_too_few_open_files_end_the_start_with_78(serve, served, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))

    result = serve(API_PORT="0")

    assert result.exit_code == 78
    assert "ulimit -n" in result.stderr
    assert served == []


@pytest.mark.parametrize("built", [True, False])
def test_a_missing_web_app_is_told_at_the_start(serve, served, tmp_path, monkeypatch, built):
    page = tmp_path / "index.html"
    if built:
        page.touch()
    monkeypatch.setattr("runbook.cli.serve.WEB_APP", page)

    result = serve(API_PORT="0")

    assert result.exit_code == 0
    assert served
    assert ("web app" in result.stderr) is not built
    assert ("make setup" in result.stderr) is not built
