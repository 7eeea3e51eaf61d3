"""Where a document's History begins."""

import pytest

from runbook.core.syntax.markdown import HEAD_LINES, read_head

FENCED = b"```\nhistory\n```\n"


@pytest.mark.parametrize("below", [b"", b"entry\n" * (HEAD_LINES + 1)], ids=["short", "long"])
@pytest.mark.parametrize("candidates", [0, 1, 2])
def test_history_is_found_below_lines_that_resemble_its_heading(below, candidates):
    above = FENCED * candidates
    head = read_head(above + b"# History\n" + below)
    assert head.head_bytes == len(above)
    assert head.history_bytes == len(above) + len(b"# History\n")
    assert not head.too_long


def test_history_is_not_looked_for_beyond_the_limit():
    head = read_head(FENCED + b"text\n" * HEAD_LINES + b"# History\n")
    assert (head.history_bytes, head.too_long) == (None, True)
