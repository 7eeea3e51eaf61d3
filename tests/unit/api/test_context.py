import pytest
from flask import Flask, request

from runbook.api.context import CORRELATION_ID, client_address


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "address"),
    [
        ("203.0.113.9", "198.51.100.1", (), "203.0.113.9"),
        ("203.0.113.9", "198.51.100.1", ("10.0.0.0/8",), "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", ("10.0.0.0/8",), "198.51.100.1"),
        ("10.0.0.1", "6.6.6.6, 198.51.100.1", ("10.0.0.0/8",), "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, 10.0.0.2", ("10.0.0.0/8",), "198.51.100.1"),
        ("10.0.0.1", "198.51.100.1, rubbish", ("10.0.0.0/8",), "10.0.0.1"),
        ("10.0.0.1", "", ("10.0.0.1",), "10.0.0.1"),
        ("::1", "2001:db8::5", ("::1",), "2001:db8::5"),
    ],
)
def test_only_a_trusted_proxy_may_name_the_client(peer, forwarded, trusted, address):
    headers = {"X-Forwarded-For": forwarded}
    environ = {"REMOTE_ADDR": peer}
    with Flask("test").test_request_context(headers=headers, environ_base=environ):
        assert client_address(request, trusted) == address


@pytest.mark.parametrize("text", ["a", "A.b_c:d-1", "x" * 128])
def test_correlation_ids_that_are_taken_over(text):
    assert CORRELATION_ID.fullmatch(text)


@pytest.mark.parametrize("text", ["", "x" * 129, "a b", "a\n", "é", "a/b"])
def test_correlation_ids_that_are_replaced(text):
    assert not CORRELATION_ID.fullmatch(text)
