"""What the command line says to do after an error."""

import pytest

from runbook.cli.commands import hint_for
from runbook.errors import AccessDeniedError


@pytest.mark.parametrize(
    ("missing", "helps"),
    [
        ({"code": "permission", "permission": "audit.read"}, "runbook config"),
        ({"code": "claim", "claim": "roles"}, "runbook who-can"),
    ],
)
def test_a_refusal_names_the_command_that_tells_more(missing, helps):
    assert helps in (hint_for(AccessDeniedError("no", missing=[missing])) or "")
