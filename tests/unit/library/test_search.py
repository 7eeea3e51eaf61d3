import pytest

from runbook.library.search import Needle


@pytest.mark.parametrize(
    ("text", "data", "found"),
    [
        ("scale", "Scale the stack", True),
        ("SCALE", "rescaled", True),
        ("scale", "shrink", False),
        ("größe", "Die GRÖSSE zählt", True),
        ("GRÖẞE", "die größe", True),
        ("É", "café", True),
        ("é", "cafe", False),
        ("50% (all)", "at 50% (All)", True),
    ],
)
def test_case_does_not_matter(text, data, found):
    assert Needle(text).is_in(data.encode()) is found


def test_bytes_that_are_no_text_are_searched_too():
    assert Needle("ok").is_in(b"\xff OK")
    assert not Needle("é").is_in(b"\xff OK")
