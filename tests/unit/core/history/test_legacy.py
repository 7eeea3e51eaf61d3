import pytest

from runbook.core.history.legacy import (
    TEXT_BYTES,
    LegacyEntry,
    LegacyRecord,
    first_heading,
    legacy_marks,
    read_legacy,
)

HEADING = b"### 2026-01-14T18:34:51.797Z | Exit Code: 0\n"


def entry(*texts, heading=HEADING):
    return heading + b"".join(b"\n**%s:**\n```\n%s\n```\n" % (title, text) for title, text in texts)


def read(text):
    return read_legacy(text, list(legacy_marks(text)))


def only(text):
    (record,) = read(text)
    return record


def test_an_entry_with_all_its_texts():
    text = entry((b"Stdout", b"out\nput"), (b"Stderr", b"err"), (b"Error", b"RBAC"))
    assert only(b"\nbefore\n" + text) == LegacyRecord(
        LegacyEntry("2026-01-14T18:34:51.797Z", 0, 8), "out\nput", "err", "RBAC"
    )


def test_entries_in_their_order():
    failed = HEADING.replace(b"Exit Code: 0", b"Exit Code: -9")
    records = read(entry((b"Stdout", b"1")) + b"\n" + entry(heading=failed) + b"notes\n")
    assert [(r.entry.return_code, r.stdout) for r in records] == [(0, "1"), (-9, "")]


def test_a_heading_in_a_fence_is_output():
    inner = entry((b"Stdout", b"inner")).replace(b"```", b"~~~")
    assert only(entry((b"Stdout", inner))).stdout == inner.decode()
    assert len(list(legacy_marks(b"```sh\n```x\n" + HEADING + b"```\n" + HEADING))) == 1


@pytest.mark.parametrize(
    ("text", "stdout"),
    [
        (HEADING + b"\n**Stdout:**\n```\na\n```\nb\n```\n", "a\n```\nb"),
        (HEADING + b"\n**Stdout:**\r\n\r\n````text\na\n````\n", "a"),
        (HEADING + b"\n**Stdout:**\n```\n```\n", ""),
        (HEADING + b"\n**Stdout:**\n```\nnever closed", "never closed"),
        (HEADING + b"\n**Stdout:**\nno fence\n", ""),
        (HEADING + b"\n**Stdout:**\n```\n\xff\n```\n", "\ufffd"),
    ],
)
def test_odd_fences(text, stdout):
    assert only(text).stdout == stdout


def test_a_long_text_is_cut():
    assert only(entry((b"Stderr", b"x" * (TEXT_BYTES + 1)))).stderr == "x" * TEXT_BYTES


def test_the_first_heading_counts_wherever_it_stands():
    assert first_heading(b"```\n" + HEADING) == 4
    assert first_heading(b"```\nnothing") == 11
