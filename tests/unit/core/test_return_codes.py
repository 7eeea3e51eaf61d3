"""The return codes of the engine are those of the table in docs/runs.md."""

import re
from pathlib import Path

import pytest

from runbook.core import return_codes

TEXT = (Path(__file__).parents[3] / "docs/runs.md").read_text()
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", TEXT.split("## Return codes")[1], re.MULTILINE))


@pytest.mark.parametrize(
    ("status", "codes"),
    [
        ("failed", {return_codes.FAILED}),
        ("timed_out", {return_codes.TIMED_OUT}),
        ("cancelled", {return_codes.CANCELLED}),
        ("interrupted", {return_codes.UNKNOWN}),
        ("lost", {return_codes.UNKNOWN}),
        ("refused", {return_codes.REFUSED, return_codes.QUEUE_FULL}),
        ("invalid", {return_codes.INVALID}),
    ],
)
def test_the_engines_codes_are_documented(status, codes):
    assert {int(code) for code in re.findall(r"-?\b\d+\b", ROWS[status])} == codes
