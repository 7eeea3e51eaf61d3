"""Eight worker processes, few locks, kill -9: each run is executed once, no lock is held twice."""

import pytest

from contention import contend

RUNS, LOCKS, KILLS = 200, 10, 4


@pytest.mark.timeout(300)
def test_workers_that_compete_and_die(new_url, tmp_path):
    folder = tmp_path / "contention"
    folder.mkdir()
    contend(folder, new_url, runs=RUNS, locks=LOCKS, kills=KILLS).check(RUNS)
