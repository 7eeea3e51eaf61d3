"""Eight worker processes, few locks, kill -9: each run is executed once, no lock is held twice."""

import pytest

from contention import contend
from patience import PATIENCE_S

RUNS, LOCKS, KILLS = 200, 10, 4


@pytest.mark.timeout(10 * PATIENCE_S)
def test_workers_that_compete_and_die(new_url, tmp_path):
    folder = tmp_path / "contention"
    folder.mkdir()
    contend(folder, new_url, runs=RUNS, locks=LOCKS, kills=KILLS).check(RUNS)
