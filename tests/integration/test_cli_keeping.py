"""`verify`, `token`, `config`, `doctor`, `db` and completion, over real files and databases."""

import json
import os
import sqlite3
import stat
from contextlib import closing

import jwt
import pytest
from click.testing import CliRunner

from runbook.cli.app import cli
from runbook.cli.one_shot.execution import OneShot
from runbook.cli.source.locate import locate
from runbook.cli.source.opening import open_engine, principal_for
from runbook.cli.terminal.views import TextView
from runbook.core.audit import AuditAction
from runbook.engine.requests import ExecuteRequest
from runbook.errors import StoreUnavailableError
from runbook.store.runbooks import Runbooks
from runbook.store.store import Store

JWT_SECRET = "a-secret-of-more-than-thirty-two-bytes!"
RUNBOOK = """\
# Greet
# Environment Requirements
```yaml
```
# File System Requirements
```yaml
Input:
```
# Script
```sh
print hello
```
# History
"""


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A machine of its own: settings, folders, no database yet."""
    for name in ("runbooks", "execution"):
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"{name.upper()}_DIR", str(tmp_path / name))
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data"))
    for name in ("JWT_SECRET", "RUNBOOK_TOKEN", "RUNBOOK_URL_BASE", "ENABLE_LOGIN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "runbooks" / "Greet.md").write_text(RUNBOOK)
    return tmp_path


@pytest.fixture
def engine(home):
    engine = open_engine(locate("Greet.md", os.environ).settings)
    yield engine
    engine.close()


@pytest.fixture
def execute(home, engine):
    """Executes Greet.md in this process; the exit code."""

    def once():
        target = locate("Greet.md", os.environ)
        principal = principal_for(target.settings, None)
        view = TextView("Greet.md", quiet=True, environment={})
        return OneShot(engine, principal, target.ref, view).execute(ExecuteRequest(env_vars={}))

    return once


def run(*args, **options):
    result = CliRunner().invoke(cli, args, **options)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


def answer(*args):
    return json.loads(run(*args, "--json").stdout)


# -- the one-shot's worker -----------------------------------------------------------------------


def test_a_one_shot_takes_nobody_elses_run(home, engine, execute):
    principal = principal_for(locate("Greet.md", os.environ).settings, None)
    others = engine.submit("Greet.md", principal, ExecuteRequest(env_vars={})).run

    assert execute() == 0
    assert engine.store.runs.get(others.id).status == "queued"
    assert engine.store.workers.all() == []


def test_a_run_that_cannot_be_recorded_is_an_error_and_does_not_hang(engine, execute, monkeypatch):
    def fail(*_args, **_more):
        raise StoreUnavailableError("The database's disk is full")

    monkeypatch.setattr(engine, "execute", fail)
    with pytest.raises(StoreUnavailableError):
        execute()
    assert [item.status for item in engine.store.runs.page().runs] == ["lost"]


# -- verify --------------------------------------------------------------------------------------


def test_a_whole_history_is_said_to_be_so(home, execute):
    execute()
    execute()
    result = run("verify", "Greet.md")

    assert result.exit_code == 0
    assert result.stdout == "Greet.md: 2 entries, unchanged\n"


def test_a_changed_entry_is_named(home, execute):
    execute()
    execute()
    path = home / "runbooks" / "Greet.md"
    path.write_text(path.read_text().replace("hello\n\n```", "hullo\n\n```", 1))
    found = answer("verify", str(path))

    assert run("verify", str(path)).exit_code == 1
    assert found["success"] is False
    assert found["problems"][0]["entry"] == 1
    assert found["problems"][0]["code"] == "changed"


def test_entries_cut_off_are_noticed_by_the_database_only(home, execute):
    execute()
    path = home / "runbooks" / "Greet.md"
    shorter = path.read_text()
    execute()
    path.write_text(shorter)

    assert run("verify", "Greet.md").exit_code == 1
    assert run("verify", "Greet.md", "--no-store").exit_code == 0
    assert answer("verify", "Greet.md")["compared_with_store"] is True


def test_a_history_needs_no_database(home):
    result = run("verify", "Greet.md")

    assert result.exit_code == 0
    assert "not compared with the database" in result.stderr
    assert not (home / "data" / "runbook.db").exists()
    assert run("verify", "Greet.md", "--store").exit_code == 69


def test_a_file_outside_the_runbooks_shares_no_history_with_its_namesake(home, execute):
    execute()
    (home / "Greet.md").write_text(RUNBOOK)

    assert run("verify", str(home / "Greet.md")).exit_code == 0


def _append_note(path):
    with path.open("a") as file:
        file.write("\n### 2026-01-01T00:00:00.000Z | Exit Code: 0\n\nanother system\n")


def test_foreign_text_is_adopted_in_file_database_and_audit_trail(home, engine, execute):
    execute()
    path = home / "runbooks" / "Greet.md"
    _append_note(path)
    assert run("verify", "Greet.md").exit_code == 1

    adopted = answer("verify", "Greet.md", "--adopt", "--reason", "a second engine")

    assert adopted["success"] is True
    (finding,) = adopted["adoption"]["findings"]
    assert (finding["code"], finding["entry"], adopted["adoption"]["n"]) == ("foreign", 1, 2)
    execute()
    found = answer("verify", "Greet.md")
    assert (found["success"], found["problems"], found["entries"]) == (True, [], 2)
    (known,) = found["adopted"]
    assert (known["code"], known["adopted_in"], known["reason"]) == (
        "foreign",
        2,
        "a second engine",
    )
    assert known["sha256"] == finding["sha256"]
    event = engine.store.audit.last(AuditAction.HISTORY_ADOPT, "Greet.md")
    assert event.details["digest"] == adopted["adoption"]["digest"]
    assert event.details["findings"] == adopted["adoption"]["findings"]
    assert engine.store.audit.verify().ok


def test_entries_lost_by_a_stale_save_are_adopted_and_the_database_agrees(home, engine, execute):
    execute()
    path = home / "runbooks" / "Greet.md"
    stale = path.read_text()
    for _ in range(3):
        execute()
    path.write_text(stale)

    adopted = answer("verify", "Greet.md", "--adopt", "--reason", "an editor saved an old copy")

    assert [finding["code"] for finding in adopted["adoption"]["findings"]] == ["cut"]
    (row,) = engine.store.runbooks.last_runs().rows
    assert (row.history.n, row.history.digest) == (2, adopted["adoption"]["digest"])
    assert run("verify", "Greet.md").exit_code == 0
    assert execute() == 0
    assert run("verify", "Greet.md", "--store").exit_code == 0


def test_an_adoption_that_a_crash_kept_from_the_database_is_completed(home, engine, execute):
    execute()
    path = home / "runbooks" / "Greet.md"
    _append_note(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Runbooks, "reset_history", lambda *_: (_ for _ in ()).throw(SystemExit(1)))
        run("verify", "Greet.md", "--adopt", "--reason", "why")
    assert engine.store.audit.last(AuditAction.HISTORY_ADOPT, "Greet.md") is None
    text = path.read_text()

    assert answer("verify", "Greet.md", "--adopt", "--reason", "why")["adoption"] is None

    assert path.read_text() == text
    event = engine.store.audit.last(AuditAction.HISTORY_ADOPT, "Greet.md")
    (row,) = engine.store.runbooks.last_runs().rows
    assert (event.details["n"], row.history.n) == (2, 2)
    assert answer("verify", "Greet.md", "--adopt", "--reason", "why")["adoption"] is None
    assert engine.store.audit.last(AuditAction.HISTORY_ADOPT, "Greet.md").n == event.n


def test_an_adoption_needs_its_permission(home, engine, execute, monkeypatch):
    execute()
    path = home / "runbooks" / "Greet.md"
    _append_note(path)
    text = path.read_text()
    monkeypatch.setenv("ENFORCE_CLAIMS", "true")

    assert run("verify", "Greet.md", "--adopt", "--reason", "why").exit_code == 77
    assert run("verify", str(home / "runbooks" / "Greet.md")).exit_code == 1
    assert path.read_text() == text
    refused = engine.store.audit.last(AuditAction.ACCESS_REFUSED, "Greet.md")
    assert refused.details["permission"] == "runbook.adopt"


def test_a_file_without_a_database_adopts_too(home, execute):
    execute()
    path = home / "Greet.md"
    path.write_bytes((home / "runbooks" / "Greet.md").read_bytes())
    _append_note(path)

    adopted = answer("verify", str(path), "--adopt", "--reason", "why")

    assert (adopted["success"], adopted["adoption"]["n"]) == (True, 2)
    assert run("verify", str(path)).exit_code == 0


def test_a_trail_of_another_version_is_not_called_unchanged(home, execute):
    execute()
    with closing(sqlite3.connect(home / "data" / "runbook.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    assert run("verify", "--audit").exit_code == 78


def test_a_file_without_a_database_needs_the_claims_too(home, monkeypatch):
    path = home / "Greet.md"
    path.write_text(
        RUNBOOK.replace("# Script", "# Required Claims\n```yaml\nteam: a\n```\n# Script")
    )
    _append_note(path)
    text = path.read_text()
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    words = ("verify", str(path), "--adopt", "--reason", "why")
    tokens = {
        team: run("token", "--role", "admin", "--claim", f"team={team}").stdout.strip()
        for team in "ab"
    }
    assert run(*words, env={"RUNBOOK_TOKEN": tokens["b"]}).exit_code == 77
    assert path.read_text() == text
    assert run(*words, env={"RUNBOOK_TOKEN": tokens["a"]}).exit_code == 0


def test_nothing_is_adopted_past_the_audit_trail(home, execute, monkeypatch):
    execute()
    path = home / "runbooks" / "Greet.md"
    _append_note(path)
    text = path.read_text()
    (home / "no.db").write_bytes(b"no database" * 1000)
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{home}/no.db")
    assert run("verify", "Greet.md", "--adopt", "--reason", "why").exit_code == 69
    assert path.read_text() == text


@pytest.mark.parametrize(
    "args",
    [
        ("Greet.md", "--adopt"),
        ("Greet.md", "--adopt", "--reason", " "),
        ("Greet.md", "--reason", "why"),
        ("--audit", "--adopt", "--reason", "why"),
        ("Greet.md", "--adopt", "--reason", "why", "--no-store"),
    ],
)
def test_nothing_is_adopted_without_a_reason_or_silently(home, args):
    assert run("verify", *args).exit_code == 2


# -- token ---------------------------------------------------------------------------------------


def claims_of(token):
    return jwt.decode(token, JWT_SECRET, algorithms=["HS256"], audience="dev-api")


def test_a_token_is_all_that_is_printed(home, monkeypatch):
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    result = run(
        *("token", "--subject", "ann", "--role", "sre", "--role", "api"),
        *("--claim", "team=platform", "--claim", "site=a", "--claim", "site=b", "--ttl", "30m"),
    )
    claims = claims_of(result.stdout.strip())

    assert result.stderr == ""
    assert claims["sub"] == "ann"
    assert claims["roles"] == ["sre", "api"]
    assert (claims["team"], claims["site"]) == ("platform", ["a", "b"])
    assert claims["exp"] - claims["iat"] == 1800


def test_a_token_of_dev_login_is_signed_by_the_kept_key(home, monkeypatch):
    monkeypatch.setenv("ENABLE_LOGIN", "true")
    assert run("token").stdout.count(".") == 2
    assert stat.S_IMODE((home / "data" / "keys" / "dev-login").stat().st_mode) == 0o600


def test_a_token_needs_no_data_dir(home, monkeypatch):
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    monkeypatch.setenv("DATA_DIR", "/proc/nowhere")
    assert run("token").exit_code == 0


@pytest.mark.parametrize("secret", ["", "changeme", "short"])
def test_no_token_without_a_secret_worth_the_name(home, monkeypatch, secret):
    monkeypatch.setenv("JWT_SECRET", secret)
    result = run("token")

    assert (result.exit_code, result.stdout) == (78, "")
    assert "JWT_SECRET" in result.stderr


# -- config and doctor ---------------------------------------------------------------------------


def test_config_tells_values_and_where_they_come_from(home, monkeypatch):
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    items = {item["name"]: item for item in answer("config")["config_items"]}

    assert items["DATA_DIR"]["value"] == str(home / "data")
    assert items["DATA_DIR"]["from"] == "environment"
    assert items["SCRIPT_TIMEOUT_SECONDS"]["from"] == "default"
    assert items["JWT_SECRET"]["value"] == "secret"
    assert all(item["description"] for item in items.values())
    assert JWT_SECRET not in run("config").stdout


def test_config_can_show_what_was_changed_only(home):
    names = {item["name"] for item in answer("config", "--changed")["config_items"]}
    assert {"DATA_DIR", "RUNBOOKS_DIR", "EXECUTION_DIR"} <= names
    assert "API_PORT" not in names


def findings():
    return {item["name"]: item for item in answer("doctor")["findings"]}


def test_doctor_finds_a_sound_machine_sound(home, execute, monkeypatch):
    monkeypatch.setenv("JWT_SECRET", JWT_SECRET)
    execute()
    result = run("doctor")

    assert result.exit_code == 0, result.stdout
    assert "failed" not in result.stdout
    expected = f"sqlite:///{home}/data/runbook.db; workers: 0, active runs: 0"
    assert findings()["database"]["text"] == expected


def test_doctor_tells_when_each_periodic_task_was_done(home, execute):
    execute()
    with closing(Store(f"sqlite:///{home}/data/runbook.db")) as store:
        for task, done in (("reap", True), ("purge", False)):
            store.leases.take(task, "w", 3_600_000)
            store.leases.give_back(task, "w", done=done)
    found = findings()

    assert found["task: reap"]["state"] == "ok"
    assert found["task: purge"]["state"] == "warning"
    assert "task.failed" in found["task: purge"]["advice"]


def test_doctor_changes_nothing(home):
    run("doctor")
    assert not (home / "data").exists()


@pytest.mark.parametrize(
    ("variable", "value", "check"),
    [
        ("RUNBOOKS_DIR", "/nowhere", "RUNBOOKS_DIR"),
        ("DATA_DIR", "/proc/nowhere", "DATA_DIR"),
        ("EXECUTION_DIR", "/proc/nowhere", "EXECUTION_DIR"),
        ("DATABASE_URL", "sqlite:////nowhere/x.db", "database"),
        ("DATABASE_URL", "nonsense", "database"),
        ("DATABASE_URL", "postgresql+psycopg://u:p@127.0.0.1:1/x", "database"),
        ("API_PORT", "many", "settings"),
    ],
)
def test_doctor_names_what_is_wrong_and_what_to_do(home, monkeypatch, variable, value, check):
    monkeypatch.setenv(variable, value)
    found = findings()[check]

    assert found["state"] == "failed"
    assert found["advice"]
    assert run("doctor").exit_code == 1


def test_doctor_notices_folders_that_hold_one_another(home, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(home / "runbooks" / "data"))
    assert findings()["folders apart"]["state"] == "failed"


def test_doctor_asks_the_key_server_and_redis(home, monkeypatch):
    monkeypatch.setenv("JWT_ALGORITHM", "RS256")
    monkeypatch.setenv("JWT_JWKS_URL", "http://127.0.0.1:9/keys")
    monkeypatch.setenv("RATE_LIMIT_STORAGE_BACKEND", "redis")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@127.0.0.1:9/0")
    found = findings()

    assert found["JWT_JWKS_URL"]["state"] == "failed"
    assert found["Redis"]["state"] == "failed"
    assert "hunter2" not in json.dumps(found)


def test_doctor_misses_zsh(home, monkeypatch):
    monkeypatch.setattr("runbook.cli.checks.shutil.which", lambda *_args, **_more: None)
    assert findings()["zsh"]["state"] == "failed"
    assert findings()["bash"]["state"] == "warning"


def test_doctor_notices_a_clock_that_was_never_set(home, monkeypatch):
    monkeypatch.setattr("runbook.cli.checks.time.time", lambda: 0.0)
    assert findings()["clock"]["state"] == "failed"


# -- db ------------------------------------------------------------------------------------------


def test_a_backup_is_a_database_that_only_its_owner_reads(home, execute):
    execute()
    path = home / "backup.db"
    assert run("db", "backup", str(path)).exit_code == 0

    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT status FROM runs").fetchall() == [("succeeded",)]
    connection.close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_backup_replaces_nothing(home, execute):
    execute()
    path = home / "backup.db"
    path.write_text("mine")

    assert run("db", "backup", str(path)).exit_code == 75
    assert path.read_text() == "mine"


def test_purge_asks_and_takes_no_for_an_answer_without_a_terminal(home, execute):
    execute()
    result = run("db", "purge", "--days", "0")

    assert result.exit_code == 2
    assert "--yes" in result.stderr
    assert len(answer("runs")["runs"]) == 1


def test_purge_forgets_runs_but_not_the_history(home, execute):
    execute()
    gone = answer("db", "purge", "--before", "2100-01-01", "--yes")

    assert gone["runs"] == 1
    assert gone["events"] > 0
    assert answer("runs")["runs"] == []
    assert run("verify", "Greet.md").exit_code == 0


def test_purge_keeps_what_is_younger(home, execute):
    execute()
    assert answer("db", "purge", "--yes")["runs"] == 0
    assert answer("db", "purge", "--days", "1", "--yes")["runs"] == 0


def test_purge_takes_one_limit(home):
    assert run("db", "purge", "--days", "1", "--before", "1d").exit_code == 2


def test_migrate_makes_a_database_of_this_version(home):
    assert run("db", "migrate").exit_code == 0
    assert findings()["database"]["state"] == "ok"


def test_db_alone_shows_its_help(home):
    result = run("db")
    assert result.exit_code == 2
    assert "runbook db backup" in result.stdout + result.stderr


# -- completion ----------------------------------------------------------------------------------


def completed(words, incomplete=""):
    line = " ".join(["runbook", *words, incomplete])
    environment = {
        "_RUNBOOK_COMPLETE": "bash_complete",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) + 1),
    }
    result = run(env=environment)
    return [item.partition(",")[2] for item in result.stdout.split()]


def test_commands_options_and_values_are_completed(home):
    assert completed([], "exe") == ["execute"]
    assert "--limit" in completed(["runs"], "--")
    assert completed(["runs", "--status"], "time") == ["timed_out"]


def test_runbooks_and_runs_are_completed(home, execute):
    execute()
    (only,) = answer("runs")["runs"]
    assert completed(["execute", "--runbook"], "Gr")[0] == "Greet.md"
    assert completed(["show"], "G") == ["Greet.md"]
    assert completed(["logs"], only["id"][:8]) == [only["id"]]
    assert completed(["runs", "--runbook"]) == ["Greet.md"]


def test_completion_says_nothing_where_nothing_can_be_read(home, monkeypatch):
    monkeypatch.setenv("API_PORT", "many")
    assert completed(["logs"]) == []
    assert completed(["show"]) == []
    assert not (home / "data").exists()
