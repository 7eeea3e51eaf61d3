import pytest

from runbook.core.document import FrontMatter
from runbook.core.runbook_filter import ALL_RUNBOOKS, RunbookFilter

FRONT = FrontMatter(("network", "web tier"), "sre team", "Restarts it.")


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        (RunbookFilter(), True),
        (RunbookFilter(tags=("Network",)), True),
        (RunbookFilter(tags=("network", "web tier")), True),
        (RunbookFilter(tags=("network", "db")), False),
        (RunbookFilter(owner="SRE team"), True),
        (RunbookFilter(owner="sre"), False),
    ],
)
def test_runbooks_are_filtered_by_their_front_matter(wanted, fits):
    assert wanted.fits(FRONT) is fits
    assert bool(wanted) is (wanted != ALL_RUNBOOKS)
