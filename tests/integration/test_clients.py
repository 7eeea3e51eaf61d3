"""Clients that others generate from the OpenAPI document: typed calls against a real server."""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import httpx
import pytest

from needs import NODE, need

ROOT = Path(__file__).parents[2]
CALLS = ROOT / "tests" / "data" / "clients"
MODULES = ROOT / "src" / "web" / "node_modules"
RESULT = {
    "inputs": ["WHO"],
    "valid": True,
    "output": "hello typed\n",
    "bare": "hello you\n",
    "accepted": True,
    "status": "succeeded",
    "log": "hello typed\n",
    "retried": "hello typed\n",
    "listed": True,
}
TRANSPILE = """
const { readFileSync, writeFileSync } = require('node:fs')
const typescript = require('typescript')
const options = { compilerOptions: { module: 'ESNext', target: 'ES2022' } }
const { outputText } = typescript.transpileModule(readFileSync('calls.ts', 'utf8'), options)
writeFileSync('calls.mjs', outputText)
"""
STRICT = ["--noEmit", "--strict", "--noUncheckedIndexedAccess", "--skipLibCheck"]
OPTIONS = [*STRICT, "--module", "ESNext", "--moduleResolution", "bundler", "--target", "ES2022"]


@pytest.fixture
def document(server, tmp_path):
    server.add("Hello", "print hello $WHO", inputs="WHO: {description: x, default: you}")
    path = tmp_path / "openapi.yaml"
    path.write_bytes(httpx.get(f"{server.url}/docs/openapi.yaml").content)
    return path


def run(*command, cwd, **environment):
    variables = {"PATH": os.environ["PATH"], "HOME": str(cwd), **environment}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_a_generated_python_client(server, document, tmp_path):
    need(find_spec("openapi_python_client"), "openapi-python-client")
    program = Path(sys.executable).with_name("openapi-python-client")
    target = tmp_path / "runbook_client"
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    generate = [program, "generate", "--path", document, "--meta", "none", "--fail-on-warning"]
    run(*generate, "--output-path", target, cwd=tmp_path, PATH=path)

    printed = run(
        sys.executable, CALLS / "calls.py", server.url, cwd=tmp_path, PYTHONPATH=str(tmp_path)
    )
    assert json.loads(printed) == RESULT


def test_generated_typescript_types(server, document, tmp_path):
    need(NODE and (MODULES / "openapi-fetch").is_dir(), "Node and openapi-fetch")
    (tmp_path / "node_modules").symlink_to(MODULES)
    shutil.copy(CALLS / "calls.ts", tmp_path)
    bin_ = MODULES / ".bin"
    run(NODE, bin_ / "openapi-typescript", document, "-o", "schema.d.ts", cwd=tmp_path)

    run(NODE, bin_ / "tsc", *OPTIONS, "--types", "node", "calls.ts", cwd=tmp_path)
    run(NODE, "-e", TRANSPILE, cwd=tmp_path)
    printed = run(NODE, "calls.mjs", server.url, cwd=tmp_path)
    assert json.loads(printed) == RESULT
