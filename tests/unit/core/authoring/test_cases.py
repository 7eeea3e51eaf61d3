"""How a file of test cases is read, and what is wrong with one."""

import re
from pathlib import Path

import pytest

from runbook.core.authoring.cases import (
    CASE_KEYS,
    Case,
    CaseConnection,
    CaseFile,
    Expected,
    read_cases,
)
from runbook.core.status import RunStatus

RUNBOOK_MD = (Path(__file__).parents[4] / "RUNBOOK.md").read_text()
SECTION = RUNBOOK_MD.partition("\n### Test cases\n")[2].partition("\n## ")[0]


def one(fields):
    file = read_cases(f"cases:\n  - name: demo\n{fields}")
    assert file.problems == ()
    (case,) = file.cases
    return case


def problem(fields):
    (found,) = read_cases(f"cases:\n  - name: demo\n{fields}").problems
    return found


def test_a_case_needs_only_a_name():
    assert one("") == Case("demo", 2)


def test_every_field_is_read():
    case = one("""\
    inputs: {A: 010, B: yes, C: null, D: [1, x], E: {k: v}}
    secrets: [A, B]
    connections: {PVE: {kind: proxmox, values: {host: pve, port: 8006}}}
    confirm: router-1
    dry_run: true
    claims: {roles: [sre, api], team: platform}
    timeout: 1m30s
    status: failed
    return_code: -15
    outputs: {STATE: running}
    stdout: [plain, /^x$/]
    stderr: one
    errors: two
""")
    assert case == Case(
        "demo",
        2,
        inputs={"A": "010", "B": "yes", "C": "", "D": ["1", "x"], "E": {"k": "v"}},
        secrets=frozenset({"A", "B"}),
        connections={"PVE": CaseConnection("proxmox", {"host": "pve", "port": "8006"})},
        confirm="router-1",
        dry_run=True,
        claims={"roles": ["sre", "api"], "team": "platform"},
        timeout_s=90.0,
        status=RunStatus.FAILED,
        return_code=-15,
        outputs={"STATE": "running"},
        stdout=(Expected("plain"), Expected("^x$", regex=True)),
        stderr=(Expected("one"),),
        errors=(Expected("two"),),
    )


def test_empty_mappings_and_secrets_are_understood():
    case = one("    inputs:\n    outputs: {}\n    claims:\n    secrets: A\n    dry_run: no\n")
    assert (case.inputs, case.outputs, case.claims) == ({}, {}, {})
    assert case.secrets == {"A"}
    assert not case.dry_run


@pytest.mark.parametrize("text", ["", "# nothing\n", "cases:\n", "cases: []\n"])
def test_a_file_without_cases_has_none(text):
    assert read_cases(text) == CaseFile()


@pytest.mark.parametrize(
    ("fields", "words", "line"),
    [
        ("    stadus: failed", "Unknown key 'stadus'", 3),
        ("    status: fine", "'status' must be the status of a finished run", 3),
        ("    status: running", "'status' must be the status of a finished run", 3),
        ("    return_code: three", "'return_code' must be an integer", 3),
        ("    dry_run: maybe", "'dry_run' must be true or false", 3),
        ("    timeout: soon", "'timeout' must be a duration", 3),
        ("    timeout: 0", "'timeout' must be a duration", 3),
        ("    inputs: x", "'inputs' must be a mapping (NAME: value)", 3),
        ("    outputs:\n      A: [1]", "'outputs' must be text", 4),
        ("    claims:\n      a: {b: c}", "'claims' must be text", 4),
        ("    stdout:\n      - a\n      - [b]", "'stdout' must be text", 5),
        ("    stderr: /(/", "'stderr' contains an invalid pattern", 3),
        ("    connections:\n      A: {kind: proxmox}", "'connections' must have a kind and", 4),
        ("    confirm: [x]", "'confirm' must be text", 3),
    ],
)
def test_a_bad_field_is_an_error_on_its_line(fields, words, line):
    found = problem(fields)
    assert found.message.startswith(words)
    assert found.line == line


@pytest.mark.parametrize(
    ("fields", "hint"),
    [
        ("    stadus: failed", "Did you mean status?"),
        ("    status: suceeded", "Did you mean succeeded?"),
        ("    stdout: [a: b]", "Quote text that contains ': '"),
    ],
)
def test_an_error_says_what_to_do(fields, hint):
    assert problem(fields).hint == hint


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("- name: x", "A test file must be a mapping with the key 'cases'", 1),
        ("tests: []", "Unknown key 'tests'", 1),
        ("cases: x", "'cases' must be a list", 1),
        ("cases:\n  a: b", "'cases' must be a list", 2),
        ("cases:\n  - x", "A case must be a mapping with a name", 2),
        ("cases:\n  - status: failed", "A case must be a mapping with a name", 2),
        ("cases:\n  - name: [x]", "A case must be a mapping with a name", 2),
        ("cases:\n  - name: ''", "A case must be a mapping with a name", 2),
        ("cases:\n  - name: x\n  - name: x", "Duplicate case name 'x'", 3),
        ("cases:\n  - name: *x", "The file is invalid", 2),
    ],
)
def test_a_bad_file_is_an_error_on_its_line(text, words, line):
    (found,) = read_cases(text).problems
    assert found.message.startswith(words)
    assert found.line == line


@pytest.mark.parametrize("text", ["//", "/", "/x", "x/"])
def test_what_is_no_pattern_is_text(text):
    assert one(f"    stdout: {text}").stdout == (Expected(text),)


def test_every_key_is_documented_and_nothing_else():
    rows = re.findall(r"^\| (`.+?) \|", SECTION, re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == list(CASE_KEYS)


def test_the_documented_example_is_read():
    example = SECTION.partition("```yaml\n")[2].partition("```")[0]
    file = read_cases(example)
    assert file.problems == ()
    assert len(file.cases) == 3
