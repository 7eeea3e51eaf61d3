"""Runs that use connections: who may, what the script gets, and what is masked and recorded."""

import json

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import (
    ALL_GRANTS,
    SCRIPT_PERMISSIONS,
    STANDARD_ROLES,
    RolePermissions,
)
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.connections.connections import Changes, NewConnection
from runbook.engine.connections.loose import LooseConnections, made

INPUT = "PVE: {type: connection, kind: proxmox}"
VALUES = {"host": "pve.example.com", "token_id": "root@pam!rb", "token_secret": "s3cret-value"}
ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
BOB = Principal("bob", Origin.API, {"roles": ["dev"]}, grants=ALL_GRANTS)
READS = """
print "$PVE" > $RUNBOOK_ARTIFACTS/name
print $RUNBOOK_CONNECTIONS > $RUNBOOK_ARTIFACTS/folder
stat -c %a $RUNBOOK_CONNECTIONS $RUNBOOK_CONNECTIONS/PVE.json > $RUNBOOK_ARTIFACTS/modes
ls $RUNBOOK_CONNECTIONS > $RUNBOOK_ARTIFACTS/files
cat $RUNBOOK_CONNECTIONS/PVE.json
print
print -n s3cret-value | base64
"""


@pytest.fixture
def add(workshop):
    def add_(name="lab", kind="proxmox", values=VALUES, **claims):
        new = NewConnection(name, kind, values, claims)
        return workshop.engine.connections.add(new, ANN)

    return add_


def problems(workshop, ref, name, principal=ANN):
    run = workshop.submit(ref, principal, env_vars={"PVE": name})
    return run, [(one.code, one.params.get("variable")) for one in run.result.errors]


def artifact(workshop, run, name):
    return workshop.engine.runs.artifact_path(run, name).read_text().strip()


def test_the_script_gets_the_name_and_the_values(workshop, add):
    add()
    add("other")
    workshop.write("Reads", READS, inputs=INPUT)
    workshop.register()
    workshop.submit("Reads.md", env_vars={"PVE": "lab"})
    run = workshop.execute()
    assert run.status is RunStatus.SUCCEEDED, workshop.output(run)
    assert artifact(workshop, run, "name") == "lab"
    assert artifact(workshop, run, "modes").split() == ["700", "600"]
    assert artifact(workshop, run, "files") == "PVE.json"
    shown, encoded = workshop.output(run).splitlines()
    assert json.loads(shown) == {
        "name": "lab",
        "kind": "proxmox",
        "values": {
            **VALUES,
            "token_secret": "***",
            "port": 8006,
            "verify_tls": True,
            "timeout": 30,
        },
    }
    assert encoded == "***"
    assert not list(workshop.settings.execution_dir.iterdir())
    (use,) = workshop.engine.runs.details(run, ANN).connections
    assert (use.input, use.name, use.kind, use.revision) == ("PVE", "lab", "proxmox", 1)


def test_no_folder_without_a_connection(workshop, add):
    add()
    workshop.write(
        "Optional", 'print "<$RUNBOOK_CONNECTIONS>"', inputs=f"{INPUT[:-1]}, optional: true}}"
    )
    workshop.register()
    workshop.submit("Optional.md")
    assert workshop.output(workshop.execute()) == "<>\n"


@pytest.mark.parametrize(
    ("name", "principal", "code"),
    [
        ("nowhere", ANN, "connection_not_found"),
        ("ipam", ANN, "wrong_connection_kind"),
        ("lab", BOB, "connection_not_allowed"),
        ("../lab", ANN, "bad_input_value"),
    ],
)
def test_what_cannot_be_used_is_refused_by_a_code(workshop, add, name, principal, code):
    add(roles="sre")
    add("ipam", "netbox", {"url": "https://n.example.com", "token": "a-token"})
    workshop.write("Reads", READS, inputs=INPUT)
    run, found = problems(workshop, "Reads.md", name, principal)
    assert (run.status, found) == (RunStatus.INVALID, [(code, "PVE")])


def test_a_kind_that_does_not_exist_is_a_mistake_of_the_runbook(workshop):
    workshop.write("Odd", READS, inputs=INPUT.replace("proxmox", "proxmux"))
    _, found = problems(workshop, "Odd.md", "lab")
    assert [code for code, _ in found] == ["unknown_connection_kind"]


def test_a_form_offers_those_that_the_caller_may_use(workshop, add):
    add(roles="sre")
    add("open")
    add("ipam", "netbox", {"url": "https://n.example.com", "token": "a-token"})
    workshop.write("Reads", READS, inputs=INPUT)

    def offered(principal):
        return workshop.engine.runbooks.input_schema("Reads.md", principal)["properties"]["PVE"]

    assert offered(ANN)["enum"] == ["lab", "open"]
    assert offered(BOB)["enum"] == ["open"]
    assert (offered(ANN)["x-type"], offered(ANN)["x-kind"]) == ("connection", "proxmox")


def test_a_run_that_waited_gets_the_new_secret(workshop, add):
    add()
    workshop.write("Reads", READS, inputs=INPUT)
    workshop.register()
    workshop.submit("Reads.md", env_vars={"PVE": "lab"})
    rotated = Changes({"token_secret": "rotated-one", "host": "new.example.com"})
    workshop.engine.connections.edit("lab", rotated, ANN)
    run = workshop.execute()
    values = json.loads(workshop.output(run).splitlines()[0])["values"]
    assert (values["host"], values["token_secret"]) == ("new.example.com", "***")
    assert workshop.engine.runs.details(run, ANN).connections[0].revision == 2


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda c: c.remove("lab", ANN), "connection_not_found"),
        (lambda c: c.edit("lab", Changes(claims={"roles": "dba"}), ANN), "connection_not_allowed"),
    ],
)
def test_it_is_checked_again_when_the_run_starts(workshop, add, act, code):
    add()
    workshop.write("Reads", "print started", inputs=INPUT)
    workshop.register()
    workshop.submit("Reads.md", env_vars={"PVE": "lab"})
    act(workshop.engine.connections)
    run = workshop.execute()
    assert (run.status, [one.code for one in run.result.errors]) == (RunStatus.FAILED, [code])
    assert "started" not in workshop.output(run)


def test_a_called_run_masks_the_connections_of_its_caller(workshop, add):
    add()
    workshop.write("Reads", READS, inputs=INPUT)
    workshop.register()
    submitted = workshop.submit("Reads.md", env_vars={"PVE": "lab"})
    claimed = workshop.claim()
    sealer = workshop.engine.parts.sealer
    from runbook.engine.process.run import Stop

    kept = []
    reseal = workshop.store.runs.reseal

    def keep(run_id, worker_id, sealed):
        kept.append(sealer.open(sealed, run_id))
        reseal(run_id, worker_id, sealed)

    workshop.store.runs.reseal = keep
    workshop.engine.execute(claimed, "w", Stop())
    assert submitted.id == claimed.run.id
    assert kept[0].masks == ("s3cret-value",)


def test_a_connection_needs_no_row(build):
    workshop = build()
    book = workshop.engine.parts.connections
    book._loose = LooseConnections({"PVE": made("PVE", "proxmox", VALUES, "test")})
    workshop.write("Reads", READS, inputs=INPUT)
    workshop.register()
    workshop.submit("Reads.md", BOB)
    run = workshop.execute()
    assert run.status is RunStatus.SUCCEEDED
    assert artifact(workshop, run, "name") == "PVE"
    assert "s3cret-value" not in workshop.output(run)
    assert workshop.engine.runs.details(run, BOB).connections[0].revision is None


@pytest.mark.parametrize(
    ("caller", "code"),
    [
        (ANN, None),
        (BOB, "connection_not_allowed"),
        (Principal("local:cleo", Origin.CLI, local=True, grants=ALL_GRANTS), None),
    ],
)
def test_a_script_passes_on_what_its_requester_may_use(workshop, add, caller, code):
    add(roles="sre")
    workshop.write("Calls", "true")
    workshop.write("Reads", READS, inputs=INPUT)
    workshop.register()
    parent = workshop.submit("Calls.md", caller)
    workshop.claim()
    grants = RolePermissions.parse(STANDARD_ROLES).grants(()).limited_to(SCRIPT_PERMISSIONS)
    script = Principal(
        caller.subject, Origin.RUNBOOK, caller.claims, run_id=parent.id, grants=grants
    )
    child = workshop.submit("Reads.md", script, env_vars={"PVE": "lab"})
    assert [one.code for one in child.result.errors] == ([code] if code else [])
    if code is None:
        assert workshop.execute().status is RunStatus.SUCCEEDED
