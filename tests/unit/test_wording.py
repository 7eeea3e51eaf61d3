"""No text of ours holds a phrase that reads as if translated."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PHRASES = (
    r"what became of",
    r"gives later changes away",
    r"leave, come back, cancel",
    r"asks? for its end",
    r"asked for its end",
    r"mend what was wrong",
    r"where to read on",
    r"renew pipfile",
    r"or for another time",
    r"for want of",
    r"tells of changes",
    r"lists that are alive",
    r"go on behind",
    r"runs that follow so",
    r"only dry runs, or only others",
    r"what goes on",
    r"for whoever asks",
    r"are kept so long",
    r"that this subject asked for",
    r"at most so many",
    r"go on until the run",
    r"or so long ago",
    r"names no folder",
    r"no run is like that",
    r"going on now",
    r"ended or not",
    r"the script ended well",
    r"someone asked",
    r"who may execute the runbook sees",
    r"cannot be had",
    r"begin a new runbook",
    r"its engine was stopped first",
    r"at three in the morning",
    r"seconds if not given",
    r"whoever",
    r"are had\b",
)


def texts():
    """The files of ours that hold words for people, tests and generated files aside."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in listed.stdout.splitlines():
        path = ROOT / name
        if name.startswith("tests/") or path.suffix not in {
            ".py",
            ".md",
            ".ts",
            ".vue",
            ".sh",
            ".toml",
            ".yaml",
            "",
        }:
            continue
        if path.is_file() and path.name not in {"LICENSE", "Pipfile.lock"}:
            yield name, re.sub(r"[\s#*]+", " ", path.read_text(encoding="utf-8", errors="replace"))


def test_no_text_holds_a_phrase_that_reads_as_if_translated():
    patterns = [re.compile(phrase, re.IGNORECASE) for phrase in PHRASES]
    found = [
        f"{name}: {match.group()}"
        for name, text in texts()
        for pattern in patterns
        for match in pattern.finditer(text)
    ]
    assert found == []
