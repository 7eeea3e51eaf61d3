"""The commands for authors as processes: new, lint, fmt, test, who-can."""

import json
import os
import signal
import subprocess
import sys

import pytest

from patience import PATIENCE_S

JWT_SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUNBOOK = """\
# {name}

# Environment Requirements

```yaml
{inputs}
```

# File System Requirements

```yaml
```
{claims}
# Script

```sh
{script}
```

# History
"""


class CommandLine:
    """`runbook` in a folder of its own, with nothing of our environment."""

    def __init__(self, folder):
        self.folder = folder
        self.runbooks = folder / "runbooks"
        self.runbooks.mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(folder / "data"),
            "JWT_SECRET": JWT_SECRET,
        }

    def add(self, name, script="true", *, inputs="", claims="", cases=""):
        path = self.runbooks / f"{name}.md"
        claims = f"\n# Required Claims\n\n```yaml\n{claims}\n```\n" if claims else ""
        path.write_text(RUNBOOK.format(name=name, inputs=inputs, claims=claims, script=script))
        if cases:
            path.with_name(f"{name}.test.yaml").write_text(f"cases:\n{cases}")
        return path

    def start(self, *args, **more):
        return subprocess.Popen(
            [sys.executable, "-m", "runbook", *args],
            env=self.environment | more,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args, **more):
        process = self.start(*args, **more)
        stdout, stderr = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(args, process.returncode, stdout, stderr)


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


# -- new -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [[], ["--steps"]])
def test_a_new_runbook_can_be_executed_at_once(cli, options):
    made = cli.run("new", "Demo", *options)
    path = cli.runbooks / "Demo.md"
    assert made.returncode == 0, made.stderr
    assert made.stdout == f"{path}\n"
    assert f"runbook lint {path}" in made.stderr

    assert cli.run("lint", "--strict", str(path)).returncode == 0
    assert cli.run("fmt", "--check", str(path)).returncode == 0
    done = cli.run("execute", "--runbook", str(path), "--env", "MESSAGE=hello")
    assert done.returncode == 0, done.stderr
    assert "Target: localhost\nMessage: hello\n" in done.stdout


def test_a_file_that_exists_is_not_overwritten(cli):
    path = cli.add("Demo")
    before = path.read_bytes()
    made = cli.run("new", "Demo")
    assert made.returncode == 2
    assert str(path) in made.stderr
    assert path.read_bytes() == before


def test_a_new_runbook_may_go_into_another_folder(cli):
    assert cli.run("new", "Demo", "--folder", "a/b").returncode == 0
    assert (cli.folder / "a/b/Demo.md").is_file()


# -- lint ----------------------------------------------------------------------------------------


def test_lint_names_file_line_and_what_to_do(cli):
    cli.add("Demo", "echo $HOTS\nrunbook call Gone.md", inputs="HOST: A name.\nPASSWORD: x")
    done = cli.run("lint", "runbooks")

    assert done.returncode == 65
    places = [line.split(": ")[:2] for line in done.stdout.splitlines()]
    assert places == [
        ["runbooks/Demo.md:6", "warning"],
        ["runbooks/Demo.md:7", "warning"],
        ["runbooks/Demo.md:7", "warning"],
        ["runbooks/Demo.md:18", "warning"],
        ["runbooks/Demo.md:19", "error"],
    ]
    assert "HOTS" in done.stdout
    assert done.stderr == "runbook: 1 runbook: 1 error, 4 warnings\n"


def test_warnings_fail_only_where_asked_to(cli):
    cli.add("Demo", inputs="HOST: A name.")
    assert cli.run("lint").returncode == 0
    assert cli.run("lint", "--strict").returncode == 65


def test_lint_prints_json_and_annotations(cli):
    cli.add("Demo", inputs="HOST: A name.")
    (finding,) = json.loads(cli.run("lint", "--format", "json").stdout)
    assert finding.keys() == {"file", "line", "code", "severity", "message", "hint"}
    assert (finding["code"], finding["line"]) == ("unused_input", 6)
    assert cli.run("lint", "--format", "github").stdout.startswith(
        "::warning file=runbooks/Demo.md,line=6,title=unused_input::HOST"
    )


def test_a_missing_input_file_and_an_unreadable_runbook_are_errors(cli):
    path = cli.add("Demo")
    path.write_text(path.read_text().replace("```yaml\n```", "```yaml\nInput: gone.txt\n```"))
    (cli.runbooks / "Folder.md").mkdir()
    done = cli.run("lint", str(path))
    assert done.returncode == 65
    assert "Required input file does not exist: gone.txt" in done.stdout


def test_an_existing_called_runbook_is_found(cli):
    cli.add("Child")
    cli.add("Demo", "runbook call Child.md")
    assert cli.run("lint", "--strict").returncode == 0


def test_a_path_that_does_not_exist_is_an_error(cli):
    assert cli.run("lint", "gone").returncode == 66


# -- fmt -----------------------------------------------------------------------------------------


def test_fmt_writes_only_where_something_changes(cli):
    good = cli.add("Good")
    bad = cli.add("Bad")
    text = bad.read_text()
    bad.write_text(text.replace("\n\n# Script", "  \n# script") + "\nold  \n")

    checked = cli.run("fmt", "--check")
    assert (checked.returncode, checked.stdout) == (1, "runbooks/Bad.md\n")
    shown = cli.run("fmt", "--diff")
    assert shown.returncode == 0
    assert "-# script\n" in shown.stdout
    assert "+# Script\n" in shown.stdout

    before = good.stat().st_mtime_ns
    done = cli.run("fmt")
    assert (done.returncode, done.stdout) == (0, "runbooks/Bad.md\n")
    assert bad.read_text() == text + "\nold  \n"
    assert good.stat().st_mtime_ns == before
    assert cli.run("fmt", "--check").returncode == 0


def test_fmt_leaves_a_runbook_with_errors_alone(cli):
    (cli.runbooks / "Bad.md").write_text("# Bad  \n")
    done = cli.run("fmt")
    assert done.returncode == 65
    assert "runbooks/Bad.md" in done.stderr
    assert (cli.runbooks / "Bad.md").read_text() == "# Bad  \n"


def test_a_file_that_cannot_be_written_does_not_stop_the_others(cli):
    for name in ("A", "B"):
        path = cli.add(name)
        path.write_text(path.read_text().replace("# Script", "# script"))
    (cli.runbooks / "A.md").chmod(0o444)
    done = cli.run("fmt")
    assert (done.returncode, done.stdout) == (74, "runbooks/B.md\n")
    assert "runbooks/A.md: " in done.stderr
    assert "1 formatted, 0 unchanged, 1 skipped" in done.stderr


def test_history_stays_whole_when_a_runbook_is_formatted(cli):
    path = cli.add("Demo", "echo done")
    path.write_text(path.read_text().replace("\n\n# Script", "\n# script"))
    for _ in range(2):
        assert cli.run("execute", "--runbook", str(path)).returncode == 0
        assert cli.run("fmt", str(path)).returncode == 0
    verified = cli.run("verify", str(path))
    assert verified.returncode == 0, verified.stdout
    assert "2 entries" in verified.stdout


# -- test ----------------------------------------------------------------------------------------

CASES = """\
  - name: says hello
    inputs: {WHO: world}
    stdout: hello world
  - name: expects too much
    inputs: {WHO: world}
    return_code: 4
    stdout: [hello, goodbye]
"""


def test_cases_are_executed_and_compared(cli):
    path = cli.add("Demo", "echo hello $WHO", inputs="WHO: A name.", cases=CASES)
    before = path.read_bytes()
    done = cli.run("test", "runbooks")

    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines() == [
        "runbooks/Demo.md",
        "ok says hello",
        "FAILED expects too much: expected return code 4, got 0",
        "    expected stdout containing 'goodbye', got 'hello world\\n'",
        "    | hello world",
        "1 passed, 1 failed",
    ]
    assert path.read_bytes() == before
    assert not (cli.folder / "data").exists()


def test_cases_can_be_chosen_by_name(cli):
    cli.add("Demo", "echo hello $WHO", inputs="WHO: A name.", cases=CASES)
    done = cli.run("test", "Demo.md", "-k", "hello", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert (report["passed"], report["failed"]) == (1, 0)
    (case,) = report["cases"]
    assert (case["runbook"], case["name"], case["status"]) == ("Demo.md", "says hello", "succeeded")


def test_inputs_come_from_the_case_alone(cli):
    cases = "  - name: without\n    status: invalid\n    errors: 'not set: WHO'\n"
    cli.add("Demo", "echo hello $WHO", inputs="WHO: A name.", cases=cases)
    assert cli.run("test", "runbooks", WHO="me").returncode == 0


def test_claims_secrets_and_timeouts_are_used(cli):
    cases = """\
  - name: allowed
    claims: {roles: [sre], sub: ann}
    inputs: {KEY: very-secret-value}
    secrets: [KEY]
    stdout: "***"
  - name: refused
    claims: {roles: guest}
    status: refused
    errors: roles
  - name: too slow
    inputs: {KEY: "60"}
    timeout: 1s
    status: timed_out
    return_code: -9
"""
    script = "echo $KEY; [[ $KEY != <-> ]] || sleep $KEY"
    cli.add("Demo", script, inputs="KEY: x", claims="roles: sre", cases=cases)
    done = cli.run("test", "Demo.md")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "very-secret" not in done.stdout


def test_a_bad_case_file_is_an_error_on_its_line(cli):
    cli.add("Demo", cases="  - name: x\n    stauts: failed\n")
    done = cli.run("test", "Demo.md")
    assert done.returncode == 65
    assert done.stdout.startswith("runbooks/Demo.test.yaml:3: error: Unknown key 'stauts'")
    assert "status" in done.stdout


def test_a_case_file_that_is_not_utf8_is_an_error(cli):
    path = cli.add("Demo", cases="x")
    path.with_name("Demo.test.yaml").write_bytes(b"\xff")
    assert cli.run("test", "Demo.md").returncode == 65


@pytest.mark.parametrize("args", [["Demo.md"], ["runbooks"], ["gone"]])
def test_without_cases_there_is_nothing_to_test(cli, args):
    cli.add("Demo")
    assert cli.run("test", *args).returncode == 66


def test_a_signal_ends_the_tests_and_the_script(cli):
    started = cli.folder / "started"
    os.mkfifo(started)
    cases = "  - name: one\n  - name: two\n"
    cli.add("Demo", f"echo go > {started}; sleep 60", cases=cases)
    process = cli.start("test", "Demo.md")
    with started.open() as pipe:
        assert pipe.read() == "go\n"
    process.send_signal(signal.SIGTERM)
    stdout, stderr = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, stderr
    assert "0 passed, 0 failed" in stdout


# -- who-can -------------------------------------------------------------------------------------


def test_who_can_says_which_claims_are_needed(cli):
    cli.add("Demo", claims="roles: sre, api\nteam: platform")
    done = cli.run("who-can", "Demo.md")
    assert (done.returncode, done.stdout) == (0, "roles: one of sre, api\nand team: platform\n")


def test_who_can_without_claims_is_everyone(cli):
    cli.add("Demo")
    assert cli.run("who-can", "Demo.md").stdout == "everyone with a valid token\n"


def test_who_can_with_a_token_says_what_it_lacks(cli):
    cli.add("Demo", claims="roles: sre, api")
    good = cli.run("token", "--role", "sre").stdout.strip()
    bad = cli.run("token", "--role", "guest").stdout.strip()

    assert cli.run("who-can", "Demo.md", RUNBOOK_TOKEN=good).returncode == 0
    done = cli.run("who-can", "Demo.md", "--json", RUNBOOK_TOKEN=bad)
    assert done.returncode == 77
    assert json.loads(done.stdout) == {
        "success": True,
        "runbook": "Demo.md",
        "everyone": False,
        "claims": {"roles": ["sre", "api"]},
        "allowed": False,
        "missing_claims": ["roles=guest (required: sre, api)"],
    }


def test_who_can_with_claims_that_are_not_understood_is_nobody(cli):
    cli.add("Demo", claims="roles:")
    done = cli.run("who-can", "Demo.md")
    assert done.returncode == 65
    assert done.stdout.startswith("no one: ")


def test_who_can_asks_a_server(server):
    server.add("Asked", "true", claims="roles: api")
    command = [sys.executable, "-m", "runbook", "who-can", "Asked.md", "--url", server.url]
    environment = {"PATH": os.environ["PATH"], "RUNBOOK_TOKEN": server.token(roles=["sre"])}
    done = subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=2 * PATIENCE_S,
        check=False,
    )
    assert done.returncode == 77, done.stderr
    assert done.stdout.startswith("roles: api\nyour token: denied, roles=sre")


def test_a_hint_names_the_command_that_was_typed(cli):
    cli.add("Asked")
    (cli.folder / "bad.env").write_text('A="one\n')
    done = cli.run("execute", "--runbook", "Asked.md", "--env-file", "bad.env")
    assert done.returncode == 2
    assert "`runbook execute --help`" in done.stderr
    assert "runbook.cli" not in done.stderr


def test_a_script_with_a_syntax_error_is_an_error_everywhere(cli):
    cli.add("Half", 'true\necho "open')
    found = json.loads(cli.run("lint", "--format", "json").stdout)
    assert [(each["code"], each["severity"]) for each in found] == [("script_syntax", "error")]
    assert cli.run("validate", "Half.md").returncode == 65
    assert cli.run("execute", "--runbook", "Half.md").returncode == 65
    shown = json.loads(cli.run("show", "Half.md", "--json").stdout)
    assert (shown["valid"], shown["executable"]) == (False, False)


# -- toolkits ------------------------------------------------------------------------------------


def test_a_new_toolkit_is_tested_packaged_and_executed(cli):
    assert cli.run("toolkit", "new", "lab").returncode == 0
    made = cli.run("toolkit", "package", "lab", "-o", "lab.zip", "--json")
    assert (made.returncode, json.loads(made.stdout)["file"]) == (0, "lab.zip")
    assert cli.run("toolkit", "install", "lab.zip").returncode == 0
    assert cli.run("toolkit", "enable", "lab").returncode == 0
    assert cli.run("execute", "--runbook", "lab/Greet.md").stdout == "Hello, world!\n"

    cases = cli.folder / "lab" / "Greet.test.yaml"
    cases.write_text(cases.read_text().replace("Hello, world!", "Bye!"))
    assert cli.run("toolkit", "package", "lab", "-o", "other.zip").returncode == 1
    assert not (cli.folder / "other.zip").exists()
