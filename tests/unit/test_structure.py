"""The source tree stays easy to find one's way in: small files, small folders."""

import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_FILES = 25
MAX_LINES = 400
GENERATED = {"static", "node_modules", "__pycache__", "schema.d.ts"}
SOURCES = sorted(
    path
    for folder, suffixes in (("src/runbook", {".py"}), ("src/web/src", {".ts", ".vue", ".css"}))
    for path in (ROOT / folder).rglob("*")
    if path.suffix in suffixes and not GENERATED & set(path.relative_to(ROOT).parts)
)


def test_there_are_sources():
    assert len(SOURCES) > 300


def test_no_folder_has_too_many_files():
    sizes = Counter(path.parent.relative_to(ROOT) for path in SOURCES)
    assert {str(folder): n for folder, n in sizes.items() if n > MAX_FILES} == {}


def test_no_source_file_is_too_long():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert {str(path.relative_to(ROOT)): n for path, n in lines.items() if n > MAX_LINES} == {}


def test_unit_tests_mirror_the_engine():
    """Each folder of tests is named after a package, or after the one module that it tests."""
    folders = {path.parent for path in (ROOT / "tests/unit").rglob("test_*.py")}
    mirrored = {ROOT / "src/runbook" / path.relative_to(ROOT / "tests/unit") for path in folders}
    assert {
        str(path.relative_to(ROOT))
        for path in mirrored
        if not (path.is_dir() or path.with_suffix(".py").is_file())
    } == set()


def test_the_types_of_every_toolkit_are_checked():
    given = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["mypy"]
    libraries = {str(path.relative_to(ROOT)) for path in (ROOT / "runbooks").glob("*/lib")}
    assert {*given["mypy_path"].split(":")} == {"src", *libraries}
    assert "runbooks" in given["files"]
