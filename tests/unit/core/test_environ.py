from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.environ import (
    RESERVED,
    TOTAL_LIMIT,
    VALUE_LIMIT,
    BaseVariables,
    RunVariables,
    check_total,
    check_value,
    child_env,
    is_reserved,
    not_passed,
    set_by_zsh,
    valid_name,
)

BASE = BaseVariables(
    path="/usr/bin:/bin", home="/run/1", tmpdir="/run/1/tmp", tz="Europe/Berlin", user="ops"
)


def run(**changes: object) -> RunVariables:
    values: dict[str, object] = {
        "api_token": "token",
        "correlation_id": "c-1",
        "url": "http://localhost:8083/api/runbooks",
        "chain": ("A.md", "b/C.md"),
        "exec_dir_host": "/host/1",
        "run_id": "r-1",
        "output": "/run/1/.o",
        "env": "/run/1/.e",
        "progress": "/run/1/.p",
        "plan": "/run/1/.plan",
        "mask": "/run/1/.m",
        "effects": "/run/1/.effects",
        "summary": "/run/1/.s",
        "artifacts": "/run/1/artifacts",
    }
    return RunVariables(**{**values, **changes})  # type: ignore[arg-type]


def environment(**changes: object) -> dict[str, str]:
    return child_env(inputs={}, passed={}, run=run(**changes), base=BASE)


def test_the_whole_environment():
    stack = '["A.md", "b/C.md"]'
    assert environment() == {
        "PATH": "/usr/bin:/bin",
        "HOME": "/run/1",
        "LANG": "C.UTF-8",
        "TZ": "Europe/Berlin",
        "TMPDIR": "/run/1/tmp",
        "TERM": "dumb",
        "USER": "ops",
        "LOGNAME": "ops",
        "RUNBOOK_API_TOKEN": "token",
        "RUNBOOK_CORRELATION_ID": "c-1",
        "RUNBOOK_URL": "http://localhost:8083/api/runbooks",
        "RUNBOOK_RECURSION_STACK": stack,
        "RUNBOOK_H_AUTH": "Authorization: Bearer token",
        "RUNBOOK_H_CORR": "X-Correlation-Id: c-1",
        "RUNBOOK_H_RECUR": f"X-Recursion-Stack: {stack}",
        "RUNBOOK_H_CTYPE": "Content-Type: application/json",
        "RUNBOOK_HEADERS": (
            "-H 'Authorization: Bearer token' -H 'X-Correlation-Id: c-1' "
            f"-H 'X-Recursion-Stack: {stack}' -H 'Content-Type: application/json'"
        ),
        "RUNBOOK_EXEC_DIR_HOST": "/host/1",
        "RUNBOOK_RUN_ID": "r-1",
        "RUNBOOK_OUTPUT": "/run/1/.o",
        "RUNBOOK_ENV": "/run/1/.e",
        "RUNBOOK_PROGRESS": "/run/1/.p",
        "RUNBOOK_PLAN": "/run/1/.plan",
        "RUNBOOK_MASK": "/run/1/.m",
        "RUNBOOK_EFFECTS": "/run/1/.effects",
        "RUNBOOK_DEVICES": "",
        "RUNBOOK_BACKUPS": "",
        "RUNBOOK_REQUESTED_BY": "",
        "RUNBOOK_SUMMARY": "/run/1/.s",
        "RUNBOOK_ARTIFACTS": "/run/1/artifacts",
        "RUNBOOK_DRY_RUN": "",
    }


def test_a_dry_run_says_so():
    assert environment(dry_run=True)["RUNBOOK_DRY_RUN"] == "1"


def test_headers_are_ascii_whatever_the_refs():
    value = environment(chain=("prüfung/Größe.md", "😀.md"))
    assert value["RUNBOOK_H_RECUR"].isascii()
    assert json.loads(value["RUNBOOK_RECURSION_STACK"]) == ["prüfung/Größe.md", "😀.md"]


def test_who_wins():
    value = child_env(
        inputs={
            "A": "input",
            "B": "input",
            "USER": "input",
            "PATH": "/evil",
            "RUNBOOK_URL": "x",
            "LD_PRELOAD": "x",
        },
        passed={
            "B": "passed",
            "TERM": "passed",
            "HTTP_PROXY": "proxy",
            "HOME": "/evil",
            "RUNBOOK_RUN_ID": "x",
        },
        run=run(),
        base=BASE,
    )
    assert (value["A"], value["B"], value["HTTP_PROXY"]) == ("input", "passed", "proxy")
    assert (value["PATH"], value["HOME"]) == (BASE.path, BASE.home)
    assert (value["RUNBOOK_URL"], value["RUNBOOK_RUN_ID"]) == (run().url, "r-1")
    assert (value["USER"], value["TERM"], value["LOGNAME"]) == ("input", "passed", "ops")
    assert "LD_PRELOAD" not in value


@pytest.mark.parametrize("name", ["JWT_SECRET", "DATABASE_URL", "REDIS_URL"])
def test_server_secrets_reach_no_script(name):
    value = child_env(inputs={name: "x"}, passed={name: "x"}, run=run(), base=BASE)
    assert name not in value


@pytest.mark.parametrize("shell", [["zsh", "-f"], ["bash", "--norc"]])
@pytest.mark.parametrize(
    "hostile",
    [
        "plain",
        "a b",
        "'",
        '"',
        "$(touch x)",
        "`x`",
        "\\",
        "!x",
        "a\nb\tc",
        "-H x",
        "*",
        "é😀",
        ";#&|<>",
    ],
)
def test_eval_gives_back_exactly_the_four_headers(shell, hostile, tmp_path):
    value = environment(api_token=hostile, correlation_id=hostile, chain=(hostile,))
    script = 'eval "args=($RUNBOOK_HEADERS)"; printf "%s\\0" "${args[@]}"'
    done = subprocess.run([*shell, "-c", script], env=value, cwd=tmp_path, stdout=-1, check=True)
    names = ("RUNBOOK_H_AUTH", "RUNBOOK_H_CORR", "RUNBOOK_H_RECUR", "RUNBOOK_H_CTYPE")
    expected = [part for name in names for part in ("-H", value[name])]
    assert done.stdout.decode().split("\0")[:-1] == expected
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name",
    [
        "PATH",
        "HOME",
        "SHELL",
        "IFS",
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "DYLD_INSERT_LIBRARIES",
        "ZDOTDIR",
        "FPATH",
        "BASH_ENV",
        "ENV",
        "NULLCMD",
        "PS4",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "PYTHONWARNINGS",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_KEY_0",
        "NODE_OPTIONS",
        "PERL5OPT",
        "RUBYOPT",
        "LESSOPEN",
        "BROWSER",
        "TZ",
        "LANG",
        "TMPDIR",
        "RUNBOOK_API_TOKEN",
        "RUNBOOK_ANYTHING",
        "BASH_FUNC_ls%%",
        "HTTP_PROXY",
        "https_proxy",
        "SSL_CERT_FILE",
        "SSH_AUTH_SOCK",
        "DOCKER_HOST",
        "JWT_SECRET",
        "DATABASE_URL",
        "REDIS_URL",
    ],
)
def test_reserved_names(name):
    assert is_reserved(name)


@pytest.mark.parametrize(
    "name",
    [
        "GIT_BRANCH",
        "GIT_URL",
        "PYTHON_VERSION",
        "PATHS",
        "MY_PATH",
        "HOST",
        "USER",
        "USERNAME",
        "PASSWORD",
        "TOKEN",
        "NODE_NAME",
        "ENVIRONMENT",
        "SSH_KEY",
        "path",
        "BASH",
        "LDAP_URL",
        "RUNBOOK",
        "JWT",
        "CURLOPT",
        "TERM",
    ],
)
def test_names_that_are_fine(name):
    assert not is_reserved(name)


def test_reserved_names_are_names():
    assert all(valid_name(name) for name in RESERVED)


@pytest.mark.parametrize("name", ["A", "_", "a1", "A" * 128])
def test_valid_names(name):
    assert valid_name(name)


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A\n", "A=B", "Ä", "A" * 129, "A B", "A\0"])
def test_invalid_names(name):
    assert not valid_name(name)


@pytest.mark.parametrize("name", ["A-B", "", "PATH", "RUNBOOK_URL", "JWT_SECRET", "DATABASE_URL"])
def test_what_is_never_passed_from_the_server_to_scripts(name):
    assert not_passed(name)


@pytest.mark.parametrize("name", ["DOCKER_HOST", "HTTPS_PROXY", "LD_LIBRARY_PATH", "SITE"])
def test_what_an_operator_may_pass_though_callers_may_not_set_all_of_it(name):
    assert not_passed(name) is None


@pytest.mark.parametrize("name", ["status", "UID", "USERNAME", "path", "SECONDS", "argv", "LINES"])
def test_zsh_really_sets_these_names_itself(name):
    assert set_by_zsh(name)
    assert zsh_sees(name) != "given"


@pytest.mark.parametrize("name", ["HOST", "USER", "PASSWORD", "GIT_BRANCH", "PYTHON_VERSION"])
def test_zsh_really_leaves_these_names_alone(name):
    assert not set_by_zsh(name)
    assert zsh_sees(name) == "given"


def zsh_sees(name: str) -> str:
    value = child_env(inputs={name: "given"}, passed={}, run=run(), base=BASE)
    script = f'printf %s "${name}"'
    done = subprocess.run(["zsh", "-f", "-c", script], env=value, stdout=-1, check=True)
    return done.stdout.decode()


@pytest.mark.parametrize("value", ["", "text", "a\nb\tc\r", "é😀\u2028", "x" * VALUE_LIMIT])
def test_values_that_can_be_passed(value):
    assert check_value("A", value) is None


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        ("a\0b", "bad_value", "NUL"),
        ("a\ud800", "bad_value", "surrogate"),
        ("x" * (VALUE_LIMIT + 1), "value_too_long", "64 KiB"),
        ("é" * (VALUE_LIMIT // 2 + 1), "value_too_long", "64 KiB"),
    ],
)
def test_values_that_cannot(value, code, text):
    problem = check_value("SOME", value)
    assert problem is not None
    assert problem.code == code
    assert "SOME" in problem.message
    assert text in problem.message
    assert value not in problem.message


def test_all_values_together_have_a_limit():
    values = {f"A{n}": "x" * VALUE_LIMIT for n in range(TOTAL_LIMIT // VALUE_LIMIT)}
    problem = check_total(values)
    assert problem is not None
    assert problem.code == "values_too_long"
    assert check_total(dict(list(values.items())[1:])) is None


@settings(max_examples=30)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=200))
def test_values_arrive_byte_for_byte(value):
    variables = child_env(inputs={"GIVEN": value}, passed={}, run=run(), base=BASE)
    script = 'printf %s "$GIVEN"'
    done = subprocess.run(["zsh", "-f", "-c", script], env=variables, stdout=-1, check=True)
    assert done.stdout == value.encode()
