"""One suite for the clients that others wrote for real routers."""

import pytest

from needs import NODE, need
from routeros.clients import CLIENTS, MODULES, PASSWORD, RefusedError
from runbook.lab.routeros.router import Router


@pytest.fixture(scope="module", params=["6.49.10", "7.12", "7.18", "7.20"])
def router(request):
    with Router(request.param, password=PASSWORD, certificate=False) as found:
        yield found


@pytest.fixture(scope="module", params=CLIENTS)
def client(request, router):
    if request.param == "node-routeros":
        need(NODE and (MODULES / "node-routeros").is_dir(), "Node and node-routeros")
    found = CLIENTS[request.param](router)
    yield found
    found.close()


@pytest.fixture(autouse=True)
def as_before(router):
    yield
    router.run("/ip firewall address-list remove [find]")
    router.run("/ip address remove [find interface=ether2]")


def test_rows_are_added_changed_and_removed(client, router):
    added = client.call("/ip/address/add", {"address": "10.0.0.1/24", "interface": "ether2"})
    (which,) = (row["ret"] for row in added)
    client.call("/ip/address/set", {".id": which, "disabled": "yes", "comment": "a=b"})
    (row,) = client.call("/ip/address/print", queries=["interface=ether2"])
    assert (row[".id"], row["network"], row["disabled"]) == (which, "10.0.0.0", "true")
    assert row["comment"] == "a=b"

    client.call("/ip/address/remove", {".id": which})
    if client.knows_empty or not router.release.says_empty:
        assert client.call("/ip/address/print", queries=["interface=ether2"]) == []


def test_queries_combine_and_proplist_selects(client, router):
    for n in range(1, 6):
        words = {"list": "odd" if n % 2 else "even", "address": f"10.0.0.{n}"}
        client.call("/ip/firewall/address-list/add", words)

    def found(*queries):
        words = {".proplist": "address"}
        rows = client.call("/ip/firewall/address-list/print", words, queries)
        assert all(set(row) == {"address"} for row in rows)
        return [row["address"].rpartition(".")[2] for row in rows]

    assert found("list=odd") == ["1", "3", "5"]
    assert found("list=odd", "address=10.0.0.2", "#|") == ["1", "2", "3", "5"]
    assert found("list=odd", "#!") == ["2", "4"]
    assert found("list=odd", ">address=10.0.0.1") == ["3", "5"]
    assert found("list=odd", "<address=10.0.0.3", "#&!") == ["2", "3", "4", "5"]
    assert found("-comment") == ["1", "2", "3", "4", "5"]
    if client.knows_empty or not router.release.says_empty:
        assert found("comment") == []


@pytest.mark.parametrize("size", [1, 127, 128, 16383, 16384, 70000])
def test_words_of_all_lengths_arrive(client, router, size):
    text = "x" * size
    words = {"list": "long", "address": "10.0.0.1", "comment": text}
    client.call("/ip/firewall/address-list/add", words)
    (row,) = client.call("/ip/firewall/address-list/print", queries=["list=long"])
    assert row["comment"] == text


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("/ip/address/add", {"address": "x", "interface": "ether1"}, "invalid value"),
        ("/ip/address/add", {"address": "10.0.0.1/24", "interface": "no"}, "does not match"),
        ("/ip/address/add", {"address": "10.0.0.1/24", "what": "1"}, "unknown parameter"),
        ("/ip/address/add", {"address": "192.168.88.1/24", "interface": "ether1"}, "already have"),
        ("/ip/address/remove", {".id": "*FFFF"}, "no such item"),
        ("/ip/address/nonsense", {}, "no such command"),
        ("/nonsense/print", {}, "no such command"),
    ],
)
def test_errors_are_said_and_the_connection_goes_on(client, router, command, words, said):
    with pytest.raises(RefusedError, match=said):
        client.call(command, words)
    assert client.call("/system/identity/print") == [{"name": "MikroTik"}]


def test_health_is_as_in_the_version(client, router):
    rows = client.call("/system/health/print")
    names = {row["name"] for row in rows} if "name" in rows[0] else set(rows[0])
    assert "cpu-temperature" in names
    assert ("value" in rows[0]) != router.release.is_6


@pytest.mark.parametrize("name", ["librouteros", "routeros-api"])
def test_logging_in_by_challenge(name):
    with Router("6.42.12", password=PASSWORD, certificate=False) as router:
        client = CLIENTS[name](router, challenge=True)
        assert client.call("/system/identity/print") == [{"name": "MikroTik"}]
        client.close()


def test_what_is_missing_is_skipped_but_fails_in_ci(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception):
        need(None, "node-routeros")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception):
        need(None, "node-routeros")
