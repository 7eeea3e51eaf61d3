import random
import re
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from runbook.core.history.chain import (
    ChainEnd,
    EntryRecord,
    Link,
    Recorded,
    chain_end,
    chain_start,
    closing,
    entry_start,
    find_run,
    iter_entries,
    last_link,
    refusal_text,
    repeated,
)
from runbook.core.history.entry import (
    find_entry,
    fitted,
    from_span,
    last_digest,
    read_record,
    render,
    sha256,
    span,
)
from runbook.core.history.line_ends import crlf, lf
from runbook.core.history.verification import ChainProblemCode, verify
from runbook.core.outcome import PlanLabel
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus

DOCUMENT = sha256(b"document")
LEGACY = (
    b"\n### 2026-01-14T18:34:51.797Z | Exit Code: 0\n\n**Stdout:**\n```\nsuccess\n```\n"
    b"\n### 2026-01-14T18:35:00.000Z | Exit Code: 403\n\n**Error:**\n```\n"
    b"### 2026-01-14T18:36:00.000Z | Exit Code: 9\n```\n"
)
RECORD = EntryRecord(
    run_id="run-1",
    status=RunStatus.FAILED,
    return_code=3,
    at=1769178782123,
    who="ada",
    origin=Origin.API,
    document=DOCUMENT,
    roles=("sre", "api"),
    duration_ms=1234,
    reason="disk full",
    stdout="done\n",
    stderr="no",
)

hostile = st.text(
    st.sampled_from("ab `\n\r\t#*<>!-\\|~_[]()é\u2028\u202e\x00\x1b\x85😀"), max_size=30
)
run_ids = st.from_regex(r"[0-9A-Za-z][0-9A-Za-z._-]{0,40}", fullmatch=True)
plain_records = st.builds(
    EntryRecord,
    run_id=run_ids,
    status=st.sampled_from(RunStatus),
    return_code=st.integers(-64, 403),
    at=st.integers(0, 4_000_000_000_000),
    who=hostile,
    origin=st.sampled_from(Origin),
    document=st.just(DOCUMENT),
    roles=st.lists(hostile, max_size=3).map(tuple),
    duration_ms=st.integers(0, 10**12),
    reason=st.none() | hostile,
    stdout=hostile,
    stderr=hostile,
    error=hostile,
    dry_run=st.none() | st.sampled_from(PlanLabel),
)
following = st.tuples(st.sampled_from(Relation), run_ids)
records = (
    plain_records
    | st.builds(
        lambda record, to: replace(record, relation=to[0], related_id=to[1]),
        plain_records,
        following,
    )
    | st.builds(
        lambda record: replace(record, dry_run=PlanLabel.UNKNOWN, not_executed=True), plain_records
    )
)


def chain(*texts: str, legacy: bytes = b"") -> list[bytes]:
    """Legacy text, then an entry for each text as its output."""
    parts, previous = [legacy], sha256(legacy)
    for n, text in enumerate(texts, start=1):
        parts.append(
            render(replace(RECORD, run_id=f"run-{n}", stdout=text), n=n, previous=previous)
        )
        previous = last_digest(parts[-1])
    return parts


def problems(history: bytes, head: tuple[int, str] | None = None) -> list[tuple[str, int]]:
    return [(problem.code.value, problem.entry) for problem in verify(history, head=head).problems]


# -- one entry ---------------------------------------------------------------------------------


def test_an_entry_reads_as_the_contract_says():
    entry = render(RECORD, n=12, previous=DOCUMENT).decode()

    assert entry == (
        "\n### 2026-01-23T14:33:02.123Z | Exit Code: 3\n"
        "\nBy `ada` (roles `sre`, `api`) via api, run `run-1`, 1234 ms, failed: `disk full`\n"
        "\n**Stdout:**\n```\ndone\n\n```\n"
        "\n**Stderr:**\n```\nno\n```\n"
        f"\n<!-- runbook-entry v=1 n=12 run=run-1 status=failed document={DOCUMENT}"
        f" previous={DOCUMENT} digest={last_digest(entry.encode())} -->\n"
    )


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"dry_run": PlanLabel.VERIFIED}, "failed, dry run (verified): `disk full`\n"),
        ({"relation": Relation.UNDO, "related_id": "run-0"}, "failed, undo of `run-0`: `disk"),
        (
            {"dry_run": PlanLabel.UNKNOWN, "relation": Relation.RETRY, "related_id": "run-0"},
            "failed, dry run (unknown), retry of `run-0`: `disk full`\n",
        ),
        (
            {"dry_run": PlanLabel.UNKNOWN, "not_executed": True},
            "failed, dry run (not executed): `disk full`\n",
        ),
    ],
)
def test_an_entry_says_what_kind_of_run_it_was(more, text):
    record = replace(RECORD, **more)
    entry = render(record, n=1, previous=DOCUMENT)
    assert text in entry.decode()
    assert read_record(entry, find_entry(entry, 0)) == record


def test_a_related_run_id_that_is_none_is_refused():
    record = replace(RECORD, relation=Relation.RESUME, related_id="a`b")
    with pytest.raises(ValueError, match="plain run IDs"):
        render(record, n=1, previous=DOCUMENT)


def test_a_refusal_has_its_reason_in_an_error_fence():
    text = refusal_text("bob", "Missing or invalid claims: roles=viewer (required: sre)")
    record = replace(
        RECORD, status=RunStatus.REFUSED, return_code=403, stdout="", stderr="", error=text
    )

    entry = render(record, n=1, previous=DOCUMENT).decode()

    assert "| Exit Code: 403\n" in entry
    assert (
        "\n**Error:**\n```\nRBAC Failure: Access denied for user bob. Missing or invalid claims: "
        "roles=viewer (required: sre)\n```\n"
    ) in entry
    assert "Stdout" not in entry


@settings(max_examples=200)
@given(records, st.integers(1, 10**9))
def test_what_is_rendered_is_read_back_exactly(record, n):
    data = render(record, n=n, previous=DOCUMENT)

    entry = find_entry(b"before" + data + b"after", 6)

    assert entry is not None
    assert (entry.end, entry.n, entry.intact) == (6 + len(data), n, True)
    assert read_record(b"before" + data, entry) == record


@settings(max_examples=100)
@given(records)
def test_names_and_output_stay_what_they_are_in_markdown(record):
    entry = render(record, n=1, previous=DOCUMENT).decode()

    tokens = MarkdownIt("commonmark").parse("# History\n" + entry + "\n### next\n")

    kinds = [
        token.type for token in tokens if token.level == 0 and not token.type.endswith("close")
    ]
    texts = [text for text in (record.stdout, record.stderr, record.error) if text]
    expected = ["heading_open"] * 2 + ["paragraph_open"] + ["paragraph_open", "fence"] * len(texts)
    assert kinds == [*expected, "html_block", "heading_open"]
    who = next(token for token in tokens if (token.content or "").startswith("By "))
    assert {child.type for child in who.children or ()} == {"text", "code_inline"}


@pytest.mark.parametrize("run_id", ["", "a b", "a\nb", "x-->", "-a", "é", "a" * 200])
def test_a_run_id_that_no_link_can_carry_is_refused(run_id):
    with pytest.raises(ValueError, match="plain run IDs"):
        render(replace(RECORD, run_id=run_id), n=1, previous=DOCUMENT)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("disk full", "`disk full`"),
        ("", "`\\-`"),
        ("\\-", "`\\\\-`"),
        ("a`b\n", "`a\\x60b\\x0a`"),
        ("\u202eé😀\U000e0001", "`\\u202eé😀\\U000e0001`"),
    ],
)
def test_a_text_in_a_code_span_is_on_one_line_and_read_back(text, shown):
    assert span(text) == shown
    assert from_span(shown.encode()) == text


def test_what_no_utf8_can_hold_becomes_a_question_mark():
    assert b"\n```\na?b\n```\n" in render(
        replace(RECORD, stdout="a\ud800b"), n=1, previous=DOCUMENT
    )


@pytest.mark.parametrize(
    ("out", "err", "kept_out", "kept_err"),
    [(40, 60, 40, 60), (500, 20, 80, 20), (20, 500, 20, 80), (500, 500, 50, 50)],
)
def test_neither_stream_crowds_the_other_out_of_an_entry(out, err, kept_out, kept_err):
    short = fitted(replace(RECORD, stdout="o" * out, stderr="e" * err), 100)

    assert (short.stdout.count("o" * (kept_out // 2)), short.stdout[-1]) >= (2, "o")
    for text, size, kept in ((short.stdout, out, kept_out), (short.stderr, err, kept_err)):
        letters = text.split("[...")[0] + text.split("...]")[-1]
        assert len(letters.replace("\n", "")) == kept or (size == kept and text)
        if kept < size:
            assert f"[... {size - kept} bytes of output omitted: HISTORY_ENTRY_BYTES" in text


def test_output_shortened_twice_tells_all_that_is_missing():
    once = fitted(replace(RECORD, stdout="x" * 10_000, stderr=""), 1000)

    twice = fitted(replace(once, stderr="e" * 800), 1000)

    kept = twice.stdout.count("x")
    assert f"[... {10_000 - kept} bytes of output omitted" in twice.stdout


# -- the chain ---------------------------------------------------------------------------------


@pytest.mark.parametrize("legacy", [b"", LEGACY, b"anything\n"])
def test_a_whole_chain_is_verified_after_any_legacy_text(legacy):
    history = b"".join(chain("a", "b", "c", legacy=legacy))

    found = verify(history, head=(3, last_digest(history)))

    assert found.ok
    assert (found.entries, found.legacy_bytes, found.last) == (3, len(legacy), last_link(history))
    assert [entry.run_id for entry in iter_entries(history)] == ["run-1", "run-2", "run-3"]


@pytest.mark.parametrize("legacy", [b"", LEGACY])
def test_without_entries_all_is_legacy_text(legacy):
    found = verify(legacy)

    assert (found.ok, found.entries, found.legacy_bytes) == (True, 0, len(legacy))
    assert (last_link(legacy), chain_start(legacy)) == (None, None)
    assert problems(legacy, head=(2, DOCUMENT)) == [("cut", 1)]


def _rewritten(parts: list[bytes], n: int) -> bytes:
    """Another text under a digest that fits it."""
    previous = last_digest(parts[n - 1]) if n > 1 else sha256(parts[0])
    return render(replace(RECORD, run_id=f"run-{n}", stdout="forged"), n=n, previous=previous)


ATTACKS = {
    "edit": (lambda p, n: p[n].replace(b"output", b"0utput"), "changed"),
    "edit who": (lambda p, n: p[n].replace(b"By `ada`", b"By `eve`"), "changed"),
    "break its heading": (lambda p, n: p[n].replace(b"### ", b"## "), "changed"),
    "break its link": (lambda p, n: p[n].replace(b"v=1", b"v=2"), "changed"),
    "remove": (lambda p, n: b"", "missing"),
    "repeat": (lambda p, n: p[n] + p[n], "order"),
    "swap": (lambda p, n: p.pop(n + 1) + p[n], "missing"),
    "write below": (lambda p, n: p[n] + b"a note\n", "foreign"),
    "old entry below": (lambda p, n: p[n] + LEGACY, "foreign"),
    "rewrite": (_rewritten, "changed"),
}


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("seed", range(10))
def test_the_first_entry_that_was_tampered_with_is_named(attack, seed):
    chance = random.Random(seed)
    texts = [f"output {n}\n" + chance.choice(["", "```\n", "\n### x\n"]) for n in range(8)]
    parts = chain(*texts, legacy=chance.choice([b"", LEGACY]))
    n = chance.randint(2, 6)
    change, code = ATTACKS[attack]
    head = (8, last_digest(parts[8]))

    parts[n] = change(parts, n)

    assert problems(b"".join(parts), head)[0] == (code, n)


def test_a_cut_tail_is_found_by_the_stores_head_only():
    parts = chain("a", "b", "c", legacy=LEGACY)
    head = (3, last_digest(parts[3]))
    cut = b"".join(parts[:3])

    assert problems(cut) == []
    assert problems(cut, head) == [("cut", 3)]
    assert problems(b"".join(parts[:2]) + _rewritten(parts, 2), head) == [("cut", 3)]


def test_a_chain_written_anew_is_found_by_the_stores_head_only():
    head = (2, last_digest(chain("a", "b")[2]))
    forged = b"".join(chain("a", "forged", "more"))

    assert problems(forged) == []
    assert problems(forged, head) == [("cut", 2)]


def test_a_store_that_is_behind_the_file_is_no_problem():
    parts = chain("a", "b", "c")

    assert problems(b"".join(parts), (2, last_digest(parts[2]))) == []


def test_changed_or_missing_beginnings_are_named():
    parts = chain("a", "b", "c", legacy=LEGACY)

    assert problems(b"".join(parts).replace(b"success", b"failure")) == [("legacy_changed", 1)]
    assert problems(b"".join([parts[0], *parts[2:]])) == [("missing", 1)]
    assert problems(b"".join(parts[2:])) == [("missing", 1)]
    edited = parts[1].replace(b"ada", b"eve")
    assert problems(b"".join([parts[0], edited, *parts[2:]])) == [("missing", 1)]


def test_the_number_of_problems_is_bounded():
    parts = chain(*("x" for _ in range(60)))

    found = verify(b"".join(part.replace(b"ada", b"eve") for part in parts))

    assert len(found.problems) == 20
    assert found.problems[0].code is ChainProblemCode.CHANGED
    assert found.problems[0].message == "Entry 1 was changed or is incomplete."


# -- text that looks like entries --------------------------------------------------------------


def test_legacy_text_may_look_like_a_chain():
    other = b"".join(chain("of", "another", legacy=b"x"))
    printed = b"\n**Stdout:**\n```\n" + other + b"```\n"
    bare_link = other[other.rfind(b"\n<!--") :]
    for legacy in (printed, bare_link + b"text\n", other.replace(b"ada", b"eve") + b"text\n"):
        assert chain_start(legacy) is None or legacy.startswith(b"\n###")
        history = b"".join(chain("a", "b", legacy=legacy))
        assert problems(history) == []
        assert verify(history).entries == 2


def test_output_that_prints_whole_entries_is_output():
    inner = b"".join(chain("in", "ner", legacy=LEGACY)).decode()
    history = b"".join(chain(inner, inner + inner, legacy=LEGACY))

    assert problems(history) == []
    assert [entry.n for entry in iter_entries(history)] == [1, 2]


def test_only_a_runs_own_entry_says_how_it_ended():
    forged = render(replace(RECORD, run_id="victim"), n=2, previous=DOCUMENT).decode()
    history = b"".join(chain("a", forged, legacy=LEGACY))

    assert b" run=victim " in history
    assert find_run(history, "victim") is None
    assert find_run(history, "run-2") == Recorded(RunStatus.FAILED, 3)
    assert find_run(history + b"a note below\n", "run-2") == Recorded(RunStatus.FAILED, 3)
    assert find_run(history, "run-22") is None


def test_the_last_link_must_end_the_text():
    history = b"".join(chain("a", "b"))

    assert last_link(history[-600:]) == Link(2, last_digest(history))
    assert last_link(history + b"\r\n \n") == Link(2, last_digest(history))
    assert last_link(history[:-1]) == Link(2, last_digest(history))
    assert last_link(history + b"x") is None
    assert last_link(history[:-2]) is None


def test_the_end_of_the_chain_is_found_below_other_text():
    history = b"".join(chain("a", "b", legacy=LEGACY))

    assert chain_end(history + b"note") == ChainEnd(Link(2, last_digest(history)), len(history))
    assert chain_end(LEGACY) == ChainEnd(None, 0)


@pytest.mark.parametrize(
    ("text", "needed"),
    [
        (b"", b""),
        (b"text", b"\n"),
        (b"text\n", b""),
        (b"```\nopen\n", b"```\n"),
        (b"~~~~\nopen", b"\n~~~~\n"),
        (b"```\nclosed\n```\n", b""),
        (b"<!-- open\n", b"-->\n"),
    ],
)
def test_an_open_block_is_closed_before_the_next_entry(text, needed):
    assert closing(text) == needed


@settings(max_examples=100)
@given(st.data())
def test_no_change_of_bytes_goes_unseen(data):
    history = b"".join(chain("a", "b\n```\n", "c", legacy=LEGACY))
    at = data.draw(st.integers(0, len(history) - 1))
    piece = data.draw(st.binary(max_size=3))
    until = data.draw(st.integers(at, min(len(history), at + 5)))
    changed = history[:at] + piece + history[until:]

    found = verify(changed, head=(3, last_digest(history)))

    assert found.ok == (_normal(changed) == _normal(history))


def _normal(history: bytes) -> bytes:
    """Without what doesn't matter: kinds of line ends, and blank lines around entries."""
    return re.sub(rb"-->(?:\n[ \t\n]*)?(?=\n### |\Z)", b"-->", lf(history))


def test_where_no_entry_begins_there_is_no_record():
    data = b"".join(chain("a"))
    with pytest.raises(ValueError, match="no history entry starts here"):
        read_record(b"x" + data, find_entry(data, 0))


def test_an_entry_with_a_status_that_does_not_exist_is_none():
    data = b"".join(chain("a")).replace(b" status=failed ", b" status=vanished ")
    assert find_entry(data, 0) is None


def test_output_that_was_made_to_look_like_its_own_fence_is_a_change_of_the_entry():
    data = render(RECORD, n=1, previous=DOCUMENT)
    changed = data.replace(b"done\n", b"done\n```sh\n")
    entry = find_entry(changed, 0)
    assert (entry.end, entry.intact) == (len(changed), False)


ARCHIVED = chain("a", "b", "c", "d", legacy=LEGACY)


@pytest.mark.parametrize("moved", [1, 2, 4])
@pytest.mark.parametrize("convert", [bytes, crlf])
def test_a_history_repeats_the_end_of_its_archive(moved, convert):
    """If someone saved a copy from before entries moved to the archive."""
    archive, rest = b"".join(ARCHIVED[:4]), ARCHIVED[4]
    again = b"".join(ARCHIVED[4 - moved : 4])
    assert repeated(archive, convert(again + rest)) == len(convert(again))
    assert repeated(archive, convert(again)) == len(convert(again))
    assert repeated(convert(archive), again + rest) == len(again)
    assert repeated(archive + b"\n", again) == 0


def test_a_history_that_follows_its_archive_repeats_nothing():
    archive, rest = b"".join(ARCHIVED[:4]), ARCHIVED[4]
    assert repeated(archive, rest) == 0
    assert repeated(b"", archive) == 0
    assert repeated(LEGACY, LEGACY) == 0


def test_a_history_that_only_quotes_the_end_of_its_archive_repeats_nothing():
    archive = b"".join(ARCHIVED[:4])
    quoted = f"see digest={last_digest(archive)} -->\n".encode()
    assert repeated(archive, quoted * 2 + ARCHIVED[4]) == 0
    assert repeated(archive, quoted[:-1]) == 0


@pytest.mark.parametrize("legacy", [b"", LEGACY])
def test_an_entry_is_found_by_its_number(legacy):
    parts = chain("a", "b", "c", legacy=legacy)
    data = b"".join(parts)
    starts = [sum(map(len, parts[:n])) for n in range(1, 4)]

    assert [entry_start(data, n, whole=True) for n in range(1, 4)] == starts
    assert entry_start(data, 4, whole=True) is None
    assert entry_start(data[:-2], 3, whole=False) is None
    assert entry_start(b"", 1, whole=True) is None


def test_an_entry_is_found_where_the_first_ones_are_gone():
    parts = chain("a", "b", "c", legacy=LEGACY)
    rest = b"".join(parts[2:])
    assert entry_start(rest, 3, whole=False) == len(parts[2])

    other = b"text before\n" + rest
    assert entry_start(other, 3, whole=True) == len(b"text before\n") + len(parts[2])
    assert entry_start(other, 3, whole=False) is None


def test_an_entry_that_was_changed_is_passed_over():
    parts = chain("a", "b", "c")
    parts[1] = parts[1].replace(b"disk full", b"disk fine")
    assert entry_start(b"".join(parts), 2, whole=True) == len(parts[0]) + len(parts[1])


def test_a_text_without_its_end_is_none():
    data = render(RECORD, n=1, previous=DOCUMENT)
    torn = data.replace(b"\nno\n```\n", b"\nno\n")
    assert len(torn) < len(data)
    record = read_record(torn, find_entry(data, 0))
    assert (record.stdout, record.stderr) == ("done\n", "")
