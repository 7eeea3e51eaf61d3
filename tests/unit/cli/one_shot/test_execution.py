"""What the engine process of one run takes from its environment."""

from contextlib import contextmanager

import pytest

from runbook.cli.one_shot import execution, rerun
from runbook.cli.options.execute_options import ExecuteOptions
from runbook.cli.options.rerun_options import RerunOptions


class OpenedError(Exception):
    """Stops a command where it opens the engine."""


@pytest.fixture
def tokens(monkeypatch):
    seen = []

    @contextmanager
    def opened(_settings, token, _connections=None):
        seen.append(token)
        raise OpenedError
        yield

    for module in (execution, rerun):
        monkeypatch.setattr(module, "opened", opened)
    return seen


def test_blanks_around_the_token_are_ignored_as_by_other_commands(tmp_path, tokens):
    file = tmp_path / "R.md"
    file.touch()
    environment = {"RUNBOOK_TOKEN": " a.b.c\n", "RUNBOOKS_DIR": str(tmp_path)}
    with pytest.raises(OpenedError):
        execution.run_once(ExecuteOptions(str(file)), environment)
    with pytest.raises(OpenedError):
        rerun.follow_once("retry", RerunOptions("id", str(file)), environment)
    assert tokens == ["a.b.c", "a.b.c"]
