"""`runbook resume`, `retry`, `undo` and `artifacts` as processes, here and against a server."""

import json
import os
import re
import subprocess
import sys

import pytest

from patience import PATIENCE_S

RUNBOOK = """\
# Job

# Environment Requirements
```yaml
GO: {{type: string, optional: true}}
TOKEN: {{type: secret, optional: true}}
```

# File System Requirements
```yaml
Input:
```

# Policy
```yaml
{policy}
```

# Script

## One

```sh
print one; print A=1 >> $RUNBOOK_ENV; mkdir $RUNBOOK_ARTIFACTS/d; print hi > $RUNBOOK_ARTIFACTS/d/f
[[ -z $TOKEN ]] || print KEY=$TOKEN >> $RUNBOOK_ENV
```

### Undo

```sh
print un-one $A
```

## Two

```sh
print "two $A $KEY"; [[ -n $GO ]] || exit 7
```
# History
"""


class Here:
    """`runbook` in a folder of its own, with nothing of our environment."""

    options = ()

    def __init__(self, folder):
        self.runbooks = folder / "runbooks"
        self.data = folder / "data"
        for name in ("runbooks", "execution"):
            (folder / name).mkdir()
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RUNBOOKS_DIR": str(self.runbooks),
            "DATA_DIR": str(self.data),
            "EXECUTION_DIR": str(folder / "execution"),
        }

    def write(self, policy="{}"):
        (self.runbooks / "Job.md").write_text(RUNBOOK.format(policy=policy))

    def run(self, *args, stdin=""):
        return subprocess.run(
            [sys.executable, "-m", "runbook", *args, *self.options],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=3 * PATIENCE_S,
            check=False,
        )

    def execute(self, *args):
        """Execute the runbook; the id of its run."""
        path = str(self.runbooks / "Job.md")
        done = self.run("execute", "--runbook", path, "--json", *args)
        return json.loads(done.stdout.splitlines()[-1])["run_id"]


class There(Here):
    """The same commands, sent to a server."""

    def __init__(self, server):
        self.server = server
        self.runbooks, self.data = server.runbooks, server.data
        self.options = ("--url", server.url)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(server.folder),
            "RUNBOOK_TOKEN": server.token(),
        }

    def execute(self, *args):
        done = self.run("execute", "Job.md", "--json", *args)
        return last(done)["run_id"]


@pytest.fixture(params=["here", "there"])
def cli(request, tmp_path):
    if request.param == "here":
        return Here(tmp_path)
    return There(request.getfixturevalue("server"))


@pytest.fixture
def failed(cli):
    cli.write()
    return cli.execute()


def last(done):
    return json.loads(done.stdout.splitlines()[-1])


def test_execute_uses_a_server_only_if_asked(tmp_path):
    here = Here(tmp_path)
    here.write()
    here.environment["RUNBOOK_URL_BASE"] = "http://127.0.0.1:9"

    done = here.run("execute", "Job.md", "--env", "GO=1")

    assert (done.returncode, done.stdout) == (0, "one\ntwo 1 \n"), done.stderr
    assert "RUNBOOK_URL_BASE" in done.stderr


@pytest.mark.parametrize("action", ["retry", "resume", "undo"])
def test_another_folders_runbook_is_not_executed(tmp_path, action):
    here = Here(tmp_path)
    here.write()
    run_id = here.execute()
    samples = tmp_path / "samples"
    samples.mkdir()
    text = RUNBOOK.format(policy="{}").replace("print one", "print sample")
    (samples / "Job.md").write_text(text)
    here.environment["RUNBOOKS_DIR"] = str(samples)

    done = here.run(action, run_id)

    assert (done.returncode, done.stdout) == (75, ""), done.stderr
    assert "RUNBOOKS_DIR" in done.stderr
    assert (samples / "Job.md").read_text() == text


def test_a_run_is_resumed(cli, failed):
    done = cli.run("resume", failed, "--env", "GO=1", "--reason", "OPS-1")

    assert (done.returncode, done.stdout) == (0, "two 1 \n"), done.stderr


def test_a_run_is_resumed_at_an_earlier_step(cli, failed):
    done = cli.run("resume", failed, "--from", "One", "--env", "GO=1")
    assert (done.returncode, done.stdout) == (0, "one\ntwo 1 \n"), done.stderr


def test_the_exit_code_is_the_scripts(cli, failed):
    done = cli.run("resume", failed, "--quiet")
    assert (done.returncode, done.stdout) == (7, "two 1 \n")


def test_a_run_is_retried(cli, failed):
    done = cli.run("retry", failed, "--env", "GO=1", "--json")

    assert done.returncode == 0, done.stderr
    assert last(done)["type"] == "done"
    assert last(done)["status"] == "succeeded"
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert [e["n"] for e in events] == list(range(1, len(events) + 1))
    assert "".join(e["text"] for e in events if e["type"] == "stdout") == "one\ntwo 1 \n"


def test_a_run_is_undone_once(cli, failed):
    done = cli.run("undo", failed)
    assert (done.returncode, done.stdout) == (0, "un-one 1\n"), done.stderr
    assert "Step 'Two' has no Undo" not in done.stderr  # it was not completed

    again = cli.run("undo", failed)
    assert again.returncode == 75
    assert "All steps were undone before" in again.stderr


def test_a_conflict_is_told_with_its_difference(cli, failed):
    path = cli.runbooks / "Job.md"
    path.write_text(path.read_text().replace("print A=1", "print A=2"))

    done = cli.run("resume", failed)

    assert (done.returncode, done.stdout) == (75, "")
    assert "The runbook has changed above step 2 'Two'" in done.stderr
    assert re.search(r"^\+print one; print A=2", done.stderr, re.MULTILINE), done.stderr


def test_a_secret_is_given_again_and_masked_again(cli, tmp_path):
    cli.write()
    run_id = cli.execute("--env", "TOKEN=hunter22")
    (tmp_path / "key").write_text("hunter33\n")

    refused = cli.run("resume", run_id, "--env", "GO=1")
    assert refused.returncode == 65
    assert "The value of KEY was not stored" in refused.stderr

    given = ("--secret", f"KEY=@{tmp_path / 'key'}", "--secret", "TOKEN=-")
    done = cli.run("resume", run_id, "--env", "GO=1", *given, stdin="hunter22")
    assert (done.returncode, done.stdout) == (0, "two 1 ***\n"), done.stderr


def test_what_is_to_be_confirmed_is_confirmed_again(cli):
    cli.write(policy="confirm: really")
    run_id = cli.execute("--confirm", "really") if not isinstance(cli, There) else None
    if run_id is None:
        with cli.server.client() as client:
            reply = client.post(
                "/api/runbooks/Job.md/execute",
                json={"confirm": "really"},
                headers={"Accept": "application/json"},
            )
            run_id = reply.json()["run_id"]

    refused = cli.run("resume", run_id, "--env", "GO=1")
    assert refused.returncode == 65
    assert "Confirmation needed: type 'really'" in refused.stderr
    assert cli.run("resume", run_id, "--env", "GO=1", "--confirm", "really").returncode == 0


def test_a_run_that_does_not_exist(cli):
    cli.write()
    cli.execute()
    for action in ("resume", "retry", "undo", "artifacts"):
        done = cli.run(action, "0198c5a2-7d1e-7c3a-9b56-1f0e5a4d2c11")
        assert done.returncode not in (0, 1, 70)
        assert "There is no such run" in done.stderr


def test_standard_input_is_read_once(cli, failed):
    done = cli.run("retry", failed, "--secret", "TOKEN=-", "--token-stdin")
    assert done.returncode == 2


def test_a_run_is_undone_by_itself_where_the_policy_says_so(tmp_path):
    cli = Here(tmp_path)
    cli.write(policy="on_failure: undo")
    done = cli.run("execute", "--runbook", str(cli.runbooks / "Job.md"), "--json")

    assert done.returncode == 7
    end = last(done)
    assert any(w.endswith(" has undone the completed steps") for w in end["warnings"])
    resumed = cli.run("resume", end["run_id"])
    assert "The run's steps were undone" in resumed.stderr


def test_a_runbook_elsewhere_is_named(tmp_path):
    cli = Here(tmp_path)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    cli.write()
    path = (cli.runbooks / "Job.md").rename(elsewhere / "Job.md")
    done = cli.run("execute", "--runbook", str(path), "--json")
    run_id = last(done)["run_id"]

    lost = cli.run("resume", run_id)
    assert lost.returncode != 0
    assert "--runbook" in lost.stderr
    found = cli.run("resume", run_id, "--runbook", str(path), "--env", "GO=1")
    assert (found.returncode, found.stdout) == (0, "two 1 \n"), found.stderr


# -- artifacts -----------------------------------------------------------------------------------


def test_files_are_listed(cli, failed):
    done = cli.run("artifacts", failed)
    assert done.returncode == 0
    assert re.search(r"^d/f +3 +[0-9a-f]{64}$", done.stdout, re.MULTILINE), done.stdout

    (artifact,) = json.loads(cli.run("artifacts", failed, "--json").stdout)["artifacts"]
    assert (artifact["name"], artifact["size"]) == ("d/f", 3)


def test_files_are_fetched_and_replace_none(cli, failed, tmp_path):
    into = tmp_path / "into"
    done = cli.run("artifacts", failed, "d/f", "--into", str(into))
    assert done.returncode == 0, done.stderr
    assert (into / "d" / "f").read_text() == "hi\n"

    again = cli.run("artifacts", failed, "--into", str(into))
    assert again.returncode == 75
    assert str(into / "d" / "f") in again.stderr


def test_files_that_are_not_there(cli, failed):
    done = cli.run("artifacts", failed, "other")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no artifacts with these names" in done.stderr
    resumed = last(cli.run("resume", failed, "--json"))
    assert "no artifacts" in cli.run("artifacts", resumed["run_id"]).stderr


def test_purge_removes_the_files_of_the_runs_that_it_forgets(tmp_path):
    cli = Here(tmp_path)
    cli.write()
    run_id = cli.execute()
    assert (cli.data / "artifacts" / run_id / "d" / "f").exists()

    done = cli.run("db", "purge", "--days", "0", "--yes")

    assert done.returncode == 0, done.stderr
    assert list((cli.data / "artifacts").iterdir()) == []
