"""Little is read of a huge file that is not a valid runbook."""

import os

import pytest

from runbook.core.syntax.markdown import HEAD_LIMIT
from runbook.errors import HistoryError
from runbook.library.catalog import Catalog, Source
from runbook.library.formatting import plan_format
from runbook.library.history import verify_file
from runbook.library.loading import load_file

HUGE = 1 << 30
VALID = """\
# Big

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
"""


@pytest.fixture
def read(monkeypatch):
    """The sizes of all reads by position."""
    sizes = []
    pread = os.pread

    def counted(descriptor, size, offset):
        data = pread(descriptor, size, offset)
        sizes.append(len(data))
        return data

    monkeypatch.setattr(os, "pread", counted)
    return sizes


def huge(folder, text):
    path = folder / "Big.md"
    path.write_text(text)
    os.truncate(path, HUGE)
    return path


@pytest.mark.parametrize(
    "text", ["# Big\n", "# Big\n\n# History\n", VALID.replace("# Script", "# Scirpt")]
)
def test_a_catalog_reads_little_of_a_file_that_is_no_runbook(tmp_path, read, text):
    huge(tmp_path, text)
    catalog = Catalog((Source(tmp_path),))
    (entry,) = catalog.list().entries
    assert entry.document.errors
    assert catalog.get("Big.md").document.runbook is None
    assert len(catalog.content("Big.md")) == HEAD_LIMIT
    assert catalog.search("nowhere") == ()
    assert sum(read) <= 5 * (HEAD_LIMIT + 4096)


def test_the_command_line_reads_little_of_it(tmp_path, read):
    path = huge(tmp_path, "# Big\n")
    assert [p.code for p in load_file(path).document.problems] == ["head_too_long"]
    assert plan_format(path).problem is not None
    with pytest.raises(HistoryError):
        verify_file(path)
    assert sum(read) <= 4 * (HEAD_LIMIT + 4096)


def test_a_long_history_is_read_in_parts(tmp_path, read):
    path = tmp_path / "Big.md"
    path.write_text(VALID + "a line\n" * 2_000_000)
    catalog = Catalog((Source(tmp_path),))
    assert catalog.get("Big.md").document.runbook is not None
    assert max(read) < 5 * 1024 * 1024
    with path.open("a") as file:
        file.write("# Script\n")
    assert [p.code for p in catalog.get("Big.md").document.problems] == ["section_after_history"]
    path.write_text(VALID + "a" * 20_000_000 + "\n# Script\n")
    assert [p.code for p in catalog.get("Big.md").document.problems] == ["section_after_history"]
