"""Whether a sandbox works here, told from what its program does."""

import pytest

from runbook.engine.isolation.probing import Answer, cached, circumstances, probe, store
from runbook.engine.isolation.sandbox import Sandbox, View


@pytest.fixture
def program(tmp_path):
    """A program in the place of bubblewrap."""

    def make(script):
        path = tmp_path / "bwrap"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return Sandbox(View(), program=str(path))

    return make


def asked(sandbox, tmp_path, *, as_root=False):
    return probe(sandbox, tmp_path, [], as_root=as_root)


def test_a_sandbox_that_runs_the_question_works(program, tmp_path):
    assert asked(program("exit 0"), tmp_path) == Answer()


def test_a_program_that_is_not_there_is_named(tmp_path):
    answer = asked(Sandbox(View(), program=str(tmp_path / "missing")), tmp_path)
    assert "missing" in answer.problem


def test_what_the_program_says_is_the_reason(program, tmp_path):
    answer = asked(program("echo 'setting up uid map: denied' >&2; exit 1"), tmp_path)
    assert "setting up uid map: denied" in answer.problem
    assert "AppArmor" in answer.problem
    assert asked(program("exit 3"), tmp_path).problem


OLD = 'case "$*" in *--disable-userns*) echo "Unknown option" >&2; exit 1;; esac'


def test_an_old_program_is_used_for_scripts_that_are_not_roots(program, tmp_path):
    assert asked(program(OLD), tmp_path) == Answer(nested=True)
    assert asked(program(OLD), tmp_path, as_root=True).problem


def test_a_sandbox_that_is_none_does_not_pass(program, tmp_path):
    """It runs the question outside."""
    outside = 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"'
    assert asked(program(outside), tmp_path).problem


def test_an_answer_holds_for_the_same_circumstances_only(program, tmp_path):
    file, sandbox = tmp_path / "cache", program("exit 0")
    key = circumstances(sandbox, [])
    store(file, key, Answer("refused"))
    assert cached(file, key) == Answer("refused")
    assert cached(file, circumstances(sandbox, ["setpriv"])) is None
    assert circumstances(program("exit 1"), []) != key
    file.write_text("[]")
    assert cached(file, key) is None
    store(tmp_path / "missing/cache", key, Answer())
