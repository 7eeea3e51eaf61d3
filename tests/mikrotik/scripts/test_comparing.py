"""What differs between two configurations."""

import pytest

from mikrotik.scripts.bench import RUNBOOKS, forget

BEFORE = """\
# 2026-01-01 10:00:00 by RouterOS 7.18
# software id = ABCD-1234
/ip address
add address=10.0.0.1/24 interface=ether1 network=10.0.0.0
add address=10.0.1.1/24 interface=ether2 network=10.0.1.0
/ip firewall filter
add action=accept chain=input comment=established connection-state=established,related
add action=drop chain=input comment="drop the rest"
/system identity
set name=old
"""


@pytest.fixture
def comparing(monkeypatch):
    monkeypatch.syspath_prepend(RUNBOOKS / "mikrotik" / "lib")
    from mikrotik_toolkit import comparing

    yield comparing
    forget("mikrotik_toolkit")


def counts(found):
    return {
        one.path: (len(one.added), len(one.removed), len(one.changed), one.moved)
        for one in found.menus
    }


def test_the_date_of_an_export_is_no_difference(comparing):
    other = BEFORE.replace("2026-01-01 10:00:00", "jan/02/2026 11:00:00")
    assert not comparing.difference(BEFORE, other)
    assert comparing.difference(BEFORE, other).menus == ()


def test_commands_are_counted_by_menu(comparing):
    after = (
        BEFORE.replace("add address=10.0.1.1/24 interface=ether2 network=10.0.1.0\n", "")
        .replace("name=old", "name=new")
        .replace("connection-state=established,related", "connection-state=established")
        .replace("/system", "add chain=input action=accept comment=ping protocol=icmp\n/system")
    )
    found = comparing.difference(BEFORE, after)
    assert counts(found) == {
        "/ip address": (0, 1, 0, 0),
        "/ip firewall filter": (1, 0, 1, 0),
        "/system identity": (0, 0, 1, 0),
    }
    assert (found.added, found.removed) == (3, 3)
    assert found.unified.splitlines()[:2] == ["--- before", "+++ after"]


def test_rules_in_another_order_are_moved(comparing):
    lines = BEFORE.splitlines()
    lines[6], lines[7] = lines[7], lines[6]
    found = comparing.difference(BEFORE, "\n".join(lines))
    assert counts(found) == {"/ip firewall filter": (0, 0, 0, 1)}


def test_lines_that_are_broken_or_whole_count_as_one_command(comparing):
    after = BEFORE.replace("chain=input comment=est", "chain=input \\\n    comment=est").replace(
        "/system identity\nset name=old", "/system identity set name=old"
    )
    assert counts(comparing.difference(BEFORE, after)) == {}


def test_what_is_shown_is_bounded(comparing):
    added = "".join(f"add address=10.1.{n}.1/24 interface=ether3\n" for n in range(20))
    found = comparing.difference(BEFORE, BEFORE.replace("/ip firewall", f"{added}/ip firewall", 1))
    assert counts(found) == {"/ip address": (20, 0, 0, 0)}
    assert len(comparing.as_lines(found.menus)) == 1 + comparing.MOST_EXAMPLES + 1
