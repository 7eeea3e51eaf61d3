import resource
import subprocess
import sys

import pytest

from runbook.engine.process.limits import ScriptLimits, inherit_limits


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
