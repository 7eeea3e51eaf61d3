"""Modules of a toolkit in its Python steps."""

import py_compile
from importlib.util import cache_from_source

import pytest

from runbook.core.events import EventType
from runbook.core.status import RunStatus

BOOK = """\
# Job

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Script
```python
{script}
```

# History
"""


@pytest.fixture
def run_in_toolkit(workshop):
    folder = workshop.settings.runbooks_dir / "kit"
    (folder / "lib/kit_modules").mkdir(parents=True)
    (folder / "deep").mkdir()
    (folder / "toolkit.yaml").write_text("slug: kit\nname: Kit\nversion: 1.0.0\n")
    (folder / "lib/kit_modules/__init__.py").write_text("WORD = 'from the library'\n")
    (folder / "lib/json.py").write_text("raise AssertionError('hides a module of Python')\n")

    def run(script, ref="kit/Job.md"):
        (workshop.settings.runbooks_dir / ref).write_text(BOOK.format(script=script))
        workshop.submit(ref)
        return workshop.execute()

    return run


@pytest.mark.parametrize("ref", ["kit/Job.md", "kit/deep/Job.md"])
def test_a_step_imports_what_its_toolkit_brings_along(workshop, run_in_toolkit, ref):
    script = "from __future__ import annotations\nimport json, sys\nimport kit_modules\n"
    run = run_in_toolkit(script + "print(kit_modules.WORD, sys.argv[1:], __name__)", ref)
    assert workshop.output(run) == "from the library [] __main__\n"


def test_bytecode_is_neither_read_nor_written(workshop, run_in_toolkit, tmp_path):
    package = workshop.settings.runbooks_dir / "kit/lib/kit_modules"
    (package / "deeper").mkdir()
    (package / "deeper/__init__.py").write_text("")
    hidden = tmp_path / "hidden.py"
    hidden.write_text("WORD = 'hidden'\n")
    for target in (cache_from_source(str(package / "__init__.py")), str(package / "loose.pyc")):
        py_compile.compile(
            str(hidden), target, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
        )
    run = run_in_toolkit("import kit_modules.deeper\nprint(kit_modules.WORD)")
    assert workshop.output(run) == "from the library\n"
    assert not (package / "deeper/__pycache__").exists()
    run = run_in_toolkit("import kit_modules.loose", "kit/Other.md")
    assert "ModuleNotFoundError" in workshop.output(run, EventType.STDERR)


def test_other_runbooks_do_not(workshop, run_in_toolkit):
    run = run_in_toolkit("import kit_modules", "Job.md")
    assert run.status is RunStatus.FAILED
    assert "ModuleNotFoundError" in workshop.output(run, EventType.STDERR)


def test_a_traceback_names_the_lines_of_the_runbook_and_none_of_ours(workshop, run_in_toolkit):
    run = run_in_toolkit("def fail():\n    return 1 / 0\n\nfail()")
    text = workshop.output(run, EventType.STDERR)
    assert 'Job.md", line 17, in <module>' in text
    assert 'Job.md", line 15, in fail' in text
    assert "python_step.py" not in text


def test_the_exit_code_is_the_steps_own(run_in_toolkit):
    assert run_in_toolkit("raise SystemExit(7)").result.return_code == 7


def test_an_error_of_a_connector_ends_it_as_elsewhere(workshop, run_in_toolkit):
    script = "from runbook.connectors.errors import ConnectorError, ErrorCode\n"
    run = run_in_toolkit(script + "raise ConnectorError('no', ErrorCode.LOCKED)")
    assert run.result.return_code == 19
    assert workshop.output(run, EventType.STDERR) == "locked: no\n"
