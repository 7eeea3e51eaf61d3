"""Typed inputs through a real engine: secrets of the server, choices, files, and the script."""

import base64
import os
import sqlite3
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.core.access import Principal
from runbook.core.document import SecretKind, SecretSource, texts_of
from runbook.core.events import EventType
from runbook.core.inputs.values import GivenFile
from runbook.core.outcome import Outcome
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus
from runbook.engine.process.workspace import Workspace, WorkspaceError
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.requests import ExecuteRequest
from runbook.engine.submit.secret_sources import SecretSources
from runbook.resources.event import event_json

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)
SITE = "SITE: {type: choice, choices_from: lists/Sites.md#NAMES}"


def errors(workshop, ref, principal=ANN, **env_vars):
    report = workshop.engine.validate(ref, principal, ExecuteRequest(env_vars=env_vars))
    return [problem.message for problem in report.errors]


def names(items):
    return [item.name for item in items]


# -- secrets of the server ------------------------------------------------------------------------


@pytest.fixture
def secrets(tmp_path):
    folder = tmp_path / "secrets"
    folder.mkdir()
    (folder / "password").write_text("hunter22\n")
    return folder


@pytest.fixture
def with_secrets(build, secrets):
    return build(SECRETS_DIR=str(secrets), FETCH_TOKEN="token-of-the-server", DATABASE_URL="")


def test_a_secret_of_the_environment(with_secrets):
    with_secrets.write(
        "Show", "print -r -- $KEY", inputs="KEY: {type: secret, from: 'env:FETCH_TOKEN'}"
    )
    with_secrets.register()
    with_secrets.submit("Show.md")

    run = with_secrets.execute()

    assert with_secrets.output(run) == "***\n"
    assert run.request.inputs == {"KEY": None}


def test_the_callers_value_wins_and_a_reference_is_a_text(with_secrets):
    inputs = "KEY: {type: secret, from: 'env:FETCH_TOKEN'}"
    with_secrets.write("Show", "print -r -- ${#KEY}", inputs=inputs)
    with_secrets.register()
    with_secrets.submit("Show.md", env_vars={"KEY": "env:FETCH_TOKEN"})

    run = with_secrets.execute()

    assert with_secrets.output(run) == f"{len('env:FETCH_TOKEN')}\n"


@pytest.mark.parametrize(
    ("content", "length"),
    [
        (b"hunter22\n", 8),
        (b"hunter22\r\n", 8),
        (b"hunter22", 8),
        (b"hunter22\n\n", 9),
        (b"x" * 65536, 65536),
    ],
)
def test_a_secret_of_a_file(with_secrets, secrets, content, length):
    (secrets / "password").write_bytes(content)
    inputs = f"KEY: {{type: secret, min: {length}, max: {length}, from: file:password}}"
    with_secrets.write("Show", inputs=inputs)

    assert errors(with_secrets, "Show.md") == []


def test_a_mount_of_links_is_followed(with_secrets, secrets):
    (secrets / "..2026").mkdir()
    (secrets / "..2026" / "key").write_text("hunter22")
    (secrets / "..data").symlink_to("..2026")
    (secrets / "key").symlink_to("..data/key")
    with_secrets.write("Show", inputs="KEY: {type: secret, from: file:key}")

    assert errors(with_secrets, "Show.md") == []


def absent(path):
    pass


def outside(path):
    target = path.parents[1] / "outside"
    target.write_text("hunter22")
    path.symlink_to(target)


def folder(path):
    path.mkdir()


def too_large(path):
    path.write_bytes(b"x" * 65537)


def no_text(path):
    path.write_bytes(b"\xff")


def empty(path):
    path.write_bytes(b"\n")


def device(path):
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make", [absent, outside, folder, too_large, no_text, empty, device, os.mkfifo]
)
def test_a_secret_that_cannot_be_read_is_missing(with_secrets, secrets, make):
    make(secrets / "key")
    with_secrets.write("Show", inputs="KEY: {type: secret, from: file:key}")

    report = with_secrets.engine.validate("Show.md", ANN, ExecuteRequest())

    (problem,) = report.errors
    assert problem.message == "Required environment variable not set: KEY"
    assert problem.hint == "It comes from a file on the server that is missing or empty"
    assert names(with_secrets.engine.runbooks.required_env("Show.md", ANN).missing) == ["KEY"]


def test_a_setting_of_the_server_is_never_a_secret_of_a_runbook(with_secrets):

    options = with_secrets.engine.parts.options
    sources = SecretSources({**options.supplied, "RUNBOOK_TOKEN": "x"}, None)

    for name in ("RUNBOOK_TOKEN", "SECRETS_DIR", "DATABASE_URL", "JWT_SECRET"):
        assert sources.find(SecretSource(SecretKind.ENV, name)) is None
    assert sources.find(SecretSource(SecretKind.ENV, "FETCH_TOKEN")) == "token-of-the-server"
    assert sources.find(SecretSource(SecretKind.FILE, "password")) is None


def test_required_env_counts_secrets_that_are_found(with_secrets):
    inputs = "KEY: {type: secret, from: file:password}\nOTHER: {type: secret, from: file:other}"
    with_secrets.write("Show", inputs=inputs)

    found = with_secrets.engine.runbooks.required_env("Show.md", ANN)

    assert (names(found.available), names(found.missing)) == (["KEY"], ["OTHER"])


def test_a_secret_of_the_server_that_breaks_a_rule_is_not_shown(with_secrets):
    inputs = "KEY: {type: secret, min: 50, from: 'env:FETCH_TOKEN'}"
    with_secrets.write("Show", inputs=inputs)

    assert errors(with_secrets, "Show.md") == ["KEY must have at least 50 characters"]


def test_what_the_command_line_gives_as_a_secret_is_in_no_problem(workshop):
    workshop.write("Show", inputs="PORT: {type: integer}")
    request = ExecuteRequest(env_vars={"PORT": "geheim"}, secrets=frozenset({"PORT"}))

    report = workshop.engine.validate("Show.md", ANN, request)
    run = workshop.engine.submit("Show.md", ANN, request).run

    assert [problem.message for problem in report.errors] == ["PORT must be an integer"]
    assert run.result.errors == report.errors


# -- choices of other runbooks --------------------------------------------------------------------


def leave(workshop, ref, outputs, status=RunStatus.SUCCEEDED):
    """A run that has ended with these outputs."""
    workshop.submit(ref)
    claimed = workshop.claim()
    outcome = Outcome(status, 0, outputs=outputs)
    ending = workshop.engine.parts.ending
    ending.end(claimed.run, outcome, RecordedOutput(), [], worker_id="w")
    return claimed.run.id


@pytest.fixture
def sites(workshop):
    (workshop.settings.runbooks_dir / "lists").mkdir()
    workshop.write("lists/Sites")
    workshop.write("Use", inputs=SITE)
    workshop.register()
    return workshop


def test_choices_are_those_of_the_last_run_that_succeeded(sites):
    leave(sites, "lists/Sites.md", {"NAMES": '["old"]'})
    leave(sites, "lists/Sites.md", {"NAMES": "oslo, rome"})
    leave(sites, "lists/Sites.md", {"NAMES": "bern"}, RunStatus.FAILED)

    assert errors(sites, "Use.md", SITE="oslo") == []
    assert errors(sites, "Use.md", SITE="bern") == ["SITE must be one of oslo, rome: 'bern'"]
    schema = sites.engine.runbooks.input_schema("Use.md", ANN)
    assert schema["properties"]["SITE"]["enum"] == ["oslo", "rome"]
    assert schema["$id"] == "http://localhost:8083/api/runbooks/Use.md/inputs"


@pytest.mark.parametrize("outputs", [None, {"OTHER": "x"}])
def test_choices_that_are_not_known_yet(sites, outputs):
    if outputs:
        leave(sites, "lists/Sites.md", outputs)

    report = sites.engine.validate("Use.md", ANN, ExecuteRequest(env_vars={"SITE": "oslo"}))

    (problem,) = report.errors
    assert problem.code == "choices_unknown"
    assert problem.params == {"variable": "SITE", "runbook": "lists/Sites.md", "output": "NAMES"}
    assert "enum" not in sites.engine.runbooks.input_schema("Use.md", ANN)["properties"]["SITE"]


def test_choices_of_a_runbook_that_one_may_not_execute(sites):
    sites.write("lists/Sites", claims="roles: sre")
    leave(sites, "lists/Sites.md", {"NAMES": "oslo"})

    assert errors(sites, "Use.md", VIC, SITE="oslo") == [
        "The choices for SITE come from lists/Sites.md, which you aren't allowed to execute"
    ]
    assert "enum" not in sites.engine.runbooks.input_schema("Use.md", VIC)["properties"]["SITE"]
    assert errors(sites, "Use.md", SITE="oslo") == []


def test_a_runbook_beside_the_asking_one(sites):
    sites.write("lists/Use", inputs="SITE: {type: choice, choices_from: Sites.md#NAMES}")
    sites.write("lists/Up", inputs="SITE: {type: choice, choices_from: ../../x/Sites.md#NAMES}")
    leave(sites, "lists/Sites.md", {"NAMES": "oslo"})

    assert errors(sites, "lists/Use.md", SITE="oslo") == []
    assert errors(sites, "lists/Up.md", SITE="oslo") == [
        "The choices for SITE come from ../../x/Sites.md, which does not exist"
    ]


# -- files ----------------------------------------------------------------------------------------


def file_of(content, name="app.yaml"):
    return {"name": name, "content_base64": base64.b64encode(content).decode()}


def test_a_file_is_found_by_its_path(workshop):
    script = (
        'print -r -- "${FILE#$HOME/}"; stat -c %a "$FILE"; base64 < "$FILE"; print -r -- "$FILE"'
    )
    workshop.write("Use", script, inputs="FILE: {type: file}\nNAME: {type: string}")
    workshop.register()
    workshop.submit("Use.md", env_vars={"FILE": file_of(b"a\0\xff", "a b.yaml"), "NAME": "x"})

    run = workshop.execute()

    path, mode, content, whole = workshop.output(run).splitlines()
    assert (path, mode, content) == (".runbook/inputs/FILE/a b.yaml", "600", "YQD/")
    assert run.request.inputs == {"FILE": None, "NAME": "x"}
    assert not os.path.exists(whole)
    assert os.listdir(workshop.settings.execution_dir) == []


def test_a_file_waits_encrypted_and_goes_with_its_run(workshop):
    workshop.write("Use", inputs="FILE: {type: file}")
    workshop.register()
    run = workshop.submit("Use.md", env_vars={"FILE": file_of(b"content-of-the-file")})

    sealed = workshop.store.runs.sealed(run.id)
    assert b"content-of-the-file" not in sealed
    opened = workshop.engine.parts.sealer.open(sealed, run.id)
    assert opened.files["FILE"].content == b"content-of-the-file"

    workshop.execute()
    assert workshop.store.runs.sealed(run.id) is None


def test_two_files_of_one_name(workshop):
    workshop.write("Use", "cat $A $B", inputs="A: {type: file}\nB: {type: file}")
    workshop.register()
    workshop.submit("Use.md", env_vars={"A": file_of(b"one\n"), "B": file_of(b"two\n")})

    assert workshop.output(workshop.execute()) == "one\ntwo\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (file_of(b"geheim", "../x"), "The file for FILE must have a plain name"),
        ("geheim", "FILE must be a file"),
        (
            {"name": "x", "content_base64": "geheim"},
            "The content of the file for FILE is not valid base64",
        ),
    ],
)
def test_a_file_that_is_none_is_an_invalid_run(workshop, value, text):
    workshop.write("Use", inputs="FILE: {type: file}")

    run = workshop.submit("Use.md", env_vars={"FILE": value})

    assert (run.status, texts_of(run.result.errors)) == (RunStatus.INVALID, [text])
    assert run.result.errors[0].params == {"variable": "FILE"}
    assert "geheim" not in str([event_json(event) for event in workshop.events(run)])


# -- what reaches the script ----------------------------------------------------------------------

COUNT = 20
SHOW = f'for n in {{1..{COUNT}}}; do v="V$n"; print -rn -- "${{(P)v}}" | base64 -w0; print; done'
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
HOSTILE = st.sampled_from(
    ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"$HOME"', "-n", "${V2}", "*", "\\n"]
)


@pytest.mark.parametrize("kind", ["string", "text"])
@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(texts=st.lists(TEXTS | HOSTILE, min_size=COUNT, max_size=COUNT))
def test_any_text_reaches_the_script_byte_for_byte(workshop, kind, texts):
    if kind == "string":
        texts = [text.replace("\r", " ").replace("\n", " ") for text in texts]
    declared = "\n".join(f"V{n}: {{type: {kind}}}" for n in range(1, COUNT + 1))
    workshop.write("Show", f"{SHOW}\nls", inputs=declared)
    workshop.register()
    workshop.submit("Show.md", env_vars={f"V{n}": text for n, text in enumerate(texts, 1)})

    run = workshop.execute()

    *shown, files = workshop.output(run).splitlines()
    assert [base64.b64decode(line).decode() for line in shown] == texts
    assert files == "script.zsh"
    assert workshop.output(run, EventType.STDERR) == ""


def test_what_is_shown_of_a_run(workshop):
    inputs = (
        "OLD: x\nMODE: {type: choice, choices: [a]}\nTAGS: {type: multichoice, choices: [b, c]}"
    )
    workshop.write("Use", inputs=f"{inputs}\nKEY: {{type: secret}}\nDATA: {{type: json}}")
    values = {"OLD": "o", "MODE": "a", "TAGS": ["c", "b"], "KEY": "geheim", "DATA": {"a": [1]}}

    run = workshop.submit("Use.md", env_vars=values)

    assert run.request.inputs == {
        "OLD": None,
        "MODE": "a",
        "TAGS": "c,b",
        "KEY": None,
        "DATA": '{"a":[1]}',
    }


# -- the store ------------------------------------------------------------------------------------


def test_dry_runs_and_undoing_leave_no_outputs_behind(sites):
    first = leave(sites, "lists/Sites.md", {"NAMES": "oslo"})
    for changes in ("dry_run = 1", f"relation = '{Relation.UNDO.value}'"):
        run_id = leave(sites, "lists/Sites.md", {"NAMES": "rome"})
        change(sites, run_id, changes)
    assert sites.store.runs.last_outputs("lists/Sites.md") == {"NAMES": "oslo"}
    change(sites, run_id, f"relation = '{Relation.RETRY.value}'")
    assert sites.store.runs.last_outputs("lists/Sites.md") == {"NAMES": "rome"}
    assert first != run_id
    assert sites.store.runs.last_outputs("None.md") is None


def change(workshop, run_id, assignment):
    with sqlite3.connect(workshop.settings.data_dir / "runbook.db") as connection:
        connection.execute(f"UPDATE runs SET {assignment} WHERE id = ?", (run_id,))
    connection.close()


def test_the_folder_of_a_file_is_for_the_script_only(workshop):

    with Workspace.create(workshop.settings.execution_dir, "r1") as workspace:
        paths = workspace.write_input_files({"A": GivenFile("x", b"1")})
        assert stat.S_IMODE(os.stat(os.path.dirname(paths["A"])).st_mode) == 0o700
        with pytest.raises(WorkspaceError, match="The file of A could not be written"):
            workspace.write_input_files({"A": GivenFile("x", b"1")})
    assert os.listdir(workshop.settings.execution_dir) == []
