"""`runbook connections`."""

import json

import pytest
from click.testing import CliRunner

from runbook import settings
from runbook.cli.app import cli

SWITCH = ("--set", "host=sw1", "--set", "username=ann", "--secret", "password=-")
ADD = (
    "add", "lab", "--kind", "proxmox", "--set", "host=pve.example.com",
    "--set", "token_id=root@pam!rb", "--secret", "token_secret=-",
)  # fmt: skip


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
        return CliRunner().invoke(cli, ["connections", *arguments], input=text)

    return call


def test_a_connection_lives_and_ends(run):
    done = run(*ADD, "--claim", "roles=sre", "--claim", "roles=dba", text="s3cret-value\n")
    assert (done.exit_code, done.stdout) == (0, "added lab\n")
    shown = json.loads(run("show", "lab", "--json").stdout)
    assert shown["has_secret"] == {"password": False, "token_secret": True}
    assert shown["claims"] == {"roles": ["sre", "dba"]}
    assert "s3cret-value" not in run("show", "lab").stdout
    assert run("edit", "lab", "--set", "port=8007", "--no-claims").exit_code == 0
    (listed,) = json.loads(run("list", "--json").stdout)["connections"]
    assert (listed["values"]["port"], listed["claims"], listed["revision"]) == (8007, {}, 2)
    assert "lab" in run("list").stdout
    assert json.loads(run("reseal", "--json").stdout) == {"success": True, "connections": 1}
    assert run("remove", "lab").exit_code == 0
    assert run("show", "lab").exit_code == 66


def test_a_file_holds_a_connection(run, tmp_path):
    path = tmp_path / "ipam.yaml"
    path.write_text("kind: netbox\nvalues: {url: 'https://n.example.com', token: a-token}\n")
    assert run("add", "ipam", "--file", str(path), "--set", "timeout=5").exit_code == 0
    found = json.loads(run("show", "ipam", "--json").stdout)
    assert found["values"] == {"url": "https://n.example.com", "timeout": 5}


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "x", "--kind", "proxmox", "--set", "token_secret=abcd"), 2),
        (("add", "x"), 2),
        (("add", "x", "--kind", "proxmox"), 65),
        (("add", "x", "--kind", "other"), 65),
        (("add", "x", "--file", "/nowhere"), 2),
        (("edit", "x", "--set", "port=1"), 66),
        (("remove", "x"), 66),
    ],
)
def test_mistakes_have_their_exit_code(run, arguments, code):
    assert run(*arguments).exit_code == code


def test_a_check_that_fails_ends_with_1(run, monkeypatch):
    run(*ADD, text="s3cret-value\n")
    answer = '{"ok": false, "code": "auth", "message": "401", "version": null}'
    target = "runbook.engine.connections.asking.ask_module"
    monkeypatch.setattr(target, lambda *arguments, **more: answer)
    done = run("check", "lab")
    assert (done.exit_code, done.stdout) == (1, "lab failed (auth): 401\n")


def test_host_keys_are_trusted_anew(run, monkeypatch):
    run("add", "sw1", "--kind", "ssh", *SWITCH, text="s3cret-value\n")
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFTZyuhtxKZH1XJLSGl7mLm0QuPUbiOsXHsWPGi0QPFO"
    said = {"ok": True, "code": None, "message": "", "version": None, "host_keys": {"sw1:22": key}}
    target = "runbook.engine.connections.asking.ask_module"
    monkeypatch.setattr(target, lambda *arguments, **more: json.dumps(said))
    wrong = run("retrust", "sw1", "--fingerprint", "SHA256:other", "--json")
    assert (wrong.exit_code, json.loads(wrong.stdout)["code"]) == (1, "host_key")
    done = run("retrust", "sw1", "--json")
    (shown,) = json.loads(done.stdout)["host_keys"]
    assert (done.exit_code, shown["address"], shown["before"]) == (0, "sw1:22", None)
    assert run("retrust", "sw1", "--fingerprint", shown["fingerprint"]).exit_code == 0
