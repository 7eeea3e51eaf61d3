"""Devices as CSV."""

import pytest

from runbook.core.inventory import table
from runbook.core.inventory.device import Device
from runbook.core.inventory.fields import changed, check_fields
from runbook.core.inventory.table import read_table, write_table

DEVICES = (
    Device("a", "routers", "192.0.2.1", "MikroTik", "=1+1", "7.18", 'fra, 1 "x"'.replace(",", ""),
           tags=("core", "edge"), last_seen=1_769_846_400_123),
    Device("b"),
)  # fmt: skip


def test_what_is_written_is_read_again():
    text = "".join(write_table(DEVICES))
    rows, problems = read_table(text)
    assert problems == []
    assert [
        changed(Device(row.name), check_fields(row.name, row.fields, 0).changes) for row in rows
    ] == [*DEVICES]
    assert [row.line for row in rows] == [2, 3]
    assert "'=1+1" in text  # no spreadsheet computes it


def test_rows_know_their_lines_and_columns():
    rows, problems = read_table('\ufeffName;site\r\n\r\na;"two\nlines"\r\nb;x\r\n')
    assert problems == []
    assert [(row.line, row.name, row.columns["site"]) for row in rows] == [(3, "a", 2), (5, "b", 2)]


def test_a_table_that_is_too_long(monkeypatch):
    monkeypatch.setattr(table, "MOST_ROWS", 1)
    assert [len(each) for each in read_table("name\na\n\n")] == [1, 0]
    rows, (problem,) = read_table("name\na\nb\n")
    assert (rows, problem.code, problem.line) == ([], "bad_device_table", 3)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("", 1, 1),
        ("site,role\n", 1, 1),
        ("name,colour\n", 1, 2),
        ("name,site,site\n", 1, 3),
        ("name,site\na\n", 2, 1),
        ("name,site\na,b\nc,d,e\n", 3, 2),
        ('name,site\na,"b', 2, 1),
        ("name,facts\n", 1, 2),
    ],
)
def test_what_is_wrong_is_named_by_line_and_column(text, line, column):
    rows, (problem, *_) = read_table(text)
    assert (problem.code, problem.line, problem.params["column"]) == (
        "bad_device_table", line, column,
    )  # fmt: skip
