"""The rules of the netbox toolkit's own modules."""

import sys
from ipaddress import ip_address, ip_interface
from pathlib import Path
from types import SimpleNamespace

import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode

LIBRARY = Path(__file__).parents[2] / "runbooks" / "netbox" / "lib"


@pytest.fixture(autouse=True)
def library(monkeypatch):
    monkeypatch.syspath_prepend(LIBRARY)
    yield
    for name in [name for name in sys.modules if name.startswith("netbox_toolkit")]:
        del sys.modules[name]


def prefix(network, *, pool=False, **fields):
    return SimpleNamespace(prefix=network, is_pool=pool, custom_fields=fields, vrf=None)


@pytest.mark.parametrize(
    ("network", "gateway"),
    [
        (prefix("10.0.0.0/24"), "10.0.0.1"),
        (prefix("10.0.0.0/16"), "10.0.0.1"),
        (prefix("10.0.0.4/30"), "10.0.0.5"),
        (prefix("10.0.0.4/31"), "10.0.0.4"),
        (prefix("10.0.0.4/32"), None),
        (prefix("10.0.0.0/24", pool=True), None),
        (prefix("2001:db8::/64"), "2001:db8::1"),
        (prefix("2001:db8::/127"), "2001:db8::"),
        (prefix("2001:db8::1/128"), None),
        (prefix("10.0.0.0/24", gateway="10.0.0.254"), "10.0.0.254"),
        (prefix("10.0.0.0/24", gateway=None, gw="10.0.0.254/24"), "10.0.0.254"),
        (prefix("10.0.0.0/24", default_gateway={"address": "10.0.0.7/24"}), "10.0.0.7"),
        (prefix("10.0.0.0/24", pool=True, gateway="10.0.0.254"), "10.0.0.254"),
    ],
)
def test_the_gateway_of_a_prefix(network, gateway):
    from netbox_toolkit import addresses

    assert addresses.gateway_of(network) == (ip_address(gateway) if gateway else None)


@pytest.mark.parametrize("value", ["nonsense", "2001:db8::1", {"id": 1}])
def test_a_gateway_that_makes_no_sense_is_refused(value):
    from netbox_toolkit import addresses

    with pytest.raises(ConnectorError) as caught:
        addresses.gateway_of(prefix("10.0.0.0/24", gateway=value))
    assert caught.value.code is ErrorCode.INVALID


@pytest.mark.parametrize(
    ("fields", "servers"),
    [
        ({}, ()),
        ({"dns_servers": "192.0.2.1, 192.0.2.2"}, ("192.0.2.1", "192.0.2.2")),
        ({"nameservers": ["192.0.2.1"]}, ("192.0.2.1",)),
    ],
)
def test_the_name_servers_of_a_prefix(fields, servers):
    from netbox_toolkit import addresses

    assert addresses.nameservers_of(prefix("10.0.0.0/24", **fields)) == servers


def test_a_long_description_keeps_its_mark():
    from netbox_toolkit import addresses

    text = addresses.marked_text("x" * 300, "0c5a4f2b8d31")

    assert len(text) == 200
    assert addresses.is_marked(SimpleNamespace(description=text), "0c5a4f2b8d31")
    assert not addresses.is_marked(SimpleNamespace(description=text), "0c5a4f2b8d3")


WALK = r"""
.1.3.6.1.2.1.1.1.0 = STRING: "Router
with two lines"
.1.3.6.1.2.1.1.5.0 = STRING: "router \"one\""
.1.3.6.1.2.1.2.2.1.2.1 = STRING: "lo"
.1.3.6.1.2.1.2.2.1.2.4 = STRING: "Ethernet4"
.1.3.6.1.2.1.2.2.1.4.4 = INTEGER: 1400
.1.3.6.1.2.1.2.2.1.7.1 = INTEGER: 1
.1.3.6.1.2.1.2.2.1.7.4 = INTEGER: 2
.1.3.6.1.2.1.31.1.1.1.1.4 = STRING: "eth4"
.1.3.6.1.2.1.31.1.1.1.18.4 = STRING: "uplink"
.1.3.6.1.2.1.4.20.1.2.127.0.0.1 = INTEGER: 1
.1.3.6.1.2.1.4.20.1.2.192.0.2.2 = INTEGER: 4
.1.3.6.1.2.1.4.20.1.3.127.0.0.1 = IpAddress: 255.0.0.0
.1.3.6.1.2.1.4.20.1.3.192.0.2.2 = IpAddress: 255.255.255.0
.1.3.6.1.2.1.4.34.1.3.1.4.192.0.2.255 = INTEGER: 4
.1.3.6.1.2.1.4.34.1.3.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2 = INTEGER: 4
.1.3.6.1.2.1.4.34.1.3.2.16.254.128.0.0.0.0.0.0.0.252.0.255.254.0.0.1 = INTEGER: 4
.1.3.6.1.2.1.4.34.1.4.1.4.192.0.2.255 = INTEGER: 3
.1.3.6.1.2.1.4.34.1.5.1.4.192.0.2.255 = OID: .1.3.6.1.2.1.4.32.1.5.4.1.4.192.0.2.0.24
.1.3.6.1.2.1.4.34.1.5.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.2 = OID: .1.3.6.1.2.1.4.32.1.5.4.2.16.32.1.13.184.0.0.0.0.0.0.0.0.0.0.0.0.64
.1.3.6.1.2.1.4.34.1.5.2.16.254.128.0.0.0.0.0.0.0.252.0.255.254.0.0.1 = OID: .1.3.6.1.2.1.4.32.1.5.4.2.16.254.128.0.0.0.0.0.0.0.0.0.0.0.0.0.0.64
.1.3.6.1.2.1.47.1.1.1.1.11.1 = ""
.1.3.6.1.2.1.47.1.1.1.1.11.2 = STRING: "SN-1"
.1.3.6.1.2.1.17.7.1.4.3.1.1.20 = STRING: "servers"
.1.3.6.1.2.1.99 = No Such Object available on this agent at this OID
"""  # noqa: E501 - as the program prints it


def test_a_device_by_snmp():
    from netbox_toolkit import snmp

    device = snmp.read_device(snmp.read_values(WALK))

    assert (device.name, device.serial) == ('router "one"', "SN-1")
    assert device.description == "Router\nwith two lines"
    assert device.vlans == {20: "servers"}
    loopback, uplink = device.interfaces
    assert (loopback.name, loopback.addresses) == ("lo", [])
    assert (uplink.name, uplink.alias, uplink.mtu, uplink.enabled) == (
        "eth4",
        "uplink",
        1400,
        False,
    )
    assert uplink.addresses == [ip_interface("192.0.2.2/24"), ip_interface("2001:db8::2/64")]


def test_a_device_that_says_nothing():
    from netbox_toolkit import snmp

    assert snmp.read_device(snmp.read_values("Timeout")).interfaces == ()


def device(name, **more):
    named = SimpleNamespace
    return named(
        id=7, name=name, primary_ip="192.0.2.1/24", site=named(slug="fra"), serial=None,
        role=named(slug="router"), tags=[named(slug="core")],
        device_type=named(manufacturer="MikroTik", model="CCR2004"),
    ) if not more else named(**(vars(device(name)) | more))  # fmt: skip


def test_the_devices_for_the_inventory(capsys):
    from netbox_toolkit import inventory

    devices = [
        device("Edge 1"),
        device("edge-1"),
        device(None),
        device("_x", primary_ip=None, role=None),
    ]
    found = inventory.named(devices, connection="routers")
    assert found["edge-1"] == {
        "address": "192.0.2.1", "vendor": "MikroTik", "model": "CCR2004", "site": "fra",
        "role": "router", "tags": ["core"], "facts": {"netbox_id": 7, "serial": ""},
        "connection": "routers",
    }  # fmt: skip
    assert (list(found), found["x"]["role"]) == (["edge-1", "x"], "")
    assert "address" not in found["x"]  # it keeps the one that the inventory has
    assert len(capsys.readouterr().err.splitlines()) == 2
    assert "connection" not in inventory.named([device("a")])["a"]
