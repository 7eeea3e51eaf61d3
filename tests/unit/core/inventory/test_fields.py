"""What a device's fields take, from people, tables and scripts."""

import pytest

from runbook.core.inventory.device import Device, Field
from runbook.core.inventory.fields import changed, check_fields, differing, name_problem

NOW = 1_700_000_000_000


def test_values_become_those_of_a_device():
    found = check_fields(
        "edge-1",
        {
            "connection": "routers",
            "address": " RTR.Example.com ",
            "tags": "edge, core;core",
            "groups": ["b", "a"],
            "last_seen": "2026-01-31T08:00:00Z",
            "last_poll": "now",
            "facts": {"cpu": 3},
            "site": "",
            "role": None,
        },
        NOW,
    )
    assert found.problems == ()
    assert changed(Device("edge-1", site="fra"), found.changes) == Device(
        "edge-1",
        connection="routers",
        address="rtr.example.com",
        tags=("core", "edge"),
        groups=("a", "b"),
        last_seen=1_769_846_400_000,
        last_poll=NOW,
        facts={"cpu": 3},
    )
    assert (
        differing(Device("edge-1", tags=("core", "edge")), {Field.TAGS: ("core", "edge")}) == set()
    )


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("color", "red", "unknown_device_field"),
        ("address", "two words", "bad_device_field"),
        ("address", 5, "bad_device_field"),
        ("address", "https://192.0.2.1/", "bad_device_field"),
        ("address", "-oproxycommand=x", "bad_device_field"),
        ("address", "192.0.2.1;id", "bad_device_field"),
        ("site", "a,b", "bad_device_field"),
        ("vendor", "x" * 201, "bad_device_field"),
        ("model", "two\nlines", "bad_device_field"),
        ("tags", "no spaces here", "bad_device_field"),
        ("tags", [1], "bad_device_field"),
        ("tags", {"a": 1}, "bad_device_field"),
        ("groups", [f"g{n}" for n in range(51)], "bad_device_field"),
        ("last_seen", "yesterday", "bad_device_field"),
        ("last_seen", True, "bad_device_field"),
        ("facts", [], "bad_device_field"),
        ("facts", {"a": "x" * 17_000}, "bad_device_field"),
        ("facts", {"a": float("nan")}, "bad_device_field"),
        ("facts", {"a": "\0"}, "bad_device_field"),
        ("last_seen", "0001-01-01T00:00:00+14:00", "bad_device_field"),
        ("last_seen", "9999-12-31T23:59:59-14:00", "bad_device_field"),
    ],
)
def test_what_does_not_fit_is_named(field, value, code):
    found = check_fields("edge-1", {field: value}, NOW)
    assert [(one.code, one.params["field"]) for one in found.problems] == [(code, field)]
    assert found.changes == {}


def test_times_and_facts_can_be_emptied():
    found = check_fields("edge-1", {"last_seen": "", "last_poll": None, "facts": None}, NOW)
    assert found.changes == {Field.LAST_SEEN: None, Field.LAST_POLL: None, Field.FACTS: {}}
    milliseconds = check_fields("edge-1", {"last_seen": NOW - 1}, NOW)
    assert milliseconds.changes == {Field.LAST_SEEN: NOW - 1}


@pytest.mark.parametrize(
    "address",
    ["192.0.2.1", "2001:db8::1", "::1", "fe80::1%eth0", "rtr_1.example.com", "münchen.de", ""],
)
def test_an_address_is_a_name_or_an_ip_address(address):
    assert check_fields("edge-1", {"address": address}, 0).changes == {Field.ADDRESS: address}


@pytest.mark.parametrize("name", ["", "Edge", "-a", "a b", "a/b", "x" * 64, "a\n"])
def test_a_name_that_a_device_cannot_have(name):
    assert name_problem(name).code == "bad_device_name"
    assert name_problem("edge-1.fra_2") is None
