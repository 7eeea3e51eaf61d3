"""The thread that all routers of a process share."""

import threading

from runbook.lab.routeros.net.hub import Hub


def test_a_timer_that_is_due_in_years_holds_up_nothing():
    hub = Hub()
    hub.later(80 * 365 * 86_400, lambda: None)
    for _ in range(2):  # after the first, only the other one is left to wait for
        fired = threading.Event()
        hub.later(0, fired.set)
        assert fired.wait(30)
