"""Formatting a file in place: under the writers' lock, whole, or not at all."""

import os

import pytest

from runbook.errors import HistoryError, HistoryReadOnlyError
from runbook.library import formatting
from runbook.library.formatting import format_file, plan_format, spare_path
from runbook.library.locking import locked

GOOD = b"""\
# Demo

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
```

# Script

```sh
true
```

# History

### an old entry  \r\n
"""
BAD = GOOD.replace(b"\n\n# Script", b"  \n# script")


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "Demo.md"
    path.write_bytes(BAD)
    return path


def test_a_file_is_formatted_in_place(file):
    inode, mode = file.stat().st_ino, file.stat().st_mode
    outcome = format_file(file)

    assert (outcome.before, outcome.after, outcome.changed) == (BAD, GOOD, True)
    assert file.read_bytes() == GOOD
    assert (file.stat().st_ino, file.stat().st_mode) == (inode, mode)
    assert os.listdir(file.parent) == ["Demo.md"]


def test_a_file_may_become_longer(file):
    file.write_bytes(GOOD.replace(b"\n\n", b"\n", 6))
    assert format_file(file).changed
    assert file.read_bytes() == GOOD


def test_a_file_that_has_the_form_is_not_written(file):
    file.write_bytes(GOOD)
    file.chmod(0o444)
    assert not format_file(file).changed


def test_a_plan_writes_nothing(file):
    assert plan_format(file).after == GOOD
    assert file.read_bytes() == BAD


def test_a_file_with_errors_is_left_alone(file):
    file.write_bytes(b"# Demo\n")
    assert format_file(file).problem.code == "not_formatted"
    assert file.read_bytes() == b"# Demo\n"


def test_a_locked_file_is_waited_for(file):
    with locked(file, seconds=1, write=True), pytest.raises(HistoryError, match="locked"):
        format_file(file, lock_seconds=0.01)
    assert file.read_bytes() == BAD


def test_a_file_that_is_not_to_be_written_is_refused(file):
    file.chmod(0o444)
    with pytest.raises(HistoryReadOnlyError):
        format_file(file)
    assert file.read_bytes() == BAD


def test_a_crash_leaves_the_whole_text(file, monkeypatch):
    def crash(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(formatting, "write_at", crash)
        with pytest.raises(KeyboardInterrupt):
            format_file(file)
    assert spare_path(file).read_bytes() == GOOD

    with pytest.raises(HistoryError, match="interrupted"):
        format_file(file)


def test_a_full_disk_changes_nothing(file, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(formatting, "write_all", refuse)
    with pytest.raises(HistoryError, match="No space"):
        format_file(file)
    assert file.read_bytes() == BAD
    assert os.listdir(file.parent) == ["Demo.md"]
