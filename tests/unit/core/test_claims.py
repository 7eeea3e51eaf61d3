import pytest

from runbook.core.claims import roles_of
from runbook.core.run import Origin, Requester


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        ({}, ()),
        ({"roles": " sre, ,dev "}, ("sre", "dev")),
        ({"roles": ["sre ", 7]}, ("sre",)),
        ({"roles": {"sre": True}}, ()),
    ],
)
def test_the_roles_that_grant_something_are_those_recorded_with_a_run(claims, roles):
    assert roles_of(claims) == Requester("ann", Origin.API, claims).roles == roles
