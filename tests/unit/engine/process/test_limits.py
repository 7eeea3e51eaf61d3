import resource
import subprocess
import sys

import pytest

from runbook.engine.process.limits import (
    FILES_PER_RUN,
    OWN_FILES,
    ScriptLimits,
    inherit_limits,
    raise_open_files,
    runs_allowed,
)
from runbook.errors import ConfigurationError


def test_a_command_without_optional_limits_is_left_alone():
    assert ScriptLimits().wrap(["zsh", "-f"]) == ["zsh", "-f"]


def test_optional_limits_go_through_prlimit():
    program, *rest = ScriptLimits(processes=10, file_bytes=4096).wrap(["zsh", "-f"])
    assert program.endswith("/prlimit")
    assert rest == ["--nproc=10", "--fsize=4096", "--", "zsh", "-f"]


def test_a_limit_above_the_hard_one_is_lowered_to_it(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (5, 7))
    assert "--nproc=7" in ScriptLimits(processes=10).wrap(["zsh"])


@pytest.mark.parametrize("hard", [512, 4096])
def test_inherited_limits_never_exceed_the_hard_ones(hard):
    source = (
        "import resource; from runbook.engine.process.limits import *;"
        f"resource.setrlimit(resource.RLIMIT_NOFILE, ({hard}, {hard}));"
        "inherit_limits(ScriptLimits(open_files=1024));"
        "print(*resource.getrlimit(resource.RLIMIT_NOFILE));"
        "print(*resource.getrlimit(resource.RLIMIT_CORE))"
    )
    done = subprocess.run(
        [sys.executable, "-c", source], capture_output=True, text=True, check=True
    )
    soft, hard_after, core, _ = map(int, done.stdout.split())
    assert (soft, hard_after, core) == (min(1024, hard), hard, 0)


def test_inheriting_needs_no_rights(monkeypatch):
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (100, 100))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: calls.append(limits))
    inherit_limits(ScriptLimits())
    assert calls == [(0, 100), (100, 100)]


@pytest.mark.parametrize(
    ("hard", "allowed"),
    [(resource.RLIM_INFINITY, 8), (4096, 8), (OWN_FILES + 3 * FILES_PER_RUN, 3)],
)
def test_as_many_runs_as_the_open_files_allow(monkeypatch, hard, allowed):
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (10, hard))
    assert runs_allowed(8) == allowed


def test_too_few_open_files_for_one_run_are_refused(monkeypatch):
    hard = OWN_FILES + FILES_PER_RUN - 1
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (hard, hard))
    with pytest.raises(ConfigurationError, match=str(hard)):
        runs_allowed(8)


def test_the_limit_of_open_files_grows_with_the_runs(monkeypatch):
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, 100_000))
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: calls.append(limits[0]))
    inherit_limits(ScriptLimits(), runs=8)
    inherit_limits(ScriptLimits(), runs=200)
    raise_open_files()
    assert calls == [0, 1024, 0, OWN_FILES + 200 * FILES_PER_RUN, 65_536]
