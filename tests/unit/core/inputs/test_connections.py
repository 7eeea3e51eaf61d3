"""Problems of inputs whose connection can't be used."""

from runbook.core.document import Input, InputType
from runbook.core.inputs.connections import connection_inputs, not_allowed, not_found, unknown_kind
from runbook.core.inputs.connections import wrong_kind as of_wrong_kind

CLUSTER = Input("CLUSTER", "", 3, type=InputType.CONNECTION, kind="proxmox")


def test_a_misspelt_kind_is_suggested():
    problem = unknown_kind("proxmx", ["netbox", "proxmox"], 3)
    assert (problem.code, problem.line) == ("unknown_connection_kind", 3)
    assert problem.hint == "Did you mean proxmox?"


def test_a_missing_connection_names_what_to_do():
    missing = not_found(CLUSTER, "lab-pvee", ["lab-pve"])
    assert missing.params == {"variable": "CLUSTER", "connection": "lab-pvee"}
    assert missing.hint == "Did you mean lab-pve?"
    assert not_found(CLUSTER, "lab-pve", []).hint == "Add a proxmox connection first"


def test_a_connection_of_another_kind():
    problem = of_wrong_kind(CLUSTER, "ipam", "netbox")
    assert problem.code == "wrong_connection_kind"
    assert (problem.params["kind"], problem.params["wanted"]) == ("netbox", "proxmox")


def test_a_connection_that_needs_claims():
    problem = not_allowed(CLUSTER, "lab-pve", ["roles"])
    assert (problem.code, problem.hint) == ("connection_not_allowed", "Missing or invalid: roles")


def test_which_inputs_are_connections():
    assert connection_inputs((Input("NAME", "", 1), CLUSTER)) == [CLUSTER]
