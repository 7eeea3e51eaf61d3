"""The manifest of a toolkit, read strictly, and the same rules as JSON Schema."""

import jsonschema_rs
import pytest
import yaml

from runbook.core.manifest import MOST_ITEMS, Card, Manifest, manifest_schema, read_manifest

LEAST = {"slug": "lab", "name": "Lab", "version": "1.0.0"}
FULL = """
slug: proxmox
name: Proxmox VE
version: 1.2.0
description: Virtual machines.
engine: ">=0.1"
extras: [proxmox]
commands: [ssh, qm]
connections: proxmox
card:
  title: Guests
  runbook: vm/List.md
"""


def problems(text):
    manifest, found = read_manifest(text)
    assert (manifest is None) == bool(found)
    return [(problem.code, problem.params.get("key")) for problem in found]


def test_a_whole_manifest():
    manifest, found = read_manifest(FULL)
    assert not found
    assert manifest == Manifest(
        "proxmox",
        "Proxmox VE",
        "1.2.0",
        "Virtual machines.",
        ">=0.1",
        ("proxmox",),
        ("ssh", "qm"),
        ("proxmox",),
        Card("Guests", "vm/List.md"),
    )


def test_what_is_missing_is_named_with_an_example():
    _, found = read_manifest("slug: lab\n")
    assert [(it.code, it.params["key"], it.hint) for it in found] == [
        ("missing_key", "name", "Add name: My toolkit"),
        ("missing_key", "version", "Add version: 0.1.0"),
    ]


@pytest.mark.parametrize("text", ["", "lab", "- lab", "slug: [", "a: 1\na: 2"])
def test_what_is_not_a_mapping(text):
    assert len(problems(text)) >= 1


# What JSON Schema can't express is marked: versions, and paths that climb.
@pytest.mark.parametrize(
    ("key", "value", "in_schema"),
    [
        ("slug", "Lab", True),
        ("slug", "1ab", True),
        ("slug", "lab-", True),
        ("slug", "l" * 41, True),
        ("slug", "../x", True),
        ("name", "n" * 501, True),
        ("version", "one", False),
        ("version", "9" * 5000, True),
        ("engine", "newer", False),
        ("engine", ">=" + "9" * 5000, True),
        ("extras", ["a", "a"], True),
        ("extras", ["../a"], True),
        ("extras", [], True),
        ("commands", [f"c{n}" for n in range(MOST_ITEMS + 1)], True),
        ("card", "List.md", True),
        ("card", {"title": "Guests"}, True),
        ("card", {"title": "Guests", "runbook": "List.txt"}, True),
        ("card", {"title": "Guests", "runbook": "/List.md"}, True),
        ("card", {"title": "Guests", "runbook": "../List.md"}, False),
    ],
)
def test_what_is_refused(key, value, in_schema):
    given = LEAST | {key: value}
    found = problems(yaml.safe_dump(given))
    assert {code for code, _ in found} == {"bad_value"}
    assert jsonschema_rs.validator_for(manifest_schema()).is_valid(given) is not in_schema


def test_unknown_keys_are_refused():
    given = LEAST | {"verison": "1.0.0"}
    assert problems(yaml.safe_dump(given)) == [("unknown_key", "verison")]
    assert not jsonschema_rs.validator_for(manifest_schema()).is_valid(given)


def test_the_schema_allows_what_is_read():
    validator = jsonschema_rs.validator_for(manifest_schema())
    assert validator.is_valid(LEAST)
    assert validator.is_valid(yaml.safe_load(FULL) | {"connections": ["proxmox"]})


def test_versions_are_compared_as_versions():
    newer = Manifest(version="1.10.0", engine=">=0.9,<2")
    assert newer.is_newer_than("1.9.0")
    assert not newer.is_newer_than("1.10.0")
    assert newer.allows_engine("0.10.0.dev1")
    assert not newer.allows_engine("2.0.0")
    assert Manifest().allows_engine("0.0.1")
