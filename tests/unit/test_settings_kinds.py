import pytest

from runbook.settings_kinds import Secret, integer, log_level, number, one_of, paths

PORT = integer(low=0, high=65535)
POSITIVE = number(above=0)


@pytest.mark.parametrize(
    ("text", "value"), [("80", 80), (" +7 ", 7), ("1_000", 1000), ("4.00", 4), ("-0", 0)]
)
def test_an_integer_may_be_written_in_these_ways(text, value):
    assert PORT(text) == value


@pytest.mark.parametrize(
    "text", ["4.5", "1e3", "0x1", "_1", "1__0", "٣", "-1", "65536", "9" * 5000]
)
def test_other_integers_are_refused(text):
    with pytest.raises(ValueError, match=r"integer|equal"):
        PORT(text)


@pytest.mark.parametrize(("text", "value"), [("2.5", 2.5), (" 1e3 ", 1000), ("inf", float("inf"))])
def test_a_number_may_be_written_in_these_ways(text, value):
    assert POSITIVE(text) == value


@pytest.mark.parametrize("text", ["0", "-1", "nan", "x", "３", ""])
def test_other_numbers_are_refused(text):
    with pytest.raises(ValueError, match=r"number|greater"):
        POSITIVE(text)


def test_only_the_words_of_a_choice_are_accepted():
    assert one_of("file", "store")("store") == "store"
    with pytest.raises(ValueError, match="'file' or 'store'"):
        one_of("file", "store")("File")
    assert log_level("debug") == "DEBUG"


def test_a_secret_is_not_shown():
    secret = Secret("hunter2")
    assert secret.get_secret_value() == "hunter2"
    assert "hunter2" not in f"{secret} {secret!r}"


def test_paths_are_absolute():
    assert [str(path) for path in paths("/srv/site, /run/docker.sock")] == [
        "/srv/site",
        "/run/docker.sock",
    ]
    with pytest.raises(ValueError, match="absolute"):
        paths("/srv,site")
