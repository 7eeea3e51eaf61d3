"""A NetBox for the tests: the endpoint of the lab, or a real one for `make test-netbox`."""

import os

import pytest

from netbox.endpoint import loopback
from netbox.real import NotAvailableError, running


def is_real():
    return os.environ.get("TEST_NETBOX") == "real"


@pytest.fixture(scope="session")
def real_netbox():
    try:
        with running() as netbox:
            yield netbox
    except NotAvailableError as missing:
        pytest.fail(str(missing), pytrace=False)


@pytest.fixture
def netbox(request):
    """An empty endpoint for each test, or the real NetBox of this run."""
    if is_real():
        yield request.getfixturevalue("real_netbox")
        return
    with loopback() as (netbox, _):
        yield netbox
