from runbook.core.recovery.rule import DAY_S, Recovery


def test_the_pause_doubles_up_to_a_day():
    rule = Recovery("A.md", backoff_s=60)
    assert [rule.pause_s(n) for n in (1, 2, 3, 30, 5000)] == [60, 120, 240, DAY_S, DAY_S]
