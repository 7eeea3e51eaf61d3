from runbook.core.events import EventType


def test_only_what_the_script_prints_is_output():
    assert {kind for kind in EventType if kind.is_output} == {EventType.STDOUT, EventType.STDERR}
