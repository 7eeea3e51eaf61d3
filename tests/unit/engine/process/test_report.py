"""What the first process of a sandbox reports, whichever shell it is."""

import os

import pytest

from runbook.engine.process.report import MOST_BYTES, Report


@pytest.fixture
def report():
    made = []

    def make(text, *, ended=True):
        reading, writing = os.pipe()
        _, control = os.pipe()
        os.write(writing, text.encode())
        made.append(Report(reading, control))
        if ended:
            os.close(writing)
        made[-1].read()
        return made[-1]

    yield make
    for one in made:
        one.close()
        one.close()


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("exit 0\n", 0),
        ("exit 7\n", 7),
        ("Killed\nexit 137\n", -9),
        ('sh: line 9:    2 Killed    ( exec "$@" )\nexit 137\n', -9),
        ("exit 137\n", 137),
        ("exit 141\n", 141),
        ("exit 130\n", -2),
        ("exit 143\n", -15),
        ("exit 255\n", 255),
        ("", None),
    ],
)
def test_a_signal_is_told_from_an_exit(report, said, code):
    assert report(f"up\n{said}").return_code == code


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("up\n", None),
        ("up\nexit 127\n", None),
        ("up\nsh: 9: /x: not found\nexit 127\n", "sh: 9: /x: not found"),
        ("bwrap: No permissions\n", "bwrap: No permissions"),
        ("", "the sandbox could not be set up"),
    ],
)
def test_a_script_that_was_not_started_is_no_failed_script(report, said, problem):
    assert report(said).problem == problem


def test_the_end_is_noticed(report):
    assert report("up\n", ended=False).read()
    assert not report("up\n").read()


def test_a_script_that_gets_hold_of_it_costs_little_memory(report):
    found = report("up\n" + "x" * 3 * MOST_BYTES)
    assert len(found._text) == MOST_BYTES
