"""The toolkits that come with the engine."""

from pathlib import Path

import pytest

from runbook.core.language.parse import parse
from runbook.core.manifest import read_manifest

FOLDER = Path(__file__).parents[3] / "runbooks"
TOOLKITS = sorted(path.parent for path in FOLDER.glob("*/toolkit.yaml"))
RUNBOOKS = sorted(p for p in FOLDER.glob("*/**/*.md") if p.name != "README.md")


@pytest.mark.parametrize("toolkit", TOOLKITS, ids=lambda path: path.name)
def test_a_manifest_is_valid_and_says_what_is_there(toolkit):
    manifest, problems = read_manifest((toolkit / "toolkit.yaml").read_text())
    assert problems == ()
    assert manifest.slug == toolkit.name
    assert (toolkit / "README.md").is_file()
    assert manifest.card is None or (toolkit / manifest.card.runbook).is_file()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_a_runbook_has_no_problems(path):
    assert parse(path.read_bytes()).problems == ()
