"""What scripts report of devices."""

from runbook.core.inventory import script
from runbook.core.inventory.script import read_reports


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
