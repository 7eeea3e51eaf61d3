"""What is kept of a case's run, and how its result is shown."""

import json
import os
from pathlib import Path

import pytest

from runbook.cli.authoring.case_report import JsonReport, TextReport, reasons
from runbook.cli.authoring.case_run import CaseResult, CaseRunner, _CaseView, case_settings
from runbook.cli.authoring.selection import Selected
from runbook.core.authoring.case_outcome import CaseOutcome, Difference
from runbook.core.authoring.cases import Case, CaseConnection
from runbook.core.events import EventType, RunEvent
from runbook.core.status import RunStatus
from runbook.errors import InvalidRunbookError, QueueFullError

ITEM = Selected(Path("/books/Demo.md"), Path("/books"))
CASE = Case("demo", 2)


def test_output_is_kept_by_stream_and_its_end_shown():
    view = _CaseView()
    for n, (kind, text) in enumerate([("stdout", "a\n"), ("stderr", "b\n"), ("stdout", "c\n")]):
        view.event(RunEvent(n + 1, 0, EventType(kind), text=text))
    view.event(RunEvent(4, 0, EventType.NOTICE, data={"message": "x"}))
    view.ended({"status": "succeeded", "return_code": 0, "outputs": {"A": "1"}, "errors": []})

    outcome = view.outcome()
    assert (outcome.stdout, outcome.stderr) == ("a\nc\n", "b\n")
    assert (outcome.status, outcome.outputs) == (RunStatus.SUCCEEDED, {"A": "1"})
    assert view.tail() == ["a", "b", "c"]


def test_an_error_that_stands_for_a_status_becomes_one():
    view = _CaseView()
    assert view.failed(InvalidRunbookError("Type its name")) is None
    assert view.outcome() == CaseOutcome(RunStatus.INVALID, errors=("Type its name",))


def test_any_other_error_is_no_outcome():
    view = _CaseView()
    assert view.failed(QueueFullError("full")) == "full"
    assert view.outcome() is None


def test_a_case_has_settings_of_its_own(tmp_path):
    environment = {
        "PATH": "/bin",
        "HOST": "mine",
        "SITE": "north",
        "SCRIPT_ENV_PASS": "SITE",
        "DATABASE_URL": "postgresql://somewhere/db",
        "HISTORY": "file",
    }
    settings = case_settings(ITEM, environment, tmp_path)

    assert settings.environment.keys() == environment.keys() - {"HOST"}
    assert settings.database == f"sqlite:///{tmp_path}/runbook.db"
    assert (settings.history, settings.runbooks_dir) == ("store", Path("/books"))


READS = """\
# Demo

# Environment Requirements
```yaml
PVE: {type: connection, kind: proxmox}
```

# File System Requirements
```yaml
```

# Script
```sh
echo "$PVE"; cat "$RUNBOOK_CONNECTIONS/PVE.json"
```

# History
"""


@pytest.mark.parametrize(
    ("port", "status"), [("8006", RunStatus.SUCCEEDED), ("none", RunStatus.INVALID)]
)
def test_a_case_has_connections_of_its_own(tmp_path, port, status):
    (tmp_path / "Demo.md").write_text(READS)
    values = {"host": "pve", "port": port, "token_id": "a@b!c", "token_secret": "example"}
    case = Case("demo", 2, connections={"PVE": CaseConnection("proxmox", values)})
    runner = CaseRunner({"PATH": os.environ["PATH"]})

    outcome = runner.execute(Selected(tmp_path / "Demo.md", tmp_path), case).outcome

    assert (outcome.status, "example" in outcome.stdout) == (status, False)
    assert outcome.stdout.startswith("PVE\n" if status is RunStatus.SUCCEEDED else "")


FAILED = CaseResult(
    ITEM,
    CASE,
    0.5,
    CaseOutcome(RunStatus.FAILED, 3, errors=("went wrong",)),
    (Difference("status", "succeeded", "failed"),),
    tail=("last \x1b[2J line",),
)
BROKEN = CaseResult(ITEM, CASE, 0.5, None, error="full")
PASSED = CaseResult(ITEM, CASE, 0.5, CaseOutcome(RunStatus.SUCCEEDED, 0))


def test_a_report_for_people(capsys):
    report = TextReport()
    for result in (PASSED, FAILED, BROKEN):
        report.add(result)
    report.finish()

    assert report.failed == 2
    assert capsys.readouterr().out.splitlines() == [
        "/books/Demo.md",
        "ok demo",
        "FAILED demo: expected status succeeded, got failed",
        "    error: went wrong",
        "    | last \\x1b[2J line",
        "FAILED demo: full",
        "1 passed, 2 failed",
    ]


def test_a_report_for_programs(capsys):
    report = JsonReport()
    for result in (PASSED, BROKEN):
        report.add(result)
    report.finish()

    printed = json.loads(capsys.readouterr().out)
    assert (printed["success"], printed["passed"], printed["failed"]) == (False, 1, 1)
    assert [case["errors"] for case in printed["cases"]] == [[], ["full"]]


@pytest.mark.parametrize("result", [FAILED, BROKEN])
def test_a_failed_case_has_a_reason(result):
    assert not result.passed
    assert reasons(result)
