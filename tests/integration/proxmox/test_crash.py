"""The worker is killed at a seeded moment: another attempt leaves what the record says."""

import pytest

from pve_crash import Moment, crash


@pytest.mark.parametrize("seed", [5, 6, 8])
def test_what_exists_is_what_the_record_says(lab, tmp_path, seed):
    assert crash(tmp_path / "place", lab, Moment.of(seed)) == []
