"""Host keys and addresses as text."""

import pytest

from runbook.core.ssh.host_key import (
    HostAddress,
    ShownKey,
    address_of,
    read_address,
    read_public_key,
)

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFTZyuhtxKZH1XJLSGl7mLm0QuPUbiOsXHsWPGi0QPFO"
FINGERPRINT = "SHA256:bqN27Pze5vxd3eDb3MhKMPsXgsMDYy+tQ8kOPFT7Ecc"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Router.example:22", HostAddress("router.example", 22)),
        ("[2001:db8::1]:2222", HostAddress("2001:db8::1", 2222)),
        ("router", None),
        ("router:0", None),
        ("two words:22", None),
        (":22", None),
    ],
)
def test_an_address_is_read(text, address):
    assert read_address(text) == address
    if address is not None:
        assert read_address(str(address)) == address


@pytest.mark.parametrize("port", [True, 0, 65536, "22", None])
def test_a_port_is_a_number(port):
    assert address_of("router", port) is None


def test_a_key_is_read_without_its_comment():
    key = read_public_key(f"{ED25519} root@router\n")
    assert (str(key), key.fingerprint) == (ED25519, FINGERPRINT)


def test_a_shown_key_is_compared_with_the_one_before():
    key, address = read_public_key(ED25519), HostAddress("router", 22)
    assert not ShownKey(address, key, key).is_changed
    first = ShownKey(address, key, None)
    assert first.is_changed
    details = {"address": "router:22", "before": None, "after": FINGERPRINT}
    assert first.as_details() == details
    assert ShownKey(address, key, key).as_details() == {**details, "before": FINGERPRINT}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 not/base64!",
        ED25519.replace("ssh-ed25519", "ssh-rsa"),
        "ssh-ed25519 " + "A" * 4000,
        None,
    ],
)
def test_what_is_no_key_is_none(text):
    assert read_public_key(text) is None
