"""How an error of another system ends a script."""

import subprocess
import sys

import pytest

from runbook.connectors.errors import EXIT_CODES, ConnectorError, ErrorCode


def ended(script, **environment):
    return subprocess.run(
        [sys.executable, "-I", "-c", script],
        env={"RUNBOOK_RUN_ID": "r", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


BEGIN = "from runbook.connectors.errors import ConnectorError, ErrorCode; "


def test_exit_codes_are_stable():
    names = "auth tls timeout unreachable refused not_found conflict invalid full locked server"
    newer = "host_key truncated device_error"
    expected = [*names.split(), "missing_extra", "task_failed", *newer.split()]
    assert [(code.value, EXIT_CODES[code]) for code in ErrorCode] == [
        (name, number) for number, name in enumerate(expected, start=10)
    ]


@pytest.mark.parametrize("code", ["AUTH", "TASK_FAILED"])
def test_an_error_that_nobody_catches_ends_the_script_with_one_clear_line(code):
    found = ended(f"{BEGIN} raise ConnectorError('no way', ErrorCode.{code})")
    assert found.returncode == EXIT_CODES[ErrorCode[code]]
    assert found.stderr == f"{code.lower()}: no way\n"


def test_other_errors_keep_their_traceback():
    found = ended(f"{BEGIN} 1 / 0")
    assert found.returncode == 1
    assert found.stderr.startswith("Traceback")


def test_outside_of_a_run_nothing_is_hidden():
    found = ended(f"{BEGIN} raise ConnectorError('no way')", RUNBOOK_RUN_ID="")
    assert found.returncode == 1
    assert found.stderr.startswith("Traceback")


def test_a_missing_package_is_named_with_what_installs_it():
    script = """
import sys
sys.modules["proxmoxer"] = None
from runbook.connectors.proxmox import Proxmox
Proxmox("lab", {"host": "x", "token_id": "a@b!c", "token_secret": "d"})
"""
    found = ended(script)
    assert found.returncode == EXIT_CODES[ErrorCode.MISSING_EXTRA]
    assert "pip install 'runbook-engine[proxmox]'" in found.stderr
    assert len(found.stderr.splitlines()) == 1


def test_an_error_says_what_it_knows():
    error = ConnectorError("x", ErrorCode.INVALID, nothing_changed=True, fields={"a": "b"})
    assert (error.code, error.exit_code, error.message) == ("invalid", 17, "x")
    assert (error.nothing_changed, error.fields) == (True, {"a": "b"})
