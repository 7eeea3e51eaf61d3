"""The rules for connections: values, claims, labels, and files that hold one."""

import json

import pytest

from runbook.connectors.kinds import NETBOX, PROXMOX, SSH
from runbook.core.connection import (
    Connection,
    check_claims,
    check_description,
    check_labels,
    check_values,
    name_problem,
    opened,
)
from runbook.core.connection_file import read_connection

TOKEN = {"host": "pve.example.com", "token_id": "root@pam!rb", "token_secret": "s3cret-value"}


def codes(problems):
    return [(problem.code, problem.params.get("field")) for problem in problems]


def test_values_get_the_types_of_their_fields():
    values, problems = check_values(PROXMOX, {**TOKEN, "port": "8007", "verify_tls": "false"})
    assert problems == []
    assert values == {**TOKEN, "port": 8007, "verify_tls": False}
    assert check_values(PROXMOX, values) == (values, [])


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"hots": "x"}, [("unknown_field", "hots")]),
        ({"host": None}, [("missing_field", "host")]),
        ({"token_secret": ""}, [("missing_field", "token_secret")]),
        ({"port": "many"}, [("bad_field", "port")]),
        ({"port": 70000}, [("bad_field", "port")]),
        ({"port": [1]}, [("bad_field", "port")]),
        ({"host": "https://pve.example.com"}, [("bad_field", "host")]),
        ({"token_id": "root"}, [("bad_field", "token_id")]),
        ({"token_secret": "abc"}, [("bad_field", "token_secret")]),
        ({"ca": "x" * 70_000}, [("bad_field", "ca")]),
        ({"host": "a\0b"}, [("bad_field", "host")]),
    ],
)
def test_what_is_wrong_is_named_by_its_field(changed, found):
    assert codes(check_values(PROXMOX, {**TOKEN, **changed})[1]) == found


def test_a_field_that_was_misspelt_is_suggested():
    (problem,) = check_values(PROXMOX, {**TOKEN, "hots": "x"})[1]
    assert problem.hint == "Did you mean host?"


def test_the_ssh_servers_of_a_connection():
    given = {"host": "Core.example", "jump_host": "gate", "jump_port": 2222}
    assert [str(one) for one in SSH.ssh_addresses(given)] == ["gate:2222", "core.example:22"]
    assert [str(one) for one in SSH.ssh_addresses({"host": "core"})] == ["core:22"]
    assert PROXMOX.ssh_addresses(TOKEN) == ()


def test_a_password_does_instead_of_a_token():
    by_password = {"host": "pve", "user": "rb@pve", "password": "hunter22"}
    assert check_values(PROXMOX, by_password)[1] == []
    assert codes(check_values(PROXMOX, {"host": "pve"})[1]) == [("missing_field", "token_id")]
    half = {"host": "pve", "user": "rb@pve"}
    assert codes(check_values(PROXMOX, half)[1]) == [("missing_field", "password")]


def test_no_problem_shows_a_secret():
    _, problems = check_values(PROXMOX, {**TOKEN, "token_secret": "xyz", "passwort": "hunter2"})
    assert len(problems) == 2
    assert not any(word in repr(problems) for word in ("xyz", "hunter2"))


def test_an_opened_connection_has_defaults_and_names_its_secrets():
    one = opened("lab", PROXMOX, TOKEN, 3)
    assert json.loads(one.as_json()) == {
        "name": "lab",
        "kind": "proxmox",
        "values": {**TOKEN, "port": 8006, "verify_tls": True, "timeout": 30},
    }
    assert (one.secrets, one.revision) == (("s3cret-value",), 3)
    assert "s3cret" not in repr(one)


def test_the_schema_of_a_kind_marks_secrets_and_alternatives():
    schema = PROXMOX.schema()
    assert schema["properties"]["token_secret"]["writeOnly"] is True
    assert schema["properties"]["port"] | {"title": ""} == {
        "title": "", "description": "Port of the API", "default": 8006, "type": "integer",
        "minimum": 1, "maximum": 65535, "x-type": "integer", "x-order": 2,
    }  # fmt: skip
    assert schema["anyOf"][0] == {"required": ["token_id", "token_secret"]}
    assert NETBOX.schema()["required"] == ["url", "token"]


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "../a", "x" * 65, "ä"])
def test_a_name_fits_a_file_and_a_url(name):
    assert name_problem(name).code == "bad_connection_name"
    assert name_problem("lab-pve.1_A") is None


def test_claims_are_lists_or_separated_by_commas():
    assert check_claims({"roles": "sre, netops", "team": ["a"]}) == (
        {"roles": ("sre", "netops"), "team": ("a",)},
        [],
    )
    assert [p.code for p in check_claims({"roles": [], "": "x"})[1]] == ["bad_claim"] * 2


def test_labels_are_short_texts():
    assert check_labels({"site": "berlin", "a.b/c": ""}) == []
    assert [p.code for p in check_labels({"a b": "x", "c": "x\n", "d": 5})] == ["bad_label"] * 3
    assert check_labels({f"l{n}": "x" for n in range(51)})[0].params == {"limit": 50}


def test_a_file_holds_a_connection():
    text = (
        "kind: netbox\nvalues:\n  url: https://n.example.com\n  token: 0123\nclaims: {roles: sre}"
    )
    found, problems = read_connection(text)
    assert problems == []
    assert (found.kind, found.values) == (
        "netbox",
        {"url": "https://n.example.com", "token": "0123"},
    )
    assert found.claims == {"roles": "sre"}
    same, _ = read_connection(json.dumps({"kind": "netbox", "values": dict(found.values)}))
    assert same.values == found.values


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("- a", "bad_connection_file"),
        ("", "bad_connection_file"),
        ("kind: [a]", "bad_connection_file"),
        ("values: {a: {b: c}}", "bad_connection_file"),
        ("knid: proxmox", "unknown_key"),
        ("kind: 'x", "bad_yaml"),
    ],
)
def test_a_file_that_holds_none_says_why(text, code):
    assert [problem.code for problem in read_connection(text)[1]] == [code]


def test_a_kind_says_which_variables_and_claims_count():
    assert PROXMOX.variable("token_id") == "PROXMOX_TOKEN_ID"
    assert Connection("lab", "proxmox").required_claims is None
    assert Connection("lab", "proxmox", claims={"roles": ("sre",)}).required_claims is not None


def test_a_description_has_a_limit():
    assert check_description("Lab in Berlin") == []
    assert [p.code for p in check_description("x" * 501)] == ["bad_description"]


def test_a_value_in_a_file_is_text_or_a_list_of_texts():
    _, problems = read_connection("kind: proxmox\nvalues:\n  host: {name: pve}\n")
    assert [(problem.code, problem.line) for problem in problems] == [("bad_connection_file", 3)]


def test_claims_in_a_file_may_be_a_list():
    read, problems = read_connection("kind: proxmox\nclaims:\n  roles: [sre, netops]\n")
    assert (read.claims, problems) == ({"roles": ["sre", "netops"]}, [])
