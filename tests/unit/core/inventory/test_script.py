"""What scripts report of devices."""

from runbook.core.inventory import script
from runbook.core.inventory.device import Device
from runbook.core.inventory.script import read_reports, script_json


def test_a_script_gets_json():
    device = Device("a", site="s", tags=("core",), last_seen=0, facts={"cpu": 3}, created_at=1)
    known = script_json(device)
    assert (known["name"], known["stored"], known["site"]) == ("a", True, "s")
    assert (known["tags"], known["facts"]) == (["core"], {"cpu": 3})
    assert (known["last_seen"], known["last_poll"]) == ("1970-01-01T00:00:00.000Z", None)
    assert script_json(Device("b"))["stored"] is False


def test_lines_of_a_device_add_up():
    found = read_reports(
        b'{"name": "a", "model": "x"}\n\n{"name": "b"}\n{"name": "a", "site": "s"}'
    )
    assert found.fields == {"a": {"model": "x", "site": "s"}, "b": {}}
    assert found.problem is None


def test_the_rest_of_an_odd_report_counts(monkeypatch):
    found = read_reports(b'nonsense\n{"name": "a"}\n{"site": "s"}\n["a"]\n\xff\n' + b"[" * 100_000)
    assert (dict(found.fields), found.problem.split()[:2]) == ({"a": {}}, ["line", "1"])
    monkeypatch.setattr(script, "MOST_REPORTED", 1)
    found = read_reports(b'{"name": "a"}\n{"name": "b"}\n{"name": "a", "site": "s"}\n')
    assert (dict(found.fields), bool(found.problem)) == ({"a": {"site": "s"}}, True)
    monkeypatch.setattr(script, "REPORT_BYTES", 20)
    found = read_reports(b'{"name": "a"}\n{"name": "b"}\n')
    assert (dict(found.fields), bool(found.problem)) == ({"a": {}}, True)
