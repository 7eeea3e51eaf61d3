"""What processes import: the greatest part of the time of a short command.

A test that fails says what is new. Import it where it's used, or raise the budget if every such
process needs it.
"""

import json
import os
import subprocess
import sys

import pytest

AT_END = """
import atexit, json, os, sys

def tell(at_start=frozenset(sys.modules)):
    with open(os.path.join(os.path.dirname(__file__), f"{os.getpid()}.json"), "w") as file:
        json.dump(sorted(set(sys.modules) - at_start), file)

atexit.register(tell)
"""
RUNBOOK = """\
# Hello

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
```

# Script
```sh
echo hello
```

# History
"""
SERVE = """
import sys
from runbook.host import sealing, supervisor
sealing.seal_environment = lambda: {}
supervisor.serve = lambda *given: 0
sys.argv = ["runbook", "serve", "--port", "0"]
from runbook.cli import main
main()
"""
OF_SERVERS = ("flask", "gunicorn", "gevent", "prometheus_client", "runbook.api", "runbook.metrics")
OF_THE_API = ("pydantic", "pydantic_core", "httpx", "http.client", "jwt")
RARE = ("alembic", "mako", "psycopg", "psycopg_binary", "re2", "urllib.request", "runbook.cli.app")
"""Migrations, PostgreSQL, searches."""
ENGINE = ("sqlalchemy", "runbook.engine", "runbook.store", "asyncio")


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """Runs a program, and returns the modules that each of its processes has imported."""
    tmp_path = tmp_path_factory.mktemp("imports")
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(AT_END)
    book = tmp_path / "books" / "Hello.md"
    book.parent.mkdir()
    (tmp_path / "execution").mkdir()
    book.write_text(RUNBOOK)

    def run(*arguments):
        subprocess.run(
            [sys.executable, *arguments],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(tmp_path),
                "PYTHONPATH": str(site),
                "DATA_DIR": str(tmp_path / "data"),
                "EXECUTION_DIR": str(tmp_path / "execution"),
                "RUNBOOKS_DIR": str(book.parent),
            },
            cwd=tmp_path,
            capture_output=True,
            check=True,
        )
        found = [json.loads(path.read_text()) for path in site.glob("*.json")]
        for path in site.glob("*.json"):
            path.unlink()
        return sorted(found, key=len)

    run("-m", "runbook", "execute", "--runbook", book)  # creates the database, with Alembic
    run.book = book
    return run


def check(modules, budget, forbidden):
    unwanted = [
        name
        for name in modules
        if any(name == one or name.startswith(f"{one}.") for one in forbidden)
    ]
    assert unwanted == []
    assert len(modules) <= budget, modules


def test_a_run_imports_only_what_it_uses(loaded):
    guardian, engine = loaded("-m", "runbook", "execute", "--runbook", loaded.book)
    check(guardian, 35, (*OF_SERVERS, *OF_THE_API, *RARE, *ENGINE, "click", "typing", "logging"))
    check(engine, 693, (*OF_SERVERS, *OF_THE_API, *RARE))


def test_a_list_imports_no_server(loaded):
    (modules,) = loaded("-m", "runbook", "list")
    check(modules, 724, (*OF_SERVERS, *OF_THE_API, *RARE[:-1]))


def test_help_imports_no_engine(loaded):
    (modules,) = loaded("-m", "runbook", "--help")
    check(modules, 166, (*OF_SERVERS, *OF_THE_API, *RARE[:-1], *ENGINE))


def test_the_supervisor_imports_no_engine(loaded):
    (modules,) = loaded("-c", SERVE)
    check(modules, 180, (*OF_SERVERS, *OF_THE_API, *RARE[:-1], "sqlalchemy", "runbook.store"))
