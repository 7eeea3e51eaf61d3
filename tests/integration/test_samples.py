"""Each sample does what its own text says; run on copies by the one-shot command."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from patience import PATIENCE_S
from runbook.core.language.parse import parse

SAMPLES = Path(__file__).parents[2] / "samples" / "runbooks"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.md"))
# Inputs with which a sample succeeds. FailingRunbook never does, ParentRunbook needs a server.
GIVEN = {
    "SimpleRunbook": {"TEST_VAR": "hello"},
    "LongRunningRunbook": {"CYCLES": "1"},
    "CreatePackage": {"PACKAGE_NAME": "demo", "PACKAGE_OWNER": "ada & co"},
    "RestrictedRunbook": {},
    "Runbook": {"GREETING": "Good morning"},
}
JWT_SECRET = "a-secret-of-more-than-thirty-two-bytes!"


class CommandLine:
    """`runbook` in a folder with a copy of the samples, with nothing of our environment."""

    def __init__(self, folder):
        self.runbooks = folder / "runbooks"
        shutil.copytree(SAMPLES, self.runbooks)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(folder / "data"),
            "JWT_SECRET": JWT_SECRET,
        }

    def run(self, *args, **more):
        return subprocess.run(
            [sys.executable, "-m", "runbook", *args],
            env=self.environment | more,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE_S,
            check=False,
        )

    def execute(self, name, inputs, **more):
        given = [word for item in inputs.items() for word in ("--env", "=".join(item))]
        return self.run("execute", "--runbook", str(self.runbooks / f"{name}.md"), *given, **more)

    def token(self, *claims):
        return self.run("token", *claims).stdout.strip()

    def history(self, name):
        """What was appended to a sample; nothing else of it may have changed."""
        before = (SAMPLES / f"{name}.md").read_bytes()
        now = (self.runbooks / f"{name}.md").read_bytes()
        assert now.startswith(before)
        return now[len(before) :].decode()


@pytest.fixture
def cli(tmp_path):
    return CommandLine(tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_is_valid_without_a_warning(name):
    found = parse((SAMPLES / f"{name}.md").read_bytes(), stem=name)
    assert found.problems == ()
    assert found.runbook.description


@pytest.mark.parametrize("name", NAMES)
def test_a_sample_has_no_history_of_ours(name):
    assert (SAMPLES / f"{name}.md").read_text().endswith("\n# History\n")


@pytest.mark.parametrize("name", GIVEN)
def test_a_sample_succeeds_and_records_it(cli, name):
    done = cli.execute(name, GIVEN[name])

    assert done.returncode == 0, done.stderr
    assert done.stdout
    history = cli.history(name)
    assert history.count("\n### ") == 1
    assert "| Exit Code: 0\n" in history
    assert done.stdout in history


def test_long_running_runbook_counts_its_cycles(cli):
    assert (
        "Cycle 1 of 2\nCycle 2 of 2\n" in cli.execute("LongRunningRunbook", {"CYCLES": "2"}).stdout
    )


@pytest.mark.parametrize("cycles", ["501", "$(id)"])
def test_long_running_runbook_refuses_odd_numbers(cli, cycles):
    done = cli.execute("LongRunningRunbook", {"CYCLES": cycles})
    assert done.returncode == 2
    assert done.stderr.startswith(f"CYCLES is '{cycles}'; give a whole number from 1 to 500\n")


def test_create_package_packs_what_it_was_given(cli):
    done = cli.execute("CreatePackage", {"PACKAGE_OWNER": "ada"})

    assert done.returncode == 0
    listing = done.stdout.partition("Contents of example.tar.gz:\n")[2].splitlines()
    assert set(listing[:-1]) == {
        "example/",
        "example/README.md",
        "example/service.conf",
        "example/check.sh",
    }


def test_create_package_refuses_what_is_no_name(cli):
    done = cli.execute("CreatePackage", {"PACKAGE_NAME": "../escape", "PACKAGE_OWNER": "ada"})
    assert done.returncode == 2
    assert "cannot be the name of a package" in done.stderr


def test_restricted_runbook_refuses_who_lacks_a_claim(cli):
    claims = ("--role", "sre", "--claim", "team=platform", "--claim", "environment=test")
    missing = "environment=test (required: staging, production)"
    token = cli.token(*claims)
    done = cli.execute("RestrictedRunbook", {}, ENFORCE_CLAIMS="true", RUNBOOK_TOKEN=token)

    assert (done.returncode, done.stdout) == (77, "")
    history = cli.history("RestrictedRunbook")
    assert "| Exit Code: 403\n" in history
    assert missing in done.stderr
    assert missing in history


def test_restricted_runbook_runs_for_who_has_all_claims(cli):
    claims = ("--role", "admin", "--claim", "team=platform", "--claim", "environment=production")
    token = cli.token("--subject", "ada", *claims)
    done = cli.execute("RestrictedRunbook", {}, ENFORCE_CLAIMS="true", RUNBOOK_TOKEN=token)

    assert done.returncode == 0
    assert done.stdout.endswith("RestrictedRunbook completed successfully\n")
    assert "By `ada` (roles `admin`) via cli" in cli.history("RestrictedRunbook")


def test_the_template_greets_and_signs(cli):
    given = {"GREETING": "Hello", "AUDIENCE": "team", "SIGNATURE": "ada"}
    assert cli.execute("Runbook", given).stdout == "Hello, team!\n-- ada\n"


def test_parent_runbook_fails_where_there_is_no_server(cli):
    done = cli.execute("ParentRunbook", {}, API_PORT="1")
    assert done.returncode == 1
    assert "SimpleRunbook could not be called" in done.stderr
