"""The turns that the threads of one process take at a file."""

import threading
from pathlib import Path

import pytest

from runbook.errors import HistoryError
from runbook.library.turns import Turns

PATH = Path("/runbooks/Job.md")


def test_a_turn_that_does_not_come_in_time_is_an_error_and_others_are_not_affected():
    turns = Turns()
    with (
        turns.at(PATH, 1),
        turns.at(PATH.with_name("Other.md"), 1),
        pytest.raises(HistoryError),
        turns.at(PATH, 0.001),
    ):
        pass
    with turns.at(PATH, 0.001):
        pass


def test_one_thread_at_a_time_has_the_turn():
    turns, inside, most = Turns(), [], []

    def work():
        for _ in range(50):
            with turns.at(PATH, 60):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(most), max(most)) == (200, 1)
