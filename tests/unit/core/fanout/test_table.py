"""The devices of a fan-out as CSV."""

from runbook.core.fanout.progress import DeviceState
from runbook.core.fanout.table import write_table
from runbook.core.fanout.views import FanoutDevice


def test_a_table_has_a_heading_and_a_line_per_device():
    ended = FanoutDevice(
        1, 2, "edge-2", DeviceState.FAILED, "r-1", message="=1+1", started_at=0, finished_at=1500
    )
    backwards = FanoutDevice(1, 3, "x", started_at=5, finished_at=1)
    lines = list(write_table([FanoutDevice(1, 1, "edge-1"), ended]))
    assert lines[0].startswith("fanout,device,state,")
    assert lines[1] == "1,edge-1,pending,,,,,,,\r\n"
    assert lines[2] == (
        "1,edge-2,failed,,'=1+1,,1970-01-01T00:00:00.000Z,1970-01-01T00:00:01.500Z,1500,r-1\r\n"
    )
    assert backwards.duration_ms == 0
