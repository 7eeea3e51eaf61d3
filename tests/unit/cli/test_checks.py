"""The checks of `runbook doctor`."""

import pytest

from runbook.cli.checks import examine
from runbook.cli.keeping.findings import State
from runbook.engine.isolation.probing import Answer


@pytest.mark.parametrize("built", [True, False])
def test_a_missing_web_app_is_a_warning_that_says_what_to_run(tmp_path, monkeypatch, built):
    page = tmp_path / "index.html"
    if built:
        page.touch()
    monkeypatch.setattr("runbook.cli.checks.WEB_APP", page)

    found = {finding.name: finding for finding in examine({"API_PORT": "many"})}["web app"]

    assert found.state is (State.OK if built else State.WARNING)
    assert ("make setup" in found.advice) is not built


@pytest.mark.parametrize(("isolation", "state"), [("auto", State.WARNING), ("bwrap", State.FAILED)])
def test_a_sandbox_that_does_not_work_is_explained(tmp_path, monkeypatch, isolation, state):
    environment = {"RUNBOOKS_DIR": str(tmp_path), "DATA_DIR": str(tmp_path.parent / "data")}
    monkeypatch.setattr(
        "runbook.engine.isolation.probing.probe", lambda *_, as_root: Answer("refused")
    )

    findings = examine(environment | {"ISOLATION": isolation})

    (found,) = [finding for finding in findings if finding.name == "isolation"]
    assert found.state is state
    assert "refused" in found.text
    assert not (tmp_path.parent / "data").exists()
