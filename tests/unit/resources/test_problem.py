"""The JSON of refused requests."""

import ast
import json
from pathlib import Path
from typing import get_args

from pydantic import TypeAdapter

import runbook
from runbook.core.access import (
    Decision,
    ForeignRun,
    Missing,
    MissingPermission,
    Requirement,
    UnreadableClaims,
    missing_json,
)
from runbook.core.permissions import Permission
from runbook.resources.problem import MissingJson, ProblemJson

PACKAGE = Path(runbook.__file__).parent
REQUESTS = ("access", "api", "engine")
"""The folders whose errors answer requests."""


def test_every_detail_of_an_error_is_a_documented_member():
    details = {
        keyword.arg
        for folder in REQUESTS
        for path in (PACKAGE / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")
        for keyword in node.keywords
        if keyword.arg
    }
    assert "missing" in details
    assert details - {"problems"} <= ProblemJson.__annotations__.keys()


def test_what_is_missing_has_documented_members():
    kinds = (
        MissingPermission(Permission.RUN_READ, "Job.md"),
        Requirement("roles", ("sre",), None),
        UnreadableClaims(),
        ForeignRun(),
    )
    assert {type(kind) for kind in kinds} == set(get_args(Missing))
    adapter = TypeAdapter(MissingJson)
    for item in json.loads(json.dumps(missing_json(Decision(Permission.RUN_READ, kinds)))):
        assert adapter.validate_python(item) == item
