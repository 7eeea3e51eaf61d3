import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from netbox.endpoint import NEW_TOKEN, loopback
from netbox.real import OLD_TOKEN
from runbook.connectors import netbox
from runbook.connectors.connection import ConnectionValues
from runbook.connectors.errors import ConnectorError, ErrorCode


@pytest.fixture
def endpoint():
    with loopback() as (found, watched):
        watched.url = found.url
        yield watched


def client(url, token=NEW_TOKEN, *, planning=False, **values):
    given = ConnectionValues("ipam", "netbox", {"url": url, "token": token, **values})
    return netbox.client(given, planning=planning)


@contextmanager
def answering(status, body=b"", **headers):
    """A server that answers everything in this way, or not at all if the status is 0."""
    released = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if status == 0:
                released.wait()
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def failing(call):
    with pytest.raises(ConnectorError) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("token", [NEW_TOKEN, OLD_TOKEN], ids=["version 2", "version 1"])
def test_both_versions_of_tokens_work(endpoint, token):
    result = netbox.check({"url": endpoint.url + "/", "token": token})

    assert (result.ok, result.code, result.version) == (True, None, "4.7.3")


@pytest.mark.parametrize("token", ["f" * 40, "nbt_abcdef123456." + "f" * 40])
def test_a_wrong_token_is_said(endpoint, token):
    result = netbox.check({"url": endpoint.url, "token": token})

    assert (result.ok, result.code) == (False, ErrorCode.AUTH)
    assert token not in result.message


def test_all_pages_are_read(endpoint):
    for number in range(120):
        endpoint.add("ipam/vlans", vid=number + 1, name=f"v{number}")

    assert len(list(client(endpoint.url).ipam.vlans.all())) == 120


def test_what_does_not_exist_is_none_and_changing_it_an_error(endpoint):
    nb = client(endpoint.url)
    vlan = nb.ipam.vlans.get(endpoint.add("ipam/vlans", vid=1, name="x"))
    endpoint.database.delete("ipam/vlans", vlan.id)

    assert nb.ipam.vlans.get(999) is None
    assert failing(vlan.delete).code is ErrorCode.NOT_FOUND


def test_a_refusal_has_the_fields_and_changes_nothing(endpoint):
    error = failing(lambda: client(endpoint.url).ipam.vlans.create(vid=5000, name=""))

    assert (error.code, error.nothing_changed) == (ErrorCode.INVALID, True)
    assert error.fields.keys() == {"vid", "name"}
    assert "vid: Ensure this value is less than or equal to 4094." in error.message


def test_a_full_prefix_is_full_and_an_object_in_use_a_conflict(endpoint):
    site = endpoint.add("dcim/sites", name="A", slug="a")
    endpoint.add("ipam/vlans", vid=1, name="x", site=site)
    endpoint.add("ipam/prefixes", prefix="192.0.2.0/32")
    nb = client(endpoint.url)
    prefix = nb.ipam.prefixes.get(prefix="192.0.2.0/32")
    prefix.available_ips.create({})

    assert failing(lambda: prefix.available_ips.create({})).code is ErrorCode.FULL
    assert failing(nb.dcim.sites.get(site).delete).code is ErrorCode.CONFLICT


@pytest.mark.parametrize(
    ("status", "body", "code", "nothing_changed", "answered"),
    [
        (401, b"{}", ErrorCode.AUTH, True, True),
        (403, b'{"detail": "You do not have permission"}', ErrorCode.REFUSED, True, True),
        (500, b"<html>", ErrorCode.SERVER, False, True),
        (429, b"", ErrorCode.SERVER, True, True),
        *((status, b"", ErrorCode.SERVER, False, False) for status in (408, 499, 503, 520, 527)),
    ],
)
def test_a_status_has_its_code(status, body, code, nothing_changed, answered):
    with answering(status, body) as url:
        error = failing(lambda: client(url).ipam.vlans.create(vid=1, name="x"))

    assert (error.code, error.nothing_changed) == (code, nothing_changed)
    assert error.answered == answered


def test_an_answer_that_is_late_may_have_changed_something():
    with answering(0) as url:
        error = failing(lambda: client(url, timeout=0.2).ipam.vlans.create(vid=1, name="x"))

    assert (error.code, error.answered) == (ErrorCode.TIMEOUT, False)


def test_a_server_that_is_not_there_has_changed_nothing():
    with answering(200) as url:
        pass
    error = failing(lambda: client(url).ipam.vlans.create(vid=1, name="x"))

    assert (error.code, error.nothing_changed) == (ErrorCode.UNREACHABLE, True)


def test_a_redirect_of_a_change_is_refused():
    with answering(301, Location="https://netbox.example.com/") as url:
        error = failing(lambda: client(url).ipam.vlans.create(vid=1, name="x"))

    assert error.code is ErrorCode.INVALID
    assert "https://netbox.example.com/" in error.message


def test_a_page_that_is_not_of_netbox_is_said():
    with answering(200, b"<html>Welcome</html>") as url:
        result = netbox.check({"url": url, "token": NEW_TOKEN})

    assert (result.ok, result.code) == (False, ErrorCode.SERVER)


def test_a_bad_authority_is_said():
    result = netbox.check({"url": "https://127.0.0.1:1", "token": NEW_TOKEN, "ca": "nonsense"})

    assert (result.ok, result.code) == (False, ErrorCode.INVALID)


@pytest.mark.parametrize(
    ("version", "supported"),
    [("4.2.0", True), ("4.10.1-Docker-3.1", True), ("5.0", True), ("4.1.9", False), ("", False)],
)
def test_versions(version, supported):
    assert netbox.is_supported(version) is supported


def test_a_connection_of_another_kind_is_refused():
    given = ConnectionValues("pve", "proxmox", {})

    assert failing(lambda: netbox.client(given, planning=False)).code is ErrorCode.INVALID


@pytest.fixture
def planned(monkeypatch):
    lines = []
    monkeypatch.setattr("runbook.connectors.netbox_session.plan_change", lines.append)
    return lines


def test_a_dry_run_sends_no_change_and_plans_each(endpoint, planned):
    endpoint.add("ipam/prefixes", prefix="192.0.2.0/29")
    vlan = endpoint.add("ipam/vlans", vid=1, name="office")
    nb = client(endpoint.url, planning=True)

    prefix = nb.ipam.prefixes.get(prefix="192.0.2.0/29")
    nb.ipam.ip_addresses.create(address="192.0.2.1/29", status="reserved")
    address = prefix.available_ips.create({"description": "web"})
    nb.ipam.vlans.get(vlan).update({"name": "lab"})
    nb.ipam.vlans.get(vlan).delete()

    assert address.address == "192.0.2.2/29"
    assert {one.method for one in endpoint.requests} == {"GET"}
    assert planned == [
        "create IP address 192.0.2.1/29 in ipam (status reserved)",
        "create IP address 192.0.2.2/29 in ipam (description web)",
        "change VLAN office in ipam (name lab)",
        "delete VLAN office from ipam",
    ]


def test_a_dry_run_says_if_a_prefix_is_full(endpoint, planned):
    endpoint.add("ipam/prefixes", prefix="192.0.2.0/32")
    nb = client(endpoint.url, planning=True)
    prefix = nb.ipam.prefixes.get(prefix="192.0.2.0/32")
    prefix.available_ips.create({})

    assert failing(lambda: prefix.available_ips.create({})).code is ErrorCode.FULL
    assert len(planned) == 1


def test_what_is_sent_is_json(endpoint):
    client(endpoint.url).ipam.vlans.create(vid=7, name="Zürich")

    (sent,) = endpoint.changing
    assert json.loads(sent.body) == {"vid": 7, "name": "Zürich"}
