"""Runs for devices: what scripts get, who may, what is recorded, and what runs report."""

import json

import pytest

from runbook.core.access import Principal
from runbook.core.inventory.views import NewFields
from runbook.core.permissions import ALL_GRANTS, STANDARD_ROLES, RolePermissions
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.connections.connections import NewConnection
from runbook.engine.connections.loose import LooseConnections
from runbook.engine.inventory.reports import DeviceReports
from runbook.store.models import RunFilter

ROUTER = "ROUTER: {type: device, kind: proxmox}"
ANN = Principal("ann", Origin.API, {"roles": ["admin"]}, grants=ALL_GRANTS)
ROLES = RolePermissions.parse(STANDARD_ROLES)
BOB = Principal("bob", Origin.API, {"roles": ["dev"]}, grants=ROLES.grants(["dev"]))
VALUES = {"host": "pve.example.com", "token_id": "root@pam!rb", "token_secret": "s3cret-value"}


@pytest.fixture
def devices(workshop):
    """Three devices of two connections, of which only one is for everybody."""
    connections = workshop.engine.connections
    connections.add(NewConnection("open", "proxmox", VALUES), ANN)
    connections.add(NewConnection("closed", "proxmox", VALUES, {"roles": "admin"}), ANN)
    for name, fields in {
        "edge-1": {"connection": "open", "address": "192.0.2.1", "tags": ["core"], "site": "fra"},
        "edge-2": {"connection": "closed", "groups": "edge", "tags": ["core"]},
        "bare": {"vendor": "MikroTik", "site": "fra"},
    }.items():
        workshop.engine.inventory.put(NewFields(name, fields), ANN, add=True)


def problems(workshop, principal=ANN, **values):
    run = workshop.submit("Reads.md", principal, env_vars=values)
    return [one.code for one in run.result.errors]


def test_the_script_gets_the_connection_at_the_devices_address(workshop, devices):
    workshop.write("Reads", "print $ROUTER; cat $RUNBOOK_CONNECTIONS/ROUTER.json", inputs=ROUTER)
    workshop.register()
    submitted = workshop.submit("Reads.md", BOB, env_vars={"ROUTER": "edge-1"})
    run = workshop.execute()
    assert run.status is RunStatus.SUCCEEDED, workshop.output(run)
    name, text = workshop.output(run).splitlines()
    found = json.loads(text)
    assert (name, found["name"], found["kind"]) == ("edge-1", "open", "proxmox")
    assert (found["values"]["host"], found["values"]["token_secret"]) == ("192.0.2.1", "***")
    assert (found["device"]["name"], found["device"]["tags"]) == ("edge-1", ["core"])
    details = workshop.engine.runs.details(run, ANN)
    assert (details.devices, details.connections[0].name) == (("edge-1",), "open")
    page = workshop.store.runs.page(RunFilter(device="edge-1"))
    assert [one.id for one in page.runs] == [submitted.id]
    assert workshop.store.runs.page(RunFilter(device="bare")).runs == ()


@pytest.mark.parametrize(
    ("name", "principal", "code"),
    [
        ("nowhere", ANN, "device_not_found"),
        ("edge-2", BOB, "device_not_allowed"),
        ("bare", ANN, "device_without_connection"),
        ("Bad Name", ANN, "bad_input_value"),
    ],
)
def test_what_cannot_be_used_is_refused_by_a_code(workshop, devices, name, principal, code):
    workshop.write("Reads", "true $ROUTER", inputs=ROUTER)
    assert problems(workshop, principal, ROUTER=name) == [code]


@pytest.mark.parametrize(
    ("narrowing", "code"), [("vendor: mikrotik", None), ("vendor: x", "wrong_device"),
                            ("tag: core", "wrong_device")],
)  # fmt: skip
def test_a_device_must_fit_what_the_input_asks_for(workshop, devices, narrowing, code):
    workshop.write("Reads", "true $ROUTER", inputs=f"ROUTER: {{type: device, {narrowing}}}")
    assert problems(workshop, ROUTER="bare") == ([code] if code else [])


@pytest.mark.parametrize(
    ("selector", "principal", "found"),
    [
        ("all", ANN, ["bare", "edge-1", "edge-2"]),
        ("all", BOB, ["bare", "edge-1"]),
        ("tag:core", BOB, ["edge-1"]),
        ("group:edge, bare", ANN, ["bare", "edge-2"]),
        ("site:fra", ANN, ["bare", "edge-1"]),
        (["edge-2", "tag:core"], ANN, ["edge-1", "edge-2"]),
    ],
)
def test_a_selection_is_resolved_once_for_who_asks(workshop, devices, selector, principal, found):
    workshop.write("Reads", "print $ALL", inputs="ALL: {type: devices}")
    workshop.register()
    workshop.submit("Reads.md", principal, env_vars={"ALL": selector})
    workshop.engine.inventory.put(NewFields("later", {"tags": "core"}), ANN)
    run = workshop.execute()
    assert json.loads(workshop.output(run)) == found
    assert json.loads(run.request.inputs["ALL"]) == found
    assert workshop.engine.runs.details(run, ANN).devices == tuple(found)


def test_a_script_gets_the_connections_of_a_selection_only_if_it_asks_for_them(workshop, devices):
    script = "for file in $RUNBOOK_CONNECTIONS/ALL.*(N); do cat $file; print; done"
    for narrowing, found in (("connections: true", ["edge-1", "edge-2"]), ("", [])):
        inputs = f"ALL: {{type: devices, kind: proxmox, {narrowing}}}"
        workshop.write("Reads", script, inputs=inputs)
        workshop.register()
        workshop.submit("Reads.md", ANN, env_vars={"ALL": "tag:core"})
        run = workshop.execute()
        read = [json.loads(line) for line in workshop.output(run).splitlines()]
        assert [one["device"]["name"] for one in read] == found
        assert {one["values"]["token_secret"] for one in read} <= {"***"}
        uses = workshop.engine.runs.details(run, ANN).connections
        assert [one.input for one in uses] == [f"ALL.{name}" for name in found]


def test_a_lock_named_after_a_selection_is_one_for_each_device(workshop, devices, step):
    workshop.write_steps(
        "Reads",
        step("one"),
        policy="locks: [fleet, 'device:${ALL}']",
        inputs="ALL: {type: devices}",
    )
    run = workshop.submit("Reads.md", ANN, env_vars={"ALL": "tag:core"})
    names = [want.name for want in run.request.locks.wants]
    assert names == ["fleet", "device:edge-1", "device:edge-2"]
    known = workshop.engine.runbooks.locks("Reads.md", ANN, {"ALL": "tag:core"})
    assert [*known] == ["fleet"]


@pytest.mark.parametrize(
    ("selector", "principal", "code"),
    [
        ("edge-2,edge-1", BOB, "device_not_allowed"),
        ("edge-9", ANN, "device_not_found"),
        ("tag:none", ANN, "no_devices"),
        ("group:edge", BOB, "no_devices"),
        ("color:red", ANN, "bad_input_value"),
    ],
)
def test_a_selection_that_cannot_be_made_is_refused(workshop, devices, selector, principal, code):
    workshop.write("Reads", "true $ALL", inputs="ALL: {type: devices}")
    assert problems(workshop, principal, ALL=selector) == [code]


def test_a_removed_device_fails_the_run_that_waited(workshop, devices):
    workshop.write("Reads", "true $ROUTER", inputs=ROUTER)
    workshop.register()
    workshop.submit("Reads.md", env_vars={"ROUTER": "edge-1"})
    workshop.engine.inventory.remove("edge-1", ANN)
    run = workshop.execute()
    assert [one.code for one in run.result.errors] == ["device_not_found"]


def report(workshop, principal, *lines, policy="{inventory: update}"):
    script = "\n".join(f"print -r -- '{json.dumps(line)}' >> $RUNBOOK_DEVICES" for line in lines)
    workshop.write_steps("Polls", f"## Poll\n\n```zsh\n{script}\n```\n", policy=policy)
    workshop.register()
    workshop.submit("Polls.md", principal)
    run = workshop.execute()
    assert run.status is RunStatus.SUCCEEDED, workshop.output(run)
    return run, [one.code for one in run.result.warnings]


def test_a_run_reports_what_it_found_out(workshop, devices):
    run, warnings = report(
        workshop,
        BOB,
        {"name": "edge-1", "version": "7.18", "last_poll": "now", "facts": {"cpu": 3}},
        {"name": "edge-1", "model": "CCR"},
    )
    device = workshop.engine.inventory.show("edge-1", ANN).device
    assert warnings == []
    assert (device.version, device.model, device.facts, device.site) == (
        "7.18", "CCR", {"cpu": 3}, "fra",
    )  # fmt: skip
    assert device.last_poll is not None
    assert (device.updated_by, device.updated_run, device.revision) == ("bob", run.id, 1)
    assert workshop.engine.runs.details(run, ANN).devices == ("edge-1",)
    assert next(one.action for one in workshop.store.audit.page().events) == "device.add"


def test_a_device_that_was_removed_while_its_run_went_on_stays_removed(
    workshop, devices, monkeypatch
):
    take = DeviceReports.take

    def removed_before(self, data):
        workshop.engine.inventory.remove("edge-1", ANN)
        take(self, data)

    monkeypatch.setattr(DeviceReports, "take", removed_before)
    said = json.dumps({"name": "edge-1", "last_poll": "now"})
    step = f"## Poll\n\n```zsh\nprint -r -- '{said}' >> $RUNBOOK_DEVICES; : $ROUTER\n```\n"
    given = {"policy": "{inventory: update}", "inputs": "ROUTER: {type: device}"}
    workshop.write_steps("Polls", step, **given)
    workshop.register()
    workshop.submit("Polls.md", ANN, env_vars={"ROUTER": "edge-1"})
    run = workshop.execute()
    assert [one.code for one in run.result.warnings] == ["device_not_updated"]
    # Added anew, it would be without its connection: for everyone, with its backups.
    assert workshop.store.devices.get("edge-1") is None


def test_who_may_not_write_the_inventory_adds_and_moves_nothing(workshop, devices):
    said = ({"name": "new"}, {"name": "edge-1", "address": "203.0.113.66", "version": "8"})
    _, warnings = report(workshop, BOB, *said)
    device = workshop.engine.inventory.show("edge-1", ANN).device
    assert warnings == ["device_not_updated"] * 2
    assert (device.address, device.version) == ("192.0.2.1", "8")
    assert workshop.store.devices.get("new") is None


def test_who_may_write_the_inventory_adds_devices(workshop, devices):
    run, warnings = report(workshop, ANN, {"name": "new", "connection": "open", "tags": ["a"]})
    assert warnings == []
    assert workshop.store.devices.get("new").connection == "open"
    event = workshop.store.audit.page().events[0]
    assert (event.action, event.target) == ("inventory.report", run.id)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"connection": "open", "address": "203.0.113.66"}, "device_not_updated"),
        ({"connection": "open"}, "device_not_updated"),
        ({"connection": "closed", "address": "192.0.2.1"}, "device_not_updated"),
        ({"connection": "open", "address": "192.0.2.1"}, None),
    ],
)
def test_what_gives_itself_a_name_doesnt_get_the_place_of_a_known_device(
    workshop, devices, said, code
):
    _, warnings = report(
        workshop, ANN, {"name": "edge-1", "version": "8", "may_move": False, **said}
    )
    device = workshop.store.devices.get("edge-1")
    assert warnings == ([code] if code else [])
    assert (device.connection, device.address) == ("open", "192.0.2.1")
    assert device.version == ("" if code else "8")


@pytest.mark.parametrize(
    ("line", "policy", "code"),
    [
        ({"name": "edge-1", "version": "8"}, "{}", "inventory_not_updated"),
        ({"name": "edge-1", "version": 8}, "{inventory: update}", "device_not_updated"),
        ({"name": "NO"}, "{inventory: update}", "device_not_updated"),
        (["edge-1"], "{inventory: update}", "inventory_not_updated"),
    ],
)
def test_what_cannot_be_used_of_a_report_is_a_warning(workshop, devices, line, policy, code):
    _, warnings = report(workshop, ANN, line, policy=policy)
    assert warnings == [code]
    assert workshop.store.devices.get("edge-1").version == ""


def test_a_connection_of_this_process_is_a_device_too(workshop, monkeypatch):
    variables = {f"PROXMOX_{name.upper()}": value for name, value in VALUES.items()}
    book = workshop.engine.parts.connections
    monkeypatch.setattr(book, "_loose", LooseConnections(environment=variables))
    said = '{"name": "environment", "version": "8"}'
    script = (
        f"print $ROUTER; cat $RUNBOOK_CONNECTIONS/ROUTER.json; print '{said}' >> $RUNBOOK_DEVICES"
    )
    step = f"## Read\n\n```zsh\n{script}\n```\n"
    workshop.write_steps("Reads", step, inputs=ROUTER, policy="{inventory: update}")
    workshop.register()
    workshop.submit("Reads.md")
    run = workshop.execute()
    assert run.status is RunStatus.SUCCEEDED, workshop.output(run)
    name, text = workshop.output(run).splitlines()
    assert (name, json.loads(text)["values"]["host"]) == ("environment", "pve.example.com")
    # In the inventory, it would be without a connection.
    assert (run.result.warnings, workshop.store.devices.get("environment")) == ((), None)
