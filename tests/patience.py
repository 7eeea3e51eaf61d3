"""How long tests wait for something before they fail: measured, because machines differ.

A test that passes doesn't wait this long. Where the event comes late because the machine is slow or
busy, a fixed number of seconds would fail the test for no fault of ours.
"""

import subprocess
import sys
import time

STARTS = 3
UNITS = 600
FLOOR_S = 60.0


def _start_of_an_interpreter():
    """The unit: seconds, the best of a few."""
    times = []
    for _ in range(STARTS):
        began = time.monotonic()
        subprocess.run([sys.executable, "-c", "pass"], check=True)
        times.append(time.monotonic() - began)
    return min(times)


PATIENCE_S = max(FLOOR_S, UNITS * _start_of_an_interpreter())


def wait_for_lost_runs(monkeypatch):
    """On a busy machine, lost runs and their processes take longer to end than engines wait."""
    from runbook.engine.process import survivors
    from runbook.engine.record import side_by_side

    monkeypatch.setattr(survivors, "PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr(side_by_side, "PATIENCE_SECONDS", PATIENCE_S)
