"""Devices as a principal sees and changes them."""

from runbook.core.inventory.device import ALL_DEVICES
from runbook.core.inventory.views import Imported, NewFields, SeenPage, Wanted


def test_what_is_not_said():
    assert (Wanted().filter, Wanted().usable) == (ALL_DEVICES, False)
    assert NewFields("a", {}).place == {}
    assert Imported([], {}, 0).dry_run is False
    assert SeenPage([]).next_cursor is None
