"""What bounds a fan-out."""

import pytest

from runbook.core.fanout.limits import MOST_PARALLEL, Limits, Share


@pytest.mark.parametrize(
    ("text", "total", "number"),
    [("10", 3, 10), ("20%", 50, 10), ("1%", 50, 1), (" 100% ", 7, 7), ("33%", 10, 3)],
)
def test_a_share_is_a_number_or_a_percentage(text, total, number):
    assert Share.read(text).of(total) == number


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-1", "1.5", "ten", "1234567", "5 %"])
def test_what_is_no_share(text):
    with pytest.raises(ValueError, match=r"."):
        Share.read(text)


def test_limits_are_those_of_this_many_devices():
    assert Limits.read(50, "10%", "4%", 2) == Limits(5, 2, 2)
    assert Limits.read(5000, "100%", None, 0) == Limits(MOST_PARALLEL)
    with pytest.raises(ValueError, match="canaries"):
        Limits.read(5, "1", None, -1)
