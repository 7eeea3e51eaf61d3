"""Reads and searches of the log, compared with a model that stores it as a whole."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook.core.events import EventType
from runbook.core.run import Origin, Requester, RunbookVersion, RunRequest, RunTree
from runbook.core.status import RunStatus
from runbook.errors import NotFoundError, RequestError
from runbook.store.log import logs
from runbook.store.log.lines import MAX_LINE_BYTES
from runbook.store.models import LogQuery, NewEvent, NewRun, StoredDocument
from runbook.store.store import Store

OUT, ERR = EventType.STDOUT, EventType.STDERR


class Model:
    """A log as its definition says: whole, in memory."""

    def __init__(self, pieces):
        self.events, self.text, stream = [], "", None
        self.streams = {}
        for at, (kind, text) in enumerate(pieces, 1):
            if stream not in (None, kind) and not self.text.endswith("\n"):
                self.text += "\n"
            stream = kind
            line = self.text.count("\n") + 1
            offset = len(self.text.encode())
            self.events.append(NewEvent(at, kind, text=text, line=line, offset=offset))
            for char in text:
                self.streams.setdefault(line, (kind, at))
                line += char == "\n"
            self.text += text

    @property
    def lines(self):
        """(number, stream, at, text) of each line."""
        *whole, rest = self.text.split("\n")
        texts = [*whole, rest] if rest else whole
        return [(n, *self.streams[n], text) for n, text in enumerate(texts, 1)]

    def holding(self, query):
        folded = query.casefold()
        return [line for line in self.lines if folded in line[3].casefold()]


def search(store, text, *, run_id="r", **how):
    """What a search gives: how many lines match, and those that were asked for."""
    found = store.logs.search(run_id, LogQuery(text, **how))
    hits = list(found)
    return found.count, hits


def plain(lines):
    return [(line.number, line.stream, line.at, line.text) for line in lines]


def write(store, model, run_id="r", per_append=3):
    document = StoredDocument("d" * 64, b"")
    run = NewRun(
        id=run_id,
        runbook=RunbookVersion("a.md", "A", document.digest),
        status=RunStatus.RUNNING,
        requester=Requester("ada", Origin.API),
        correlation_id="c",
        tree=RunTree(("a.md",)),
        request=RunRequest(),
        assigned_to="w",
    )
    store.runs.create(run, [NewEvent(0, EventType.QUEUED)], document)
    notice = NewEvent(0, EventType.NOTICE, data={"text": "between"})
    for start in range(0, len(model.events), per_append):
        batch = [*model.events[start : start + per_append], notice]
        store.events.append(run_id, batch, worker_id="w")


@pytest.fixture
def log(store):
    """Make a log of pieces, between two other runs with logs of their own."""

    def make(*pieces):
        other = Model([(OUT, "other NEEDLE\n" * 3)])
        write(store, other, "before")
        model = Model(pieces)
        write(store, model)
        write(store, other, "after")
        return model

    return make


def test_an_unfinished_line_ends_where_the_other_stream_begins(log, store):
    log((OUT, "one"), (ERR, "two\n"), (ERR, "three"), (OUT, "\n"))
    assert store.logs.range("r", 0, 100) == b"one\ntwo\nthree\n\n"
    assert plain(store.logs.lines("r", 1, 10)) == [
        (1, OUT, 1, "one"),
        (2, ERR, 2, "two"),
        (3, ERR, 3, "three"),
        (4, OUT, 4, ""),
    ]
    assert (store.logs.size("r").bytes, store.logs.size("r").lines) == (15, 4)


def test_a_range_may_begin_or_end_at_the_newline_between_events(log, store):
    log((OUT, "ab"), (ERR, "cd"))
    found = [store.logs.range("r", start, 2) for start in range(6)]
    assert found == [b"ab", b"b\n", b"\nc", b"cd", b"d", b""]
    assert store.logs.range("r", 2, 1) == b"\n"
    assert store.logs.range("r", -5, 1) == b"a"
    assert store.logs.range("r", 10**30, 10**30) == b""
    assert store.logs.range("r", 0, -1) == b""


@pytest.mark.parametrize("batch", [1, 4, 6, 1000])
def test_a_hit_across_pieces_of_a_line(log, store, monkeypatch, batch):
    monkeypatch.setattr(logs, "BATCH_BYTES", batch)
    log((OUT, "x ne"), (OUT, "ed"), (OUT, "LE y\nneed"), (ERR, "le"))
    for is_pattern in (False, True):
        count, hits = search(store, "Needle", is_pattern=is_pattern)
        assert (count, plain(hits)) == (1, [(1, OUT, 1, "x needLE y")])


def test_a_search_counts_all_lines_and_gives_those_asked_for(log, store):
    log((OUT, "hit hit\nno\n" * 10))
    given = {
        how: search(store, "hit", skip=how[0], limit=how[1]) for how in [(0, 2), (8, 5), (3, 0)]
    }
    assert {count for count, _hits in given.values()} == {10}
    numbers = [[line.number for line in hits] for _count, hits in given.values()]
    assert numbers == [[1, 3], [17, 19], []]
    assert search(store, "hit", skip=10**15)[1] == []


@pytest.mark.parametrize("query", ["straße", "STRASSE", "ΑΣ", "ας", "İ", "i̇"])
def test_case_is_unicode_case(log, store, query):
    log((OUT, "Straße αΣ İ\n"))
    assert search(store, query)[0] == 1


def test_a_query_over_two_lines_finds_nothing(log, store):
    log((OUT, "a\nb\n"))
    assert search(store, "a\nb")[0] == search(store, "a\nb", is_pattern=True)[0] == 0


def test_hits_come_as_they_are_found(log, store, monkeypatch):
    monkeypatch.setattr(logs, "BATCH_BYTES", 64)
    model = log(*[(OUT, f"{i} needle\n") for i in range(100)])
    found = store.logs.search("r", LogQuery("needle"))
    assert plain([next(iter(found))]) == model.lines[:1]
    assert found.count < 100
    assert plain(search(store, "NEEDLE", skip=90)[1]) == model.lines[90:]


def test_a_very_long_line_is_cut_and_yet_searched_to_its_end(log, store, monkeypatch):
    monkeypatch.setattr(logs, "BATCH_BYTES", 50_000)
    log(*[(OUT, "é" * 20_000)] * 5, (OUT, "nee"), (OUT, "dle needle"), (OUT, " needle\nb\n"))
    cut, last = store.logs.lines("r", 1, 2)
    assert (cut.text, cut.cut) == ("é" * (MAX_LINE_BYTES // 2), True)
    assert (last.number, last.text, last.cut) == (2, "b", False)
    count, hits = search(store, "needle")
    assert (count, [line.number for line in hits]) == (1, [1])
    # A pattern looks at as much of a line as a reader is given of it.
    assert search(store, "needle", is_pattern=True) == (0, [])
    assert [line.number for line in search(store, "^b$|é$", is_pattern=True)[1]] == [1, 2]


def test_an_empty_log(log, store):
    log()
    assert store.logs.range("r", 0, 10) == b""
    assert store.logs.lines("r", 1, 10) == []
    assert search(store, "needle") == search(store, "$", is_pattern=True) == (0, [])


def test_lines_beyond_the_end(log, store):
    log((OUT, "a\n"))
    assert store.logs.lines("r", 2, 10) == []
    assert store.logs.lines("r", 10**30, 10) == []
    assert store.logs.lines("r", 1, 0) == []
    assert [line.text for line in store.logs.lines("r", -3, 10)] == ["a"]


def test_what_a_running_run_adds_is_seen(log, store):
    log((OUT, "ab"))
    store.events.append("r", [NewEvent(9, OUT, text="c\nd", line=1, offset=2)], worker_id="w")
    assert store.logs.range("r", 0, 100) == b"abc\nd"
    assert plain(store.logs.lines("r", 1, 9)) == [(1, OUT, 1, "abc"), (2, OUT, 9, "d")]
    assert search(store, "BC")[0] == 1


def test_an_empty_query_is_refused(log, store):
    log((OUT, "a\n"))
    with pytest.raises(RequestError):
        store.logs.search("r", LogQuery(""))


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.logs.size("nobody"),
        lambda store: store.logs.range("nobody", 0, 1),
        lambda store: store.logs.lines("nobody", 1, 1),
        lambda store: store.logs.search("nobody", LogQuery("x")),
    ],
)
def test_an_unknown_run(store, read):
    with pytest.raises(NotFoundError):
        read(store)


_TEXT = st.text(st.sampled_from("aAbBßſ\né\0 "), min_size=1, max_size=12)
_PIECES = st.lists(st.tuples(st.sampled_from([OUT, ERR]), _TEXT), max_size=25)


@settings(deadline=None, max_examples=30, suppress_health_check=list(HealthCheck))
@given(
    pieces=_PIECES,
    batch=st.integers(1, 40),
    ranges=st.lists(st.tuples(st.integers(0, 300), st.integers(0, 80)), min_size=5, max_size=5),
    queries=st.lists(st.text(st.sampled_from("aAbBßséE \0"), min_size=1, max_size=3), min_size=3),
    first=st.integers(1, 20),
)
def test_any_log_reads_as_its_model(lend, monkeypatch, pieces, batch, ranges, queries, first):
    monkeypatch.setattr(logs, "BATCH_BYTES", batch)
    with lend() as url:
        assert_reads_as(Model(pieces), Store(url), ranges, queries, first)


def assert_reads_as(model, store, ranges, queries, first):
    write(store, model)
    whole = model.text.encode()
    assert (store.logs.size("r").bytes, store.logs.size("r").lines) == (
        len(whole),
        len(model.lines),
    )
    for start, length in [*ranges, (0, len(whole))]:
        assert store.logs.range("r", start, length) == whole[start : start + length]
    assert plain(store.logs.lines("r", first, 4)) == model.lines[first - 1 : first + 3]
    for stream in (OUT, ERR):
        of_stream = [line for line in model.lines[first - 1 :] if line[1] is stream]
        assert plain(store.logs.lines("r", first, 4, stream)) == of_stream[:4]
    for query in queries:
        expected = model.holding(query)
        count, hits = search(store, query, skip=first - 1, limit=5)
        assert (count, plain(hits)) == (len(expected), expected[first - 1 : first + 4])
    store.close()
