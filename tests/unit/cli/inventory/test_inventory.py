"""`runbook inventory`."""

import json

import pytest
from click.testing import CliRunner

from runbook import settings
from runbook.cli.app import cli
from runbook.cli.inventory.inventory import SORTS
from runbook.core.inventory.device import DeviceSort
from runbook.core.inventory.names import DEVICE_RULE

TABLE = 'name,address,site,tags\nedge-1,192.0.2.1,fra,"core,edge"\nedge-2,192.0.2.2,ber,edge\n'


@pytest.fixture
def run(tmp_path, monkeypatch):
    (tmp_path / "runbooks").mkdir()
    environment = {
        "RUNBOOKS_DIR": str(tmp_path / "runbooks"),
        "DATA_DIR": str(tmp_path / "data"),
        "EXECUTION_DIR": str(tmp_path / "execution"),
    }
    monkeypatch.setattr(settings, "process_environment", lambda: environment)

    def call(*arguments, text=None):
        return CliRunner().invoke(cli, ["inventory", *arguments], input=text)

    return call


def listed(run, *options):
    return [one["name"] for one in json.loads(run("list", "--json", *options).stdout)["devices"]]


def test_a_device_lives_and_ends(run):
    done = run("add", "edge-1", "address=192.0.2.1", "tags=core,edge", "site=fra")
    assert (done.exit_code, done.stdout) == (0, "added edge-1\n")
    assert run("add", "edge-1").exit_code == 75
    assert run("set", "edge-1", "site=", "role=router").exit_code == 0
    assert run("set", "edge-9", "site=x").exit_code == 66
    assert run("set", "edge-1", "colour=red").exit_code == 65
    found = json.loads(run("show", "edge-1", "--json").stdout)
    assert (found["site"], found["role"], found["tags"]) == ("", "router", ["core", "edge"])
    assert "core, edge" in run("show", "edge-1").stdout
    assert "edge-1" in run("list").stdout
    assert (listed(run, "--tag", "core"), listed(run, "-q", "none")) == (["edge-1"], [])
    assert run("remove", "edge-1").exit_code == 0
    assert run("show", "edge-1").exit_code == 66


@pytest.mark.parametrize(
    ("given", "helps"),
    [
        (("Edge-1",), DEVICE_RULE),
        (("edge-1", "conection=x"), "mean connection?"),
        (("edge-1", "connection=routers"), "runbook connections list"),
    ],
)
def test_what_is_wrong_with_a_device_comes_with_what_to_do(run, given, helps):
    failed = run("add", *given)
    assert (failed.exit_code, helps in failed.stderr) == (65, True)


def test_a_table_is_imported_once(run, tmp_path):
    path = tmp_path / "devices.csv"
    path.write_text(TABLE)
    dry = json.loads(run("import", str(path), "--dry-run", "--json").stdout)
    assert (dry["added"], listed(run)) == (["edge-1", "edge-2"], [])
    assert run("import", str(path)).stdout == "2 devices added, 0 changed, 0 unchanged\n"
    again = json.loads(run("import", str(path), "--json").stdout)
    assert (again["added"], again["changed"], again["same"]) == ([], [], 2)
    changed = TABLE.replace("ber", "muc")
    found = json.loads(run("import", "-", "--json", text=changed).stdout)
    moved = {"before": {"site": "ber"}, "after": {"site": "muc"}}
    assert found["changed"] == [{"name": "edge-2", "fields": ["site"], **moved}]
    exported = run("export", "--site", "muc").stdout
    assert exported.splitlines()[1].startswith("edge-2,,192.0.2.2,")
    assert json.loads(run("import", "-", "--json", text=exported).stdout)["same"] == 1
    assert len(json.loads(run("export", "--format", "json").stdout)["devices"]) == 2


@pytest.mark.parametrize("table", [TABLE + "Edge,x,y,z\n", "name,colour\nedge-1,red\n"])
def test_a_bad_row_imports_nothing(run, table):
    assert run("import", "-", text=table).exit_code == 65
    assert listed(run) == []


def test_devices_are_listed_by_what_needs_care_first(run):
    rows = [
        "name,last_backup,last_proof,last_damage",
        "edge-1,2026-01-03T00:00:00Z,2026-01-04T00:00:00Z,",
        "edge-2,2026-01-02T00:00:00Z,,2026-01-05T00:00:00Z",
        "edge-3,,,",
        "",
    ]
    assert run("import", "-", text="\n".join(rows)).exit_code == 0
    assert listed(run) == ["edge-1", "edge-2", "edge-3"]
    assert listed(run, "--sort", "last_backup") == ["edge-3", "edge-2", "edge-1"]
    assert listed(run, "--sort", "-last_backup") == ["edge-1", "edge-2", "edge-3"]
    assert run("list", "--sort", "colour").exit_code == 2
    assert {*SORTS} == {*DeviceSort}

    first = json.loads(run("list", "--sort", "last_proof", "--limit", "1", "--json").stdout)
    assert [one["name"] for one in first["devices"]] == ["edge-2"]
    options = ("--sort", "last_proof", "--cursor", first["next_cursor"])
    assert listed(run, *options) == ["edge-3", "edge-1"]

    heading, damaged, *_ = run("list", "--sort", "last_proof").stdout.splitlines()
    assert (heading.split()[-2:], damaged.split()[-1]) == (["LAST", "PROOF"], "damaged")
    assert run("list", "--sort", "-last_poll").stdout.splitlines()[0].endswith("LAST POLL")
