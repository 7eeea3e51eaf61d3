"""Versions, dates and messages of RouterOS."""

from datetime import datetime

import pytest

from runbook.connectors.errors import ErrorCode
from runbook.connectors.routeros.errors import code_of, console_error, line_of
from runbook.connectors.routeros.versions import (
    Version,
    read_moment,
    read_version,
    write_date,
    write_time,
)


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("7.18.2 (stable)", Version(7, 18, 2)),
        ("7.16rc1 (testing)", Version(7, 16)),
        ("6.49.18 (long-term)", Version(6, 49, 18)),
    ],
)
def test_a_version_is_read(text, version):
    assert read_version(text) == version
    assert read_version(text).at_least(*((7, 16) if version.major == 7 else (6, 49)))
    assert not version.at_least(7, 19)


@pytest.mark.parametrize("date", ["2024-12-31", "dec/31/2024"])
def test_a_date_is_written_as_it_was_read(date):
    moment = read_moment(date, "23:59:30")
    assert moment == datetime(2024, 12, 31, 23, 59, 30)  # noqa: DTZ001 - the router's own time
    assert (write_date(moment, like=date), write_time(moment)) == (date, "23:59:30")
    with pytest.raises(ValueError):
        read_moment("31.12.2024", "23:59:30")


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("invalid user name or password (6)", ErrorCode.AUTH),
        ("not enough permissions (9)", ErrorCode.REFUSED),
        ("failure: not allowed by device-mode", ErrorCode.REFUSED),
        ("no such item", ErrorCode.NOT_FOUND),
        ("failure: already have such address", ErrorCode.CONFLICT),
        ("failure: item with the same name exists", ErrorCode.CONFLICT),
        ("input does not match any value of interface", ErrorCode.INVALID),
        ("syntax error (line 3 column 5)", ErrorCode.INVALID),
        ("failure: can not remove dynamic entry", ErrorCode.DEVICE_ERROR),
    ],
)
def test_a_message_has_a_code(message, code):
    assert code_of(message) is code
    assert console_error(f"some output\n{message}\n") == message


def test_output_that_is_no_error_is_none():
    assert console_error("# no such thing as an error\nadd comment=failure:\n") is None


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("Script Error: expected end of command (line 2 column 5)", 2),
        ("failure: already have such address (/ip/address/add; line 12)", 12),
        ("no such item", None),
    ],
)
def test_the_line_of_a_script_is_found(message, line):
    assert line_of(message) == line
