"""The command line keeps secrets as the server does."""

import json

import pytest

WRONG = "wr0ngSecretOfThirtyCharacters"


@pytest.mark.parametrize("kind", ["secret", "string"])
def test_a_secret_of_the_command_line_shows_nowhere(
    add, beside, sinks, tmp_path, kind, tricky, every_form, caught
):
    text = tricky(f"Cli8{kind}")
    add("Cli", every_form, f"PASSWORD: {{type: {kind}}}", language="python")
    (tmp_path / "password").write_text(text)

    secret = f"PASSWORD=@{tmp_path}/password"
    done = beside.run("execute", "--runbook", "Cli.md", "--secret", secret, "--json")

    run_id = json.loads(done.stdout.splitlines()[-1])["run_id"]
    asked = ["show", "show --json", "logs", "logs --json", "logs --raw"]
    answers = [beside.run(*words.split(), run_id).stdout for words in asked]
    answers += [beside.run("runs", "--json").stdout, beside.run("runs").stdout]
    assert all(answers)
    assert all("forms end" in answer for answer in answers[2:5])
    printed = [data.encode() for data in (done.stdout, done.stderr, *answers)]
    assert [caught(text, data) for data in printed] == [[]] * 9
    assert sinks.traces(text, run_id) == {}


@pytest.mark.parametrize("separator", [b"", b"\n", b"-"])
def test_output_that_is_cut_shows_no_part_of_a_secret(
    add, beside, sinks, tmp_path, separator, tricky, caught
):
    """Wherever the limits of the output and of the history entry cut it."""
    text = tricky(f"Cut9{separator.hex()}")
    script = f"import os\ntext = os.environ['PASSWORD'].encode() + {separator!r}\n"
    script += "for size in range(40, 90):\n    os.write(1, text * 9 + b'.' * size)\n"
    add("Cut", script, language="python")
    (tmp_path / "password").write_text(text)
    limits = {"MAX_OUTPUT_SIZE_BYTES": "3001", "HISTORY_ENTRY_BYTES": "1003"}
    for limit in limits.items():
        beside.environment.update([limit])
        secret = f"PASSWORD=@{tmp_path}/password"

        done = beside.run("execute", "--runbook", "Cut.md", "--secret", secret, "--json")

        run_id = json.loads(done.stdout.splitlines()[-1])["run_id"]
        assert "Output limit reached" in done.stdout
        assert caught(text, done.stdout.encode()) == []
        assert sinks.traces(text, run_id) == {}


def test_errors_of_the_command_line_do_not_repeat_a_secret(add, beside, tmp_path, caught):
    add("Cli", "true", "PASSWORD: {type: string, pattern: '[0-9]+'}")
    (tmp_path / "password").write_text(WRONG)

    for command in ("execute --runbook Cli.md", "validate Cli.md"):
        done = beside.run(*command.split(), "--secret", f"PASSWORD=@{tmp_path}/password")

        assert (done.returncode, "PASSWORD" in done.stdout + done.stderr) in [(2, True), (65, True)]
        assert caught(WRONG, (done.stdout + done.stderr).encode()) == []
