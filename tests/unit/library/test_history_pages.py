import os

import pytest

from histories import HEAD, record
from runbook.core.history.adoption import AdoptionRecord
from runbook.core.history.entry import last_digest, render, sha256
from runbook.core.run import Origin
from runbook.errors import HistoryError
from runbook.library import history_pages
from runbook.library.catalog import Catalog, Source
from runbook.library.history import HistoryWriter, adopt
from runbook.library.history_pages import HistoryPage, read_entry, read_page
from runbook.library.rotation import archive_path
from runbook.resources.history import history_page_json

OLD = b"\n### 2026-01-14T18:34:51.%03dZ | Exit Code: %d\n\n**Stdout:**\n```\nout %d\n```\n"


def append(path, *numbers, max_entries=0):
    for number in numbers:
        HistoryWriter(max_entries, 65536).append(path, record(number))


def loaded(path):
    return Catalog((Source(path.parent),)).get(path.name)


def page_of(path, **wanted):
    return read_page(path, loaded(path), **wanted)


def entry_of(path, n):
    return read_entry(path, loaded(path), n)


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "Job.md"
    path.write_bytes(HEAD)
    return path


def pages(path, limit):
    """Every page: the numbers of its entries and the codes of its old ones."""
    before = None
    while True:
        page = page_of(path, before=before, limit=limit)
        yield [e.n for e in page.entries], [old.entry.return_code for old in page.legacy]
        before = page.next_before
        if before is None:
            return


def test_pages_lead_from_the_newest_entry_to_the_oldest_of_the_older_engine(path):
    path.write_bytes(HEAD + b"".join(OLD % (n, n, n) for n in range(5)))
    append(path, *range(1, 6))

    assert list(pages(path, 100)) == [([5, 4, 3, 2, 1], [4, 3, 2, 1, 0])]
    assert list(pages(path, 3)) == [([5, 4, 3], []), ([2, 1], [4]), ([], [3, 2, 1]), ([], [0])]
    assert list(pages(path, 5)) == [([5, 4, 3, 2, 1], []), ([], [4, 3, 2, 1, 0])]


def test_pages_end_where_the_chain_begins_the_history(path):
    append(path, 1, 2, 3)

    assert list(pages(path, 2)) == [([3, 2], []), ([1], [])]
    assert list(pages(path, 3)) == [([3, 2, 1], [])]


def test_pages_run_on_into_what_was_moved(path):
    path.write_bytes(HEAD + OLD % (1, 7, 1))
    append(path, *range(1, 31), max_entries=10)
    assert archive_path(path).exists()

    found = list(pages(path, 7))

    assert [n for numbers, _ in found for n in numbers] == list(range(30, 0, -1))
    assert [code for _, codes in found for code in codes] == [7]


def test_an_append_between_two_pages_shifts_nothing(path):
    append(path, *range(1, 6))
    first = page_of(path, before=None, limit=2)
    append(path, 6)

    second = page_of(path, before=first.next_before, limit=2)

    assert [entry.n for entry in (*first.entries, *second.entries)] == [5, 4, 3, 2]


def test_one_entry(path):
    append(path, 1, 2, 3)

    entry = entry_of(path, 2)
    assert (entry.n, entry.record, entry.sound) == (2, record(2), True)
    assert entry_of(path, 0) is entry_of(path, 4) is None


def test_an_entry_that_cannot_be_understood_is_left_out(path):
    append(path, 1, 2, 3)
    data = path.read_bytes()
    at = data.index(b"via api", data.index(b"run-1 "))
    path.write_bytes(data[:at] + b"via foe" + data[at + 7 :])

    assert list(pages(path, 9)) == [([3, 1], [])]
    assert entry_of(path, 2) is None


@pytest.mark.parametrize("before", [-1, -5, -(10**15), 0, 10**15])
def test_a_made_up_place_does_no_harm(path, before):
    path.write_bytes(HEAD + OLD % (1, 0, 1))
    append(path, 1)

    page = page_of(path, before=before, limit=5)

    assert len(page.entries) + len(page.legacy) <= 2


def test_a_runbook_without_history(path):
    path.write_bytes(b"# Job\n\nText.\n")

    assert page_of(path, before=None, limit=5) == HistoryPage()
    assert entry_of(path, 1) is None


def test_an_archive_that_cannot_be_read_is_said(path):
    append(path, 1)
    archive_path(path).symlink_to(path)

    with pytest.raises(HistoryError):
        page_of(path, before=None, limit=5)


def test_a_file_that_stays_locked_is_said(path, monkeypatch):
    monkeypatch.setattr(history_pages, "LOCK_SECONDS", 0.0)
    append(path, 1)
    with history_pages.locked(path, seconds=1, write=True), pytest.raises(HistoryError):
        page_of(path, before=None, limit=5)


def test_no_descriptor_stays_open(path):
    append(path, *range(1, 31), max_entries=10)
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        list(pages(path, 7))
        entry_of(path, 2)
    assert os.listdir("/proc/self/fd") == before


@pytest.fixture
def large(path):
    """20 MB: 10,000 entries of 2 KB."""
    parts, previous = [HEAD], sha256(b"")
    for n in range(1, 10_001):
        parts.append(render(record(n, "x" * 1600), n=n, previous=previous))
        previous = last_digest(parts[-1])
    path.write_bytes(b"".join(parts))
    return path


def test_the_first_page_of_a_large_history_reads_its_end_only(large, monkeypatch):
    reads = []
    pread = os.pread

    def noting(descriptor, length, offset):
        data = pread(descriptor, length, offset)
        reads.append(len(data))
        return data

    entry = loaded(large)
    monkeypatch.setattr(os, "pread", noting)
    page = read_page(large, entry, before=None, limit=50)

    assert [entry.n for entry in page.entries] == list(range(10_000, 9_950, -1))
    assert sum(reads) < 1024 * 1024


def test_an_edit_since_the_runbook_was_looked_at_is_noticed(path):
    append(path, 1)
    before = loaded(path)
    path.write_bytes(b"# Much longer than before\n" + path.read_bytes())

    page = read_page(path, before, before=None, limit=5)

    assert [entry.n for entry in page.entries] == [1]


def test_adoptions_stand_between_entries_and_count_for_the_limit(path):
    append(path, 1, 2)
    with path.open("ab") as file:
        file.write(b"a note\n")
    adopt(path, AdoptionRecord(1769178782123, "eve", Origin.CLI, "why"))
    append(path, 3)

    first = page_of(path, before=None, limit=2)
    second = page_of(path, before=first.next_before, limit=2)

    assert [entry.n for entry in first.entries] == [4]
    ((n, record, sound),) = [(a.n, a.record, a.sound) for a in first.adoptions]
    assert (n, record.who, sound) == (3, "eve", True)
    assert [finding.code for finding in record.findings] == ["foreign"]
    assert ([entry.n for entry in second.entries], second.adoptions) == ([2, 1], ())
    assert entry_of(path, 3) is None
    page = history_page_json(first, ())
    assert page["adoptions"][0]["findings"][0]["entry"] == 2


def test_a_converted_history_is_paged_as_before(path):
    append(path, *range(1, 31), max_entries=10)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")

    assert [n for numbers, _ in pages(path, 7) for n in numbers] == list(range(30, 0, -1))
    assert entry_of(path, 30).sound
