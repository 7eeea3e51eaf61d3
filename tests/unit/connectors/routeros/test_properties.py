"""What the names of properties say of their values."""

import pytest

from runbook.connectors.routeros.client import described
from runbook.connectors.routeros.properties import is_secret


@pytest.mark.parametrize(
    "name",
    [
        *("password", "mschapv2-password", "ipsec-secret", "security.passphrase", "key"),
        *("wpa2-pre-shared-key", "private-key", "static-key-0", "tcp-md5-key", "community"),
    ],
)
def test_secrets_are_known_by_their_names_and_planned_without_their_values(name):
    assert is_secret(name)
    assert described("/x/set", (f"={name}=hidden",)) == f"/x/set {name}=***"


@pytest.mark.parametrize("name", ["public-key", "name", "keepalive", "key-size", "secrets-of"])
def test_others_are_shown(name):
    assert not is_secret(name)
