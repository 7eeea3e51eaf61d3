from __future__ import annotations

import pytest

from runbook.core.syntax.section_names import (
    LONGEST_NEAR_MISS,
    SectionName,
    is_spelled_like,
    meant_section,
    resembled_section,
    resembles_claims,
)


@pytest.mark.parametrize(
    "text", ["Required Claim", "R e q u i r e d  Claims!", "**Required** claims"]
)
def test_a_heading_that_a_reader_would_take_for_claims(text):
    assert resembles_claims(text)


@pytest.mark.parametrize("text", ["Script", "Claims", "Required Claims" + " and more" * 30])
def test_other_headings(text):
    assert not resembles_claims(text)


def test_a_long_text_resembles_no_section():
    """Its letters aren't compared, which would take time."""
    policy, claims = (
        "Policy".ljust(LONGEST_NEAR_MISS, "!"),
        "Claims".ljust(LONGEST_NEAR_MISS, "!"),
    )
    assert resembled_section(policy) is SectionName.POLICY
    assert is_spelled_like(policy, SectionName.POLICY)
    assert meant_section(claims) is SectionName.CLAIMS

    assert resembled_section(policy + "!") is None
    assert not is_spelled_like(policy + "!", SectionName.POLICY)
    assert meant_section(claims + "!") is None
