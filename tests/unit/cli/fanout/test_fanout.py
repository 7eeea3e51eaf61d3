"""`runbook fanout`: which devices are meant, and its exit codes."""

import json

import pytest
from click.testing import CliRunner

from runbook.cli.app import cli
from runbook.cli.fanout.fanout import devices_of
from runbook.script import commands

RESULT = {"runbook": "R.md", "failed": 0, "skipped": 0, "not_started": 0}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("edge-1", ["edge-1"]),
        (" a, b\nc ", ["a", "b", "c"]),
        ('["a", "b"]', ["a", "b"]),
        ("DEVICES", ["x", "y"]),
        ("", []),
    ],
)
def test_devices_are_names_an_array_or_a_variable(monkeypatch, text, names):
    monkeypatch.setenv("DEVICES", '["x", "y"]')
    assert devices_of(text) == names


def test_devices_can_be_in_a_file(tmp_path):
    (tmp_path / "names").write_text("a\nb\n")
    assert devices_of(f"@{tmp_path / 'names'}") == ["a", "b"]
    for wrong in ("[", "[1]"):
        with pytest.raises(ValueError, match="JSON array"):
            devices_of(wrong)


@pytest.mark.parametrize(
    ("counts", "code"), [({}, 0), ({"skipped": 1}, 3), ({"failed": 1}, 1), ({"not_started": 1}, 1)]
)
def test_the_exit_code_says_how_it_ended(monkeypatch, counts, code):
    asked = {}

    def fan_out(ref, over, inputs, **options):
        asked.update(options, ref=ref, over=over, inputs=inputs)
        result = RESULT | counts
        if result["failed"] or result["not_started"]:
            raise commands.FanoutFailedError(result)
        return result

    monkeypatch.setattr(commands, "fanout", fan_out)
    args = ["R.md", "--over", "a", "X=1", "--parallel", "20%", "--on-busy", "skip"]
    done = CliRunner().invoke(cli, ["fanout", *args])
    assert (done.exit_code, json.loads(done.stdout)) == (code, RESULT | counts)
    assert (asked["inputs"], asked["parallel"], asked["on_busy"]) == ({"X": "1"}, "20%", "skip")


@pytest.mark.parametrize(
    ("args", "helps"),
    [
        (["fanout", "R.md", "--over", "a"], "fleet/Run.md --env RUNBOOK=R.md"),
        (["call", "R.md"], "execute --runbook R.md"),
    ],
)
def test_outside_of_a_run_it_says_how_to_start_it_by_hand(monkeypatch, args, helps):
    monkeypatch.delenv("RUNBOOK_API_TOKEN", raising=False)
    failed = CliRunner().invoke(cli, args)
    assert (failed.exit_code, helps in failed.stderr) == (2, True)


@pytest.mark.parametrize("share", ["0", "x", "-1", "10%%"])
def test_a_share_is_a_number_or_a_percentage(share):
    done = CliRunner().invoke(cli, ["fanout", "R.md", "--over", "a", "--parallel", share])
    assert done.exit_code == 2
