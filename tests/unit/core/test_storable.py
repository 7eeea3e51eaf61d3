import pytest

from runbook.core.storable import is_storable, storable, storable_value


@pytest.mark.parametrize("value", ["", "é😀", ["a", {"b": 1}], None, 5, {"a": ["b", None]}])
def test_what_every_database_takes_stays_as_it_is(value):
    assert is_storable(value)
    assert storable_value(value) == value


@pytest.mark.parametrize("text", ["a\0", "\ud800"])
def test_what_no_database_takes_is_found_and_replaced_at_any_depth(text):
    for value in (text, [text], {text: 1}, {"a": [{"b": (text, 1)}]}):
        assert not is_storable(value)
        assert is_storable(storable_value(value))
    assert "?" in storable(text)
