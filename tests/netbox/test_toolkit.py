"""The netbox toolkit's runbooks, from the command line to NetBox and back."""

import itertools
import json
import os
import signal

import httpx
import pytest

from netbox.commands import Toolkits, ended
from netbox.conftest import is_real
from netbox.endpoint import loopback
from runbook.connectors.errors import EXIT_CODES, ErrorCode

numbers = itertools.count(1)
ON_LOOPBACK = pytest.mark.skipif(is_real(), reason="looks into the endpoint")


class Site:
    """A NetBox with a network of its own for each test, and the toolkit that works with it."""

    def __init__(self, netbox, folder):
        self.netbox = netbox
        self.toolkits = Toolkits(folder, "netbox")
        self.toolkits.connect("ipam", "netbox", url=netbox.url, token=netbox.token)
        self.number = next(numbers)

    def api(self, method, path, body=None):
        response = httpx.request(
            method,
            f"{self.netbox.url}/api/{path}",
            json=body,
            headers={"Authorization": f"Bearer {self.netbox.token}"},
            timeout=60,
        )
        assert response.is_success, response.text
        return response.json() if response.content else None

    def network(self, size=24, **more):
        prefix = f"10.{100 + self.number}.0.0/{size}"
        return self.api("POST", "ipam/prefixes/", {"prefix": prefix, **more})["prefix"]

    def network6(self):
        prefix = f"2001:db8:{self.number}::/64"
        return self.api("POST", "ipam/prefixes/", {"prefix": prefix})["prefix"]

    def addresses(self, prefix):
        """The last byte and the status of each address."""
        found = self.api("GET", f"ipam/ip-addresses/?parent={prefix}&limit=0")["results"]
        return {one["address"].partition("/")[0]: one["status"]["value"] for one in found}

    def start(self, name, *options, **inputs):
        return self.toolkits.start_execute(f"netbox/{name}.md", *options, NETBOX="ipam", **inputs)

    def execute(self, name, *options, **inputs):
        return ended(self.start(name, *options, **inputs))

    def allocate(self, prefix, *options, **inputs):
        return self.execute("AllocateIp", *options, PREFIX=prefix, **inputs)


@pytest.fixture
def site(netbox, tmp_path):
    return Site(netbox, tmp_path)


@pytest.fixture
def watched(tmp_path):
    """The site and its endpoint, in this process."""
    with loopback() as (netbox, endpoint):
        yield Site(netbox, tmp_path), endpoint


def host(prefix, number):
    return prefix.replace("0/24", str(number)).replace("0/30", str(number))


def test_the_gateway_is_reserved_once_and_then_the_next_address_allocated(site):
    prefix = site.network()

    first = site.allocate(prefix, DNS_NAME="web-1.example.com", DESCRIPTION="Web")
    second = site.allocate(prefix)

    assert (first.code, second.code) == (0, 0), first.text + second.text
    assert first.outputs["ADDRESS"] == f"{host(prefix, 2)}/24"
    assert first.outputs["GATEWAY"] == host(prefix, 1)
    assert second.outputs["IP"] == host(prefix, 3)
    assert site.addresses(prefix) == {
        host(prefix, 1): "reserved",
        host(prefix, 2): "active",
        host(prefix, 3): "active",
    }


def test_the_gateway_is_the_one_of_the_custom_field(site):
    if not site.api("GET", "extras/custom-fields/?name=gateway")["count"]:
        field = {"name": "gateway", "type": "text", "object_types": ["ipam.prefix"]}
        site.api("POST", "extras/custom-fields/", field)
    gateway = f"10.{100 + site.number}.0.254"
    prefix = site.network(custom_fields={"gateway": gateway})

    done = site.allocate(prefix)

    assert (done.outputs["IP"], done.outputs["GATEWAY"]) == (host(prefix, 1), gateway)
    assert site.addresses(prefix)[gateway] == "reserved"


def test_a_pool_gives_all_its_addresses_and_then_is_full(site):
    prefix = site.network(30, is_pool=True)

    given = [site.allocate(prefix).outputs["IP"] for _ in range(4)]
    full = site.allocate(prefix)

    assert given == [host(prefix, number) for number in range(4)]
    assert full.code == EXIT_CODES[ErrorCode.FULL]
    assert len(site.addresses(prefix)) == 4


def test_an_ipv6_prefix_has_its_gateway_and_addresses(site):
    prefix = site.network6()

    done = site.allocate(prefix)

    start = prefix.removesuffix("/64")
    assert (done.outputs["IP"], done.outputs["GATEWAY"]) == (f"{start}2", f"{start}1")


def test_a_chosen_address_is_allocated_or_refused_with_netbox_words(site):
    prefix = site.network()

    done = site.allocate(prefix, ADDRESS=host(prefix, 77))
    again = site.allocate(prefix, ADDRESS=host(prefix, 77))
    outside = site.allocate(prefix, ADDRESS="192.0.2.1")

    assert done.outputs["ADDRESS"] == f"{host(prefix, 77)}/24"
    assert again.code == outside.code == EXIT_CODES[ErrorCode.INVALID]
    assert "Duplicate IP address" in again.text
    assert list(site.addresses(prefix)) == [host(prefix, 1), host(prefix, 77)]


def test_undo_releases_what_was_allocated_and_only_that(site):
    prefix = site.network()
    first = site.allocate(prefix)
    second = site.allocate(prefix)

    assert site.toolkits.rerun("undo", first.run).code == 0
    # The gateway stays, because the second address relies on it.
    assert list(site.addresses(prefix)) == [host(prefix, 1), host(prefix, 3)]

    assert site.toolkits.rerun("undo", second.run).code == 0
    assert list(site.addresses(prefix)) == [host(prefix, 1)]


def test_undo_of_a_single_allocation_leaves_nothing(site):
    prefix = site.network()
    done = site.allocate(prefix)

    assert site.toolkits.rerun("undo", done.run).code == 0
    assert site.addresses(prefix) == {}


def test_undo_leaves_an_address_that_someone_has_taken_over(site):
    prefix = site.network()
    done = site.allocate(prefix)
    site.api("PATCH", f"ipam/ip-addresses/{done.outputs['ADDRESS_ID']}/", {"description": "Mine"})

    undone = site.toolkits.rerun("undo", done.run)

    assert undone.code == EXIT_CODES[ErrorCode.CONFLICT]
    assert host(prefix, 2) in site.addresses(prefix)


def test_a_released_address_can_be_allocated_again_as_it_was(site):
    prefix = site.network()
    site.allocate(prefix, DNS_NAME="web-1.example.com", DESCRIPTION="Web")
    before = site.addresses(prefix)

    released = site.execute("ReleaseIp", PREFIX=prefix, ADDRESS=host(prefix, 2))
    assert json.loads(released.outputs["RELEASED"]) == [f"{host(prefix, 2)}/24"]
    assert host(prefix, 2) not in site.addresses(prefix)

    assert site.toolkits.rerun("undo", released.run).code == 0
    assert site.addresses(prefix) == before


def test_several_runs_at_once_get_different_addresses(site):
    prefix = site.network()
    started = [site.start("AllocateIp", PREFIX=prefix) for _ in range(4)]

    given = {ended(process).outputs["IP"] for process in started}

    assert given == {host(prefix, number) for number in (2, 3, 4, 5)}
    assert len(site.addresses(prefix)) == 5


def test_a_machine_is_recorded_with_its_addresses_and_removed_without_them(site):
    prefix = site.network()
    kind = {"name": f"Kind {site.number}", "slug": f"kind-{site.number}"}
    type_ = site.api("POST", "virtualization/cluster-types/", kind)["id"]
    cluster = f"cluster-{site.number}"
    site.api("POST", "virtualization/clusters/", {"name": cluster, "type": type_})
    number = int(site.allocate(prefix).outputs["ADDRESS_ID"])
    interfaces = json.dumps({"eth0": [number]})

    recorded = site.execute(
        "RecordMachine", NAME=f"web-{site.number}", CLUSTER=cluster, INTERFACES=interfaces
    )
    machines = f"virtualization/virtual-machines/?name=web-{site.number}"
    (machine,) = site.api("GET", machines)["results"]
    undone = site.toolkits.rerun("undo", recorded.run)

    assert (recorded.code, undone.code) == (0, 0), recorded.text + undone.text
    assert machine["primary_ip4"]["id"] == number
    assert site.api("GET", machines)["count"] == 0
    assert site.api("GET", f"ipam/ip-addresses/{number}/")["assigned_object"] is None


LISTS = ["Prefixes", "FreeAddresses", "Addresses"]
MORE_LISTS = ["Vlans", "Devices", "Machines", "Clusters"] if is_real() else []
"""They only differ in what they ask for; the lint of all runbooks is elsewhere."""


@pytest.mark.parametrize("name", [*LISTS, *MORE_LISTS])
def test_lists_are_choices(site, name):
    prefix = site.network()
    site.api("POST", "ipam/ip-addresses/", {"address": f"{host(prefix, 9)}/24"})
    inputs = {"PREFIX": prefix} if name in ("FreeAddresses", "Addresses") else {}

    done = site.execute(name, **inputs)

    assert done.code == 0, done.text
    values = [one["value"] for one in json.loads(done.printed)]
    expected = {
        "Prefixes": prefix,
        "FreeAddresses": host(prefix, 2),
        "Addresses": f"{host(prefix, 9)}/24",
    }
    if name in expected:
        assert expected[name] in values


def test_the_status_counts_objects(site):
    site.network()
    done = site.execute("Status")

    assert json.loads(done.outputs["COUNTS"])["Prefixes"] >= 1
    assert done.outputs["VERSION"].startswith("4.")


@ON_LOOPBACK
def test_a_dry_run_plans_what_a_run_does_and_sends_no_change(watched):
    site, endpoint = watched
    prefix = site.network()
    endpoint.requests.clear()

    planned = site.allocate(prefix, "--dry-run", DNS_NAME="web-1.example.com")
    assert endpoint.changing == []
    done = site.allocate(prefix, DNS_NAME="web-1.example.com")

    assert done.code == 0
    made = [json.loads(one.body) for one in endpoint.changing]
    assert [one.get("dns_name") for one in made] == [None, "web-1.example.com"]
    assert len(planned.plan) == len(made)
    for line, address in zip(planned.plan, endpoint.addresses(), strict=True):
        assert address in line


class Killer:
    """Kills a run with all its processes when NetBox has made a change, before it answers."""

    def __init__(self, endpoint, path):
        self.process = None
        endpoint.after = self._see
        self._path = path

    def _see(self, request, answer):
        if request.method == "POST" and self._path in request.path and self.process:
            process, self.process = self.process, None
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@ON_LOOPBACK
@pytest.mark.parametrize(
    ("how", "path"),
    [
        ("undo", "ipam/ip-addresses/"),
        ("undo", "available-ips/"),
        ("retry", "available-ips/"),
        ("resume", "ipam/ip-addresses/"),
    ],
)
def test_what_a_killed_run_has_made_is_found_again(watched, how, path):
    site, endpoint = watched
    prefix = site.network()
    killer = Killer(endpoint, path)

    killer.process = process = site.start("AllocateIp", PREFIX=prefix)
    process.communicate()
    (lost,) = site.toolkits.runs()
    after = site.toolkits.rerun(how, lost["id"])

    assert after.code == 0, after.text
    hosts = [] if how == "undo" else [1, 2]
    assert list(endpoint.addresses()) == [f"{host(prefix, number)}/24" for number in hosts]


@ON_LOOPBACK
def test_no_secret_is_in_the_output_of_a_run(watched):
    site, _ = watched
    site.toolkits.connect("ipam", "netbox", url=site.netbox.url, token="w" * 40)

    done = site.execute("Status")

    assert done.code == EXIT_CODES[ErrorCode.AUTH]
    assert "w" * 40 not in done.text + done.stderr
