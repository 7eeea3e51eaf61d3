"""The input files of a run."""

from runbook.core.run_files import (
    EXECUTABLE_MODE,
    FOLDER_MODE,
    NO_FILES,
    PLAIN_MODE,
    RunFile,
    RunFiles,
    digest_of,
)


def test_content_is_known_by_its_sha256():
    assert digest_of(b"abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_only_the_runs_own_user_has_access():
    assert (FOLDER_MODE | PLAIN_MODE | EXECUTABLE_MODE) & 0o077 == 0
    assert EXECUTABLE_MODE & ~PLAIN_MODE == 0o100


def test_runs_without_files_share_no_contents():
    assert RunFiles() == NO_FILES
    assert RunFiles().contents is not RunFiles((RunFile("a", FOLDER_MODE),)).contents
