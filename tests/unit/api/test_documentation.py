"""The page of problems that the `type` of every problem links to."""

import re

from runbook.api.documentation import problems
from runbook.errors import HistoryReadOnlyError


def test_the_page_of_problems_has_each_code_once():
    codes = re.findall('id="(\\w+)"', problems().get_data(as_text=True))
    assert HistoryReadOnlyError.code in codes
    assert codes == sorted(set(codes))
