from runbook.core.times import iso


def test_times_have_milliseconds_and_a_z():
    assert iso(1_769_178_782_123) == "2026-01-23T14:33:02.123Z"
    assert iso(5) == "1970-01-01T00:00:00.005Z"


def test_a_time_beyond_every_calendar_becomes_the_nearest():
    assert iso(2**62) == "9999-12-31T23:59:59.999Z"
    assert iso(-(2**62)).endswith("-01-01T00:00:00.000Z")
