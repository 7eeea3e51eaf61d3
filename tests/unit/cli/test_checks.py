"""The checks of `runbook doctor`."""

import pytest

from runbook.cli.checks import examine
from runbook.cli.keeping.findings import State


@pytest.mark.parametrize("built", [True, False])
def test_a_missing_web_app_is_a_warning_that_says_what_to_run(tmp_path, monkeypatch, built):
    page = tmp_path / "index.html"
    if built:
        page.touch()
    monkeypatch.setattr("runbook.cli.checks.WEB_APP", page)

    found = {finding.name: finding for finding in examine({"API_PORT": "many"})}["web app"]

    assert found.state is (State.OK if built else State.WARNING)
    assert ("make setup" in found.advice) is not built
