from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from histories import RECORD
from runbook.core.history import backwards as history_back
from runbook.core.history.backwards import Backward, legacy_page
from runbook.core.history.chain import iter_entries
from runbook.core.history.entry import last_digest, render, sha256

OLD = b"\n### 2026-01-14T18:34:51.%03dZ | Exit Code: 0\n\n**Stdout:**\n```\n%s\n```\n"
pieces = st.sampled_from(
    ["`", "```\n", "\n", "text", "### x | Exit Code: 0", "**Stdout:**\n", "<!-- "]
)
outputs = st.lists(pieces, max_size=12).map("".join)


def chain(*texts, legacy=b""):
    parts, previous = [legacy], sha256(legacy)
    for n, text in enumerate(texts, start=1):
        record = replace(RECORD, run_id=f"run-{n}", stdout=text)
        parts.append(render(record, n=n, previous=previous))
        previous = last_digest(parts[-1])
    return parts


def reader(history, reads=None):
    def read(at, size):
        assert at >= 0
        assert size >= 0
        if reads is not None:
            reads.append(size)
        return history[at : at + size]

    return read


def backward(history):
    return Backward(reader(history), len(history))


def gone_through(history):
    back = backward(history)
    return [(found.entry.n, found.sound) for found in back]


def whole(*numbers):
    return [(n, True) for n in numbers]


@pytest.fixture
def small_windows(monkeypatch):
    monkeypatch.setattr(history_back, "WINDOW_BYTES", 1500)
    monkeypatch.setattr(history_back, "LEGACY_BYTES", 400)


# -- the chain ---------------------------------------------------------------------------------


@given(st.lists(outputs, max_size=5), st.sampled_from([b"", b"old text\n", OLD % (1, b"x")]))
def test_it_finds_what_the_way_forward_finds(texts, legacy):
    history = b"".join(chain(*texts, legacy=legacy))
    back = backward(history)
    records = [back.record(found) for found in back]
    assert [record.stdout for record in records] == texts[::-1]
    assert [entry.n for entry in iter_entries(history)] == list(range(1, len(texts) + 1))
    assert back.end == len(legacy)


def test_output_that_prints_the_history_is_output():
    before = b"".join(chain("one", "two", legacy=OLD % (1, b"x")))
    history = b"".join(chain("one", "two", before.decode() * 2, "four", legacy=OLD % (1, b"x")))
    assert gone_through(history) == whole(4, 3, 2, 1)


def test_output_cannot_pretend_to_be_the_last_entry():
    forged = render(replace(RECORD, who="mallory", run_id="forged"), n=9, previous=sha256(b""))
    back = backward(b"".join(chain("one", forged.decode() * 3)))
    assert [back.record(found).run_id for found in back] == ["run-2", "run-1"]


@pytest.mark.parametrize("size", [10, 1400, 3000, 40_000])
def test_entries_of_any_size_beside_the_window(small_windows, size):
    texts = ["x" * size, "small", "y" * size, "small"] * 3
    back = backward(b"".join(chain(*texts)))
    assert [back.record(found).stdout for found in back] == texts[::-1]


def test_only_the_end_is_read():
    history = b"".join(chain(*["x" * 5000] * 400))
    reads = []
    found = next(iter(Backward(reader(history, reads), len(history))))
    assert found.entry.n == 400
    assert sum(reads) <= history_back.WINDOW_BYTES


def test_an_entry_that_is_too_large_is_passed_over(monkeypatch, small_windows):
    monkeypatch.setattr(history_back, "ENTRY_BYTES_LIMIT", 3000)
    history = b"".join(chain("one", "x" * 10_000, "three"))
    assert gone_through(history) == [*whole(3), (1, False)]


# -- what is not as it should be -------------------------------------------------------------------


@pytest.mark.parametrize("size", [10, 5000])
def test_text_after_and_between_entries_is_stepped_over(small_windows, size):
    foreign = b"\nnotes of a person\n" * size
    legacy, one, two, three = chain("one", "two", "three", legacy=b"old\n")
    history = legacy + one + foreign + two + three + foreign
    assert gone_through(history) == whole(3, 2, 1)


def test_a_changed_entry_is_shown_but_is_not_sound():
    _, one, two, three = chain("one", "two", "three")
    assert gone_through(one + two.replace(b"two", b"TWO") + three) == [
        (3, True),
        (2, False),
        (1, True),
    ]


def test_an_entry_put_in_place_of_another_is_not_sound():
    _, one, _two, three = chain("one", "two", "three")
    other = chain("one", "other")[2]
    assert gone_through(one + other + three) == [(3, True), (2, False), (1, True)]


def test_a_missing_entry_shows_in_the_one_before():
    _, one, _two, three = chain("one", "two", "three")
    assert gone_through(one + three) == [(3, True), (1, False)]


def test_entries_that_stand_there_twice_count_once():
    _, one, two, three = chain("one", "two", "three")
    assert gone_through(one + two + two + three) == whole(3, 2, 1)
    assert gone_through(one + two + one + two + three) == whole(3, 2, 1)


def test_an_entry_changed_beyond_being_understood_has_no_record():
    _, one = chain("one")
    back = backward(one.replace(b"via api", b"via foe"))
    (found,) = back
    assert (found.sound, back.record(found)) == (False, None)


@pytest.mark.parametrize(
    "history", [b"", b"text\n", b"\n<!-- runbook-entry v=1 -->\n", OLD % (1, b"x")]
)
def test_no_chain(history):
    back = backward(history)
    assert list(back) == []
    assert back.end == len(history)


def test_links_without_entries_are_not_looked_at_for_ever():
    link = chain("one")[1].splitlines(keepends=True)[-1]
    history = (b"\n" + link) * 200
    back = backward(history)
    assert list(back) == []
    assert back.end > 0


# -- the older engine's entries --------------------------------------------------------------


def legacy_texts(history, limit):
    """All pages, each as the texts of its entries."""
    end = len(history)
    while end > 0:
        page = legacy_page(reader(history), end, limit)
        yield [record.stdout for record in page.records]
        assert page.rest < end
        end = page.rest


def test_legacy_pages():
    history = b"".join(OLD % (n, b"%d" % n) for n in range(5))
    assert list(legacy_texts(history, 2)) == [["4", "3"], ["2", "1"], ["0"]]
    assert list(legacy_texts(history, 5)) == [["4", "3", "2", "1", "0"]]
    assert list(legacy_texts(b"notes\n" + history, 9)) == [["4", "3", "2", "1", "0"]]


def test_old_entries_stand_below_the_chain_but_not_what_they_printed():
    printed = OLD % (1, b"### 2026-01-14T18:36:00.000Z | Exit Code: 9")
    history = b"".join(chain("new", legacy=printed))
    back = backward(history)
    assert [found.entry.n for found in back] == [1]

    (record,) = legacy_page(reader(history), back.end, 9).records

    assert record.entry.at == "2026-01-14T18:34:51.001Z"
    assert record.stdout == "### 2026-01-14T18:36:00.000Z | Exit Code: 9"


def test_legacy_without_entries():
    assert list(legacy_texts(b"just notes\n", 2)) == [[]]


@pytest.mark.parametrize("size", [1, 30, 300, 399, 1000, 2500])
def test_legacy_of_any_size_beside_the_window(small_windows, size):
    history = b"".join(OLD % (n, b"%d" % n * size) for n in range(9))
    found = [text for page in legacy_texts(history, 4) for text in page]
    assert [text[:1] for text in found] == list("876543210")
    if size < 300:
        assert [len(text) for text in found] == [size] * 9
