"""Examples in the OpenAPI document, by the name of the schema. A unit test validates them."""

from __future__ import annotations

from typing import Any

RUN_ID = "01M7XK3Z8Q4V5N2B6C9D0F1G2H"
_DONE: dict[str, Any] = {
    "success": True,
    "runbook": "SimpleRunbook.md",
    "return_code": 0,
    "stdout": "Running SimpleRunbook\n",
    "stderr": "",
    "errors": [],
    "warnings": [],
    "problems": [],
    "run_id": RUN_ID,
    "status": "succeeded",
    "outputs": {},
}
EXAMPLES: dict[str | None, Any] = {
    "RunBody": {"env_vars": {"TEST_VAR": "hello"}, "reason": "ticket 4711", "dry_run": False},
    "ResumeBody": {"from_step": "Deploy", "reason": "disk is free again"},
    "LoginBody": {"subject": "ann", "roles": ["sre"]},
    "Login": {
        "access_token": "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl",
        "token_type": "bearer",
        "expires_at": "2026-01-23T22:33:02Z",
        "subject": "ann",
        "roles": ["sre"],
    },
    "Done": _DONE,
    "DoneStream": (
        "event: stdout\nid: 3\nretry: 1000\ndata: Running SimpleRunbook\ndata: \n\n"
        'event: done\nid: 4\ndata: {"success": true, "runbook": "SimpleRunbook.md", '
        '"return_code": 0, "stdout": "Running SimpleRunbook\\n", "stderr": "", "errors": [], '
        f'"warnings": [], "problems": [], "run_id": "{RUN_ID}", "status": "succeeded", '
        '"outputs": {}}\n\n'
    ),
    "EventStream": (
        'event: stdout\nid: 3\nretry: 1000\ndata: {"n": 3, "at": "2026-01-23T14:33:02.123Z", '
        '"type": "stdout", "step": 1, "stream": "stdout", "text": "hello\\n", "line": 1}\n\n'
    ),
    "ChangesStream": 'event: changed\nretry: 1000\ndata: {"active": [], "revision": 17}\n\n',
    "Accepted": {"run_id": RUN_ID, "status": "queued"},
    "Report": {
        "success": False,
        "runbook": "SimpleRunbook.md",
        "errors": ["Required environment variable not set: TEST_VAR"],
        "warnings": [],
        "problems": [
            {
                "code": "missing_input",
                "message": "Required environment variable not set: TEST_VAR",
                "severity": "error",
                "params": {"variable": "TEST_VAR"},
            }
        ],
    },
    "Problem": {
        "type": "/docs/problems#not_found",
        "title": "Not found",
        "status": 404,
        "detail": "Runbook None.md was not found.",
        "code": "not_found",
        "errors": [],
        "success": False,
        "error": "Runbook None.md was not found.",
        "instance": "/api/runbooks/None.md",
        "correlation_id": "6f2c1a34-5b0e-4d36-9a59-1f9f6a3a7f10",
    },
}
