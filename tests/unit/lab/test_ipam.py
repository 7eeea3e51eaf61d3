"""What the recorded suite in tests/netbox doesn't show: the lock, tokens, and the sample."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from netbox.endpoint import NEW_TOKEN, loopback
from runbook.lab.ipam.database import Database
from runbook.lab.ipam.sample import fill

HEADERS = {"Authorization": f"Bearer {NEW_TOKEN}"}


@pytest.fixture
def served():
    with (
        loopback() as (netbox, endpoint),
        httpx.Client(base_url=netbox.url, headers=HEADERS, timeout=60) as http,
    ):
        yield http, endpoint


def test_sixteen_at_once_get_sixteen_addresses(served):
    http, endpoint = served
    prefix = endpoint.add("ipam/prefixes", prefix="192.0.2.0/24")
    path = f"/api/ipam/prefixes/{prefix}/available-ips/"

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: http.post(path, json={}), range(16)))

    assert {one.status_code for one in answers} == {201}
    assert len({one.json()["address"] for one in answers}) == 16


def test_a_list_is_created_whole_or_not_at_all(served):
    http, endpoint = served
    path = "/api/ipam/vlans/"

    answer = http.post(path, json=[{"vid": 1, "name": "a"}, {"vid": 9999, "name": "b"}])

    assert answer.status_code == 400
    assert endpoint.database.rows("ipam/vlans") == []


@pytest.mark.parametrize("path", ["/api/ipam/nothing/", "/api/", "/admin"])
def test_unknown_paths_are_not_found(served, path):
    http, _ = served
    assert http.get(path).status_code == 404


def test_a_body_that_is_not_json_is_refused(served):
    http, _ = served
    assert http.post("/api/ipam/vlans/", content=b"{").status_code == 400


def test_the_sample_can_be_allocated_from():
    database = Database()
    fill(database)

    prefixes = {row["prefix"]: row["status"] for row in database.rows("ipam/prefixes")}
    assert {"10.10.20.0/24", "2001:db8:20::/64"} <= prefixes.keys()
    assert database.rows("virtualization/clusters")
