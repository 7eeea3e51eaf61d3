"""What has to work in each mode, and what is said if a sandbox can't be had."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from integration.isolation.conftest import (
    MODES,
    UID,
    Contained,
    await_true,
    contained,
    is_reachable,
)
from needs import need

NO_NAMESPACES = "echo 0 >/proc/sys/user/max_user_namespaces"
"""For all that is started below, as on a system that doesn't allow them."""

EVERYTHING = """
set -e
[[ $PWD == $HOME && -w . && -w $TMPDIR ]]
print private > /tmp/private-$RUNBOOK_RUN_ID; rm /tmp/private-$RUNBOOK_RUN_ID
print -r -- answer=42 >> $RUNBOOK_OUTPUT
print -r -- NEXT=1 >> $RUNBOOK_ENV
print 50 half >> $RUNBOOK_PROGRESS
print "a summary" >> $RUNBOOK_SUMMARY
print kept > $RUNBOOK_ARTIFACTS/kept.txt
print -r -- hush-hush-hush >> $RUNBOOK_MASK
sleep 0.1
print -r -- says hush-hush-hush
diff <(print same) =(print same)
print -u2 to the error stream
exec > >(sed 's/^/piped /')
print through a substitution
print -r -- "$TOLD"
"""


@pytest.fixture
def run(server, execute):
    def call(script, *, inputs="", language="zsh", **values):
        server.add("Job", script, inputs=inputs, language=language)
        with server.client() as client:
            result = execute(client, "Job.md", **values)
            row = client.get(f"/api/runs/{result['run_id']}").json()
            return result, row

    return call


def test_everything_that_a_script_is_offered_works(server, run):
    result, row = run(EVERYTHING, inputs="TOLD: a text", TOLD="told")
    assert result["status"] == "succeeded", result
    assert result["outputs"] == {"answer": "42"}
    lines = result["stdout"].splitlines()
    assert lines == ["says ***", "piped through a substitution", "piped told"]
    assert result["stderr"] == "to the error stream\n"
    assert [artifact["name"] for artifact in row["artifacts"]] == ["kept.txt"]
    assert row["summary"] == "a summary\n"
    await_true(lambda: not list(server.execution.glob("runbook-*")))


@pytest.fixture
def python(mode):
    """For tests whose scripts use the Python of the engine."""
    if "RUN_AS_USER" in mode and not is_reachable(Path(sys.executable).resolve()):
        pytest.skip("this Python is in a folder that only its owner can enter")


@pytest.mark.usefixtures("python")
def test_a_step_in_python_has_the_engines_package_and_the_backups(run):
    script = """
        import os, runbook
        from runbook.connectors import backups
        store = backups.open_store()
        if runbook.__file__ and store.devices() == []:
            print("here", os.getcwd() == os.environ["HOME"])
        taken = backups.Snapshot("edge-1", "/ip address\\n", {}, store.fingerprint("x"))
        store.save(taken, backups.Origin.SEEN, backups.source_of_run("Step"))
        print(store.devices())
        """
    result, _ = run(script, language="python")
    assert (result["return_code"], result["stdout"]) == (0, "here True\n['edge-1']\n"), result


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 7", 7),
        ("exit 137", 137),
        ("kill -KILL $$", -9),
        ("kill -TERM $$", -15),
        ("/nonexistent", 127),
    ],
)
def test_return_codes_are_those_of_the_script(run, script, code):
    assert run(script)[0]["return_code"] == code


def test_a_cancelled_run_can_clean_up(server, submit, follow):
    server.add("Slow", "TRAPINT() { print cleaned up; exit 3 }\nprint begun\nsleep 60 & wait")
    with server.client() as client:
        run_id = submit(client, "/api/runbooks/Slow.md/execute")
        await_true(lambda: "begun" in client.get(f"/api/runs/{run_id}/log").text)
        client.post(f"/api/runs/{run_id}/cancel")
        end = list(follow(client, run_id))[-1]
        assert end["status"] == "cancelled"
        assert "cleaned up" in client.get(f"/api/runs/{run_id}/log").text


@pytest.mark.usefixtures("python")
def test_a_script_calls_another_runbook(server, run):
    server.add("Inner", "print inner=1 >> $RUNBOOK_OUTPUT")
    result, _ = run("runbook call Inner.md")
    assert (result["return_code"], json.loads(result["stdout"])) == (0, {"inner": "1"}), result


STEPS = """
## Set a trap
```zsh
cd $HOME
for folder in .runbook/tmp .runbook .runbook-artifacts; do
  mv $folder $folder-before || rm -r $folder
  ln -s $OUTSIDE $folder
done 2>/dev/null
exit 0
```

## Walk into it
```python
import os
for folder in ("/tmp", os.environ["TMPDIR"], os.environ["RUNBOOK_ARTIFACTS"]):
    try:
        open(folder + "/planted", "w").close()
    except OSError:
        pass
```
"""


def test_a_step_cannot_lead_the_engine_or_the_next_step_elsewhere(mode, server, client):
    if mode == "process":
        pytest.skip("there is no boundary: see SECURITY.md")
    outside = server.folder / "outside"
    outside.mkdir(exist_ok=True)
    head, _, _ = (
        (server.runbooks / server.add("Trap", "x", inputs="OUTSIDE: a place"))
        .read_text()
        .partition("```zsh")
    )
    (server.runbooks / "Trap.md").write_text(f"{head}{STEPS}\n# History\n")
    body = {"env_vars": {"OUTSIDE": str(outside)}}
    client.post("/api/runbooks/Trap.md/execute", json=body, headers={"Accept": "application/json"})
    assert list(outside.iterdir()) == []


def test_scripts_are_those_of_the_user(mode, run):
    result, _ = run("id -u; touch mine; stat -c %u mine; umask")
    user = str(UID) if "RUN_AS_USER" in mode else "0"
    assert result["stdout"].splitlines() == [user, user, "022"]


def test_the_server_says_how_it_isolates(server, mode):
    settings = MODES[mode]
    with server.client() as client:
        isolation = client.get("/api/status").json()["isolation"]
    assert isolation == {
        "mode": settings["ISOLATION"],
        "user": str(settings.get("RUN_AS_USER", "")),
        "notes": [],
    }
    (logged,) = server.events_logged("isolation.mode")
    assert logged["mode"] == settings["ISOLATION"]


class Refused(Contained):
    """A server that can't make user namespaces."""

    def __init__(self, folder, **settings):
        super().__init__(folder, **settings)
        outside = ["unshare", "--user", "--map-root-user", *self.command[1:-3]]
        inside = ["sh", "-c", f'{NO_NAMESPACES}; exec "$@"', "sh", *self.command[-3:]]
        self.command = [*outside, *inside]


@pytest.fixture
def refused(tmp_path):
    need(os.geteuid() == 0, "root, to make namespaces")
    server = Refused(tmp_path)
    yield server
    server.stop()


def test_auto_without_sandboxes_says_so_and_executes(refused, execute):
    refused.start()
    reply = httpx.get(f"{refused.url}/readyz")
    assert (reply.status_code, [note["code"] for note in reply.json()["notes"]]) == (
        200,
        ["not_sandboxed"],
    )
    refused.add("Quick", "print quick")
    with refused.client() as client:
        assert execute(client, "Quick.md")["stdout"] == "quick\n"
        assert client.get("/api/status").json()["isolation"]["mode"] == "process"
    (limited,) = refused.events_logged("isolation.limited")
    assert limited["code"] == "not_sandboxed"
    assert limited["reason"]


def test_a_required_sandbox_that_does_not_work_is_no_server(refused):
    refused.environment["ISOLATION"] = "bwrap"
    refused.start(wait=False)
    assert refused.wait() == 78
    assert any("ISOLATION=bwrap" in line for line in refused.log)


@pytest.mark.parametrize(("wanted", "code"), [("auto", 0), ("bwrap", 1)])
def test_doctor_says_why(refused, wanted, code):
    command = [*refused.command[:-3], sys.executable, "-m", "runbook", "doctor", "--json"]
    environment = refused.environment | {"ISOLATION": wanted}
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    findings = json.loads(done.stdout)["findings"]
    (found,) = [one for one in findings if one["name"] == "isolation"]
    assert found["state"] == ("failed" if code else "warning")


def test_a_run_that_takes_too_much_memory_ends_alone(submit, follow):
    with contained(ISOLATION="auto", RUN_MAX_MEMORY_BYTES=64 << 20) as server:
        server.add("Greedy", "tail -c 1G /dev/zero | tail; print survived")
        with server.client() as client:
            need(client.get("/api/status").json()["isolation"]["notes"] == [], "cgroups")
            run_id = submit(client, "/api/runbooks/Greedy.md/execute")
            assert list(follow(client, run_id))[-1]["type"] == "done"
        assert server.is_ready()
