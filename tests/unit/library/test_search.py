import pytest

from runbook.library.search import Match, Needle


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


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_first_line_that_holds_the_text_is_shown(end):
    data = end.join(["one", "  Zwei GRÖSSEN ", "größe"]).encode()
    assert Needle("größe").first_line(data) == Match(2, "Zwei GRÖSSEN")
    assert Needle("three").first_line(data) is None
    assert Needle(f"one{end}").first_line(data) is None


@pytest.mark.parametrize("before", [0, 30, 150, 190, 400])
def test_of_a_long_line_200_characters_around_the_text_are_shown(before):
    line = "a" * before + "Needle" + "b" * 300
    match = Needle("needle").first_line(line.encode())
    assert "Needle" in match.text
    assert len(match.text) == 200


def test_a_line_that_is_longer_when_folded_is_shown_too():
    match = Needle("needle").first_line(("ß" * 600 + "needle").encode())
    assert len(match.text) == 200
