"""Where the values of a connection lead, and what they lack."""

import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.ssh.target import Timeouts, route_of
from runbook.core.ssh.host_key import HostAddress

VALUES = {"host": "Server.example", "username": "ann", "password": "secret"}


def test_values_have_defaults():
    route = route_of("lab", VALUES)
    assert (route.target.address, route.jump) == (HostAddress("server.example", 22), None)
    assert (route.timeouts, route.target.pinned) == (Timeouts(10, 30), None)


def test_a_jump_host_comes_first_and_has_the_same_user_by_default():
    route = route_of("lab", {**VALUES, "jump_host": "gate", "jump_password": "word"})
    assert [hop.address.host for hop in route.hops] == ["gate", "server.example"]
    assert (route.jump.login.username, route.jump.login.password) == ("ann", "word")


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"password": ""}, ErrorCode.AUTH),
        ({"jump_host": "gate"}, ErrorCode.AUTH),
        ({"username": ""}, ErrorCode.INVALID),
        ({"host": ""}, ErrorCode.INVALID),
        ({"port": "many"}, ErrorCode.INVALID),
        ({"host_key": "SHA256:abc"}, ErrorCode.INVALID),
    ],
)
def test_what_is_missing_has_a_code(values, code):
    with pytest.raises(ConnectorError) as error:
        route_of("lab", {**VALUES, **values})
    assert (error.value.code, error.value.nothing_changed) == (code, True)


def test_secrets_are_in_no_text():
    assert "secret" not in repr(route_of("lab", VALUES))
