from runbook.core.times import iso


def test_times_have_milliseconds_and_a_z():
    assert iso(1_769_178_782_123) == "2026-01-23T14:33:02.123Z"
    assert iso(5) == "1970-01-01T00:00:00.005Z"
