"""Steps, rules and what follows a failure, over HTTP and on the command line."""

import json
import re
import shutil
from pathlib import Path

import pytest

from runbook.library.history import verify_file

SAMPLES = Path(__file__).parents[2] / "samples" / "runbooks" / "language"
FIVE = ("Reserve", "Copy", "Configure", "Start", "Announce")
INPUTS = "COUNTER: {type: string}\nMODE: {type: string, default: bad}"


def step(n, name):
    """A step that prints two lines and counts itself outside of the run's directory."""
    fails = '[[ $MODE == good ]] || { print -u2 "the disk is full"; exit 4 }\n' if n == 4 else ""
    script = f"print -r -- begin {n}\n{fails}print {n} >> $COUNTER\nprint end {n}"
    text = f"## {name}\n```zsh\n{script}\n```\n"
    return f"{text}\n### Undo\n```zsh\nprint undo {n} >> $COUNTER\n```\n"


STEPS = "\n".join(step(n, name) for n, name in enumerate(FIVE, start=1))


@pytest.fixture
def counter(tmp_path):
    return tmp_path / "counter"


@pytest.fixture
def counted(counter):
    return lambda: counter.read_text().split("\n")[:-1] if counter.exists() else []


@pytest.fixture
def five(write):
    """Writes the five-step runbook, with another policy or other text."""

    def call(name="Five", policy="on_failure: stop", change=("", "")):
        return write(name, STEPS.replace(*change) if change[0] else STEPS, INPUTS, policy=policy)

    return call


class OverHttp:
    """The same words for both ways to ask; they answer the id of a run that has ended."""

    def __init__(self, client, submit, follow):
        self._client, self._submit, self._follow = client, submit, follow

    def run(self, ref, **env_vars):
        return self._ended(f"/api/runbooks/{ref}/execute", env_vars)

    def follow(self, action, run_id, **env_vars):
        return self._ended(f"/api/runs/{run_id}/{action}", env_vars)

    def _ended(self, path, env_vars):
        run_id = self._submit(self._client, path, env_vars={n: str(v) for n, v in env_vars.items()})
        list(self._follow(self._client, run_id))
        return run_id

    def refused(self, action, run_id):
        reply = self._client.post(f"/api/runs/{run_id}/{action}", json={})
        assert (reply.status_code, reply.json()["code"]) == (409, "document_changed")
        return reply.json()["diff"]


class OnTheCommandLine:
    def __init__(self, beside):
        self._beside = beside

    def run(self, ref, **env_vars):
        return self._ended("execute", "--runbook", ref, env_vars=env_vars)

    def follow(self, action, run_id, **env_vars):
        return self._ended(action, run_id, env_vars=env_vars)

    def _ended(self, *args, env_vars):
        options = [f"--env={name}={value}" for name, value in env_vars.items()]
        return self._beside.events(*args, *options)[-1]["run_id"]

    def refused(self, action, run_id):
        done = self._beside.run(action, run_id)
        assert done.returncode == 75
        return done.stderr


@pytest.fixture(params=["http", "command line"])
def way(request, client, submit, follow, beside):
    if request.param == "http":
        return OverHttp(client, submit, follow)
    return OnTheCommandLine(beside)


@pytest.fixture
def run_json(client):
    """A run, whichever way it was started: both use one database."""
    return lambda run_id: client.get(f"/api/runs/{run_id}").json()


@pytest.fixture
def entry_of(server):
    """The history entry of a run, and that the chain is whole."""

    def call(ref, run_id):
        path = server.runbooks / ref
        assert verify_file(path).ok
        entries = path.read_text().partition("# History")[2].split("\n### ")
        (entry,) = (entry for entry in entries if f" run={run_id} " in entry)
        return entry

    return call


def statuses(run):
    return [one["status"] for one in run["steps"]]


# -- a step that fails ---------------------------------------------------------------------------


def test_a_run_says_which_step_failed_with_its_lines_of_the_log(
    way, five, counter, counted, client, run_json, entry_of
):
    run_id = way.run(five(), COUNTER=counter)

    run = run_json(run_id)
    failed = run["steps"][3]
    assert (run["status"], run["return_code"]) == ("failed", 4)
    assert run["errors"] == ["Step 4 'Start' failed with return code 4"]
    assert statuses(run) == ["succeeded"] * 3 + ["failed"]
    assert (failed["name"], failed["return_code"]) == ("Start", 4)
    first, count = failed["first_line"], failed["last_line"] - failed["first_line"] + 1
    lines = client.get(f"/api/runs/{run_id}/log?from={first}&lines={count}").text.splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["begin 4", "the disk is full"]
    assert counted() == ["1", "2", "3"]
    entry = entry_of("Five.md", run_id)
    assert "\n**Error:**\n```\nStep 4 'Start' failed with return code 4\n```\n" in entry


def test_resume_goes_on_at_the_failed_step(way, five, counter, counted, run_json, entry_of):
    first = way.run(five(), COUNTER=counter)

    second = way.follow("resume", first, MODE="good")

    run = run_json(second)
    assert run["status"] == "succeeded"
    assert statuses(run) == ["restored"] * 3 + ["succeeded"] * 2
    assert (run["relation"], run["related_id"], run["start_step"]) == ("resume", first, 4)
    assert counted() == ["1", "2", "3", "4", "5"]
    assert f", succeeded, resume of `{first}`\n" in entry_of("Five.md", second)


def test_retry_begins_at_the_start(way, five, counter, counted, entry_of):
    first = way.run(five(), COUNTER=counter)
    second = way.follow("retry", first)
    assert counted() == ["1", "2", "3"] * 2
    assert f", failed, retry of `{first}`\n" in entry_of("Five.md", second)


@pytest.mark.parametrize(
    "policy", ["on_failure: undo", "on_failure: stop"], ids=["by itself", "by hand"]
)
def test_the_completed_steps_are_undone_in_reverse_order(
    way, five, counter, counted, run_json, entry_of, policy
):
    first = way.run(five(policy=policy), COUNTER=counter)
    if policy == "on_failure: stop":
        assert counted() == ["1", "2", "3"]
        way.follow("undo", first)

    assert counted() == ["1", "2", "3", "undo 3", "undo 2", "undo 1"]
    assert run_json(first)["status"] == "failed"
    (undone,) = run_json(first)["followers"]
    assert (undone["relation"], undone["status"]) == ("undo", "succeeded")
    assert f", succeeded, undo of `{first}`\n" in entry_of("Five.md", undone["id"])


@pytest.mark.parametrize(
    "change",
    [("begin 2", "begin two"), ("undo 1", "undo one"), ("## Start", "## Check\n\n## Start")],
)
def test_resume_refuses_where_something_above_was_changed(way, five, counter, counted, change):
    first = way.run(five(), COUNTER=counter)
    five(change=change)

    diff = way.refused("resume", first)

    for sign, text in zip("-+", change, strict=True):
        last = text.split("\n")[-1]
        assert re.search(rf"(?m)^(runbook: )?[{sign} ].*{last}", diff), diff
    assert counted() == ["1", "2", "3"]


@pytest.mark.parametrize("change", [("begin 4", "begin four"), ("begin 5", "begin five")])
def test_what_stands_below_may_be_mended(way, five, counter, counted, client, run_json, change):
    first = way.run(five(), COUNTER=counter)
    five(change=change)

    second = way.follow("resume", first, MODE="good")

    assert run_json(second)["status"] == "succeeded"
    assert change[1] in client.get(f"/api/runs/{second}/log").text
    assert counted() == ["1", "2", "3", "4", "5"]


def test_the_sample_does_what_its_text_says(way, server, client, tmp_path, run_json):
    ref = Path(shutil.copy(SAMPLES / "Resume.md", server.runbooks)).name
    service = tmp_path / "service"
    service.mkdir()

    first = way.run(ref, FOLDER=service, PORT=80)
    second = way.follow("resume", first, PORT=8080)

    assert statuses(run_json(first)) == ["succeeded"] * 3 + ["failed"]
    assert statuses(run_json(second)) == ["restored"] * 3 + ["succeeded"] * 2
    (made,) = service.iterdir()
    name = run_json(second)["outputs"]["service"]
    assert (made.name, (made / "service.conf").read_text()) == (name, f"name={name}\nport=8080\n")
    undone = way.follow("undo", second)
    assert client.get(f"/api/runs/{undone}/log").text.splitlines() == [
        "Withdrew the announcement",
        "Closed port 8080",
        "Removed the configuration",
        "Removed the folder",
        "The name is free again",
    ]
    assert list(service.iterdir()) == []


# -- dry runs ------------------------------------------------------------------------------------

DRY = """
print ran >> $COUNTER
if [[ -n $RUNBOOK_DRY_RUN ]]; then
    runbook plan --{label} "write the file"
    exit
fi
print changed >> $COUNTER
"""


@pytest.fixture(params=["http", "command line"])
def dry(request, client, submit, follow, beside):
    """Execute a dry run: its events and its id."""

    def over_http(ref, **env_vars):
        path = f"/api/runbooks/{ref}/execute"
        run_id = submit(client, path, env_vars=env_vars, dry_run=True)
        return list(follow(client, run_id))

    def on_the_command_line(ref, **env_vars):
        options = [f"--env={name}={value}" for name, value in env_vars.items()]
        return beside.events("execute", "--runbook", ref, "--dry-run", *options)

    return over_http if request.param == "http" else on_the_command_line


@pytest.mark.parametrize("label", ["verified", "assumed"])
def test_a_dry_run_plans_and_is_marked(
    dry, write, counter, counted, run_json, entry_of, label, client
):
    policy = "dry_run: supported\nlocks: one\nconfirm: really"
    ref = write("Dry", DRY.format(label=label), "COUNTER: {type: string}", policy=policy)

    events = dry(ref, COUNTER=str(counter))

    done = events[-1]
    plans = [event for event in events if event["type"] == "plan"]
    assert plans[0]["preview"]["steps"][0]["script"].strip() == DRY.format(label=label).strip()
    assert [(plan["text"], plan["label"]) for plan in plans[1:]] == [("write the file", label)]
    assert counted() == ["ran"]
    assert (done["status"], done["dry_run"], done["label"]) == ("succeeded", True, label)
    run = run_json(done["run_id"])
    assert (run["dry_run"], run["label"]) == (True, label)
    assert f", succeeded, dry run ({label})\n" in entry_of(ref, done["run_id"])
    listed = client.get("/api/runbooks").json()["runbooks"]
    assert next(one for one in listed if one["path"] == ref)["last_run"] is None


def test_nothing_is_executed_where_dry_runs_are_not_supported(
    dry, write, counter, counted, run_json, entry_of
):
    script = STEPS.replace("$MODE == good", "1 == 1")
    ref = write("NotDry", script, "COUNTER: {type: string}")

    done = dry(ref, COUNTER=str(counter))[-1]

    assert counted() == []
    assert (done["status"], done["label"]) == ("succeeded", "unknown")
    assert "Nothing was executed" in done["warnings"][0]
    assert run_json(done["run_id"])["steps"] == []
    assert ", succeeded, dry run (not executed)\n" in entry_of(ref, done["run_id"])


def test_a_dry_run_neither_takes_nor_awaits_a_lock(dry, client, write, submit, follow, tmp_path):
    gate = tmp_path / "gate"
    policy = "locks: 'device:1'\ndry_run: supported\non_busy: fail"
    holds = f"print begun; while [[ ! -e {gate} ]]; do sleep 0.02; done"
    holder = submit(client, f"/api/runbooks/{write('Holds', holds, policy=policy)}/execute")
    for event in follow(client, holder):
        if "begun" in event.get("text", ""):
            done = dry(write("Looks", "print looked", policy=policy))
            assert done[-1]["status"] == "succeeded"
            (lock,) = next(one for one in done if one["type"] == "plan")["preview"]["locks"]
            assert (lock["lock"], lock["held_by"]["run_id"]) == ("device:1", holder)
            gate.touch()
    assert event["status"] == "succeeded"


# -- confirmation --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "works"), [(None, False), ("delete web2", False), ("delete web1", True)]
)
def test_what_has_to_be_confirmed_is_typed_exactly(
    client, beside, write, execute, counter, counted, given, works
):
    inputs = "COUNTER: {type: string}\nNAME: {type: string}"
    ref = write("Delete", "print deleted >> $COUNTER", inputs, policy="confirm: delete ${NAME}")
    env_vars = {"COUNTER": str(counter), "NAME": "web1"}
    body = {"env_vars": env_vars, **({} if given is None else {"confirm": given})}
    options = [f"--env={name}={value}" for name, value in env_vars.items()]
    options += [] if given is None else ["--confirm", given]

    reply = client.post(
        f"/api/runbooks/{ref}/execute", json=body, headers={"Accept": "application/json"}
    ).json()
    done = beside.run("execute", "--runbook", ref, *options)

    assert counted() == (["deleted"] * 2 if works else [])
    assert reply["status"] == ("succeeded" if works else "invalid")
    assert reply["errors"] == ([] if works else ["Confirmation needed: type 'delete web1'"])
    assert done.returncode == (0 if works else 65)
    assert ("Confirmation needed: type 'delete web1'" in done.stderr) is not works


# -- Python, and the rules of a run ----------------------------------------------------------------


def test_a_traceback_names_the_document_and_its_line(client, server, write, execute, beside):
    script = "## One\n```sh\ntrue\n```\n\n## Two\n```python\nx = 1\n\nraise ValueError('here')\n```"
    ref = write("Trace", script)
    lines = (server.runbooks / ref).read_text().split("\n")
    line = 1 + lines.index("raise ValueError('here')")

    printed = [execute(client, ref)["stderr"], beside.run("execute", "--runbook", ref).stderr]

    for text in printed:
        assert re.search(rf'File "[^"]*/Trace\.md", line {line}, in <module>', text), text
        assert "raise ValueError('here')" in text


def test_a_run_that_takes_longer_than_its_policy_says_is_ended(client, write, execute):
    done = execute(client, write("Long", "print begun; sleep 99", policy="timeout: 0.5s"))
    assert (done["status"], done["return_code"]) == ("timed_out", -9)
    assert done["errors"] == ["Script execution timed out after 0.5 seconds"]


def test_a_step_that_takes_too_long_is_ended(client, write, execute, run_json):
    script = (
        "## One\n```yaml\ntimeout: 0.5s\n```\n```sh\nsleep 99\n```\n\n## Two\n```sh\ntrue\n```\n"
    )
    done = execute(client, write("Slow", script))
    assert (done["status"], done["return_code"]) == ("timed_out", -9)
    assert done["errors"] == ["Step 1 'One' timed out after 0.5 seconds"]
    assert statuses(run_json(done["run_id"])) == ["timed_out"]


@pytest.mark.parametrize(
    ("policy", "tries", "status"),
    [
        ("retry: 3", 3, "succeeded"),
        ("retry: 2", 2, "failed"),
        ("retry: {attempts: 5, backoff: 0.01s, on: [75]}", 3, "succeeded"),
        ("retry: {attempts: 5, on: [74]}", 1, "failed"),
        ("retry: {attempts: 2}\nsuccess_codes: [0, 75]", 1, "succeeded"),
    ],
)
def test_a_step_is_tried_again_as_its_policy_says(
    client, write, execute, counter, policy, tries, status
):
    script = "## One\n```sh\nprint x >> $COUNTER; (( $(wc -l < $COUNTER) >= 3 )) || exit 75\n```\n"
    ref = write("Again", script, "COUNTER: {type: string}", policy=policy)

    done = execute(client, ref, COUNTER=str(counter))

    assert (done["status"], counter.read_text().count("x")) == (status, tries)
    assert client.get(f"/api/runs/{done['run_id']}").json()["steps"][0]["attempts"] == tries


@pytest.mark.parametrize(("code", "status"), [(0, "failed"), (2, "succeeded"), (3, "failed")])
def test_success_is_what_the_policy_calls_so(client, beside, write, execute, code, status):
    ref = write("Codes", f"exit {code}", policy="success_codes: 2")
    done = execute(client, ref)
    assert (done["status"], done["return_code"]) == (status, code)
    local = beside.run("execute", "--runbook", ref).returncode
    assert local == (0 if status == "succeeded" else code or 1)
