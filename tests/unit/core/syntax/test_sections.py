from __future__ import annotations

import pytest

from runbook.core.syntax.section_names import resembles_claims


@pytest.mark.parametrize(
    "text", ["Required Claim", "R e q u i r e d  Claims!", "**Required** claims"]
)
def test_a_heading_that_a_reader_would_take_for_claims(text):
    assert resembles_claims(text)


@pytest.mark.parametrize("text", ["Script", "Claims", "Required Claims" + " and more" * 30])
def test_other_headings(text):
    assert not resembles_claims(text)
