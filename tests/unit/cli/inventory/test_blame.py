"""`runbook blame`."""

import json

import pytest
from click.testing import CliRunner

from runbook import settings
from runbook.cli.app import cli
from runbook.connectors.backups import BackupStore, Origin, Snapshot, Source, folder_of, key_of

FIRST = "/ip address\nadd address=10.0.0.1/24 interface=ether1\n"
SECOND = f"{FIRST}add address=10.0.0.2/24 interface=ether1\n"
THIRD = f"{SECOND}add address=10.0.0.3/24 interface=ether1\n"


@pytest.fixture
def blame(tmp_path, monkeypatch):
    data = tmp_path / "data"
    environment = {"RUNBOOKS_DIR": str(tmp_path), "DATA_DIR": str(data)}
    monkeypatch.setattr(settings, "process_environment", lambda: environment)
    store = BackupStore(folder_of(data), key_of(data))
    origins = ((FIRST, Origin.SEEN), (SECOND, Origin.RUN), (THIRD, Origin.SEEN))
    for n, (text, origin) in enumerate(origins):
        source = Source(f"run-{n}", "mikrotik/Push.md", "Apply", "ann")
        store.save(Snapshot("edge-1", text), origin, source)

    def call(*arguments):
        return CliRunner().invoke(cli, ["blame", *arguments])

    return call


def test_it_says_who_changed_each_line(blame):
    lines = json.loads(blame("edge-1", "--json").stdout)["lines"]
    found = [(one["line"], one["origin"], one["run"]) for one in lines]
    assert found == [
        (1, "first", "run-0"),
        (2, "first", "run-0"),
        (3, "run", "run-1"),
        (4, "seen", "run-2"),
    ]
    assert "run-1" in blame("edge-1").stdout
    assert "ann" in blame("edge-1", "3").stdout
    assert "changed outside" in blame("edge-1", "4").stdout
    older = json.loads(blame("edge-1", "--version", lines[2]["version"][:10], "--json").stdout)
    assert [one["text"] for one in older["lines"]] == SECOND.splitlines()


@pytest.mark.parametrize("given", [("edge-9",), ("../x",), ("edge-1", "9")])
def test_what_isnt_there_is_not_found(blame, given):
    assert blame(*given).exit_code == 66
