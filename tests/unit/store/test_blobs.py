"""The files that runs begin with: kept once, and no longer than the runs."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from runbook.core.run_files import RunFile, RunFiles, digest_of
from runbook.core.status import RunStatus
from runbook.errors import IdempotencyKeyReusedError, NotFoundError
from runbook.store.models import IdempotencyKey
from runbook.store.tables import blobs, run_files


def files(**contents: bytes) -> RunFiles:
    found = [
        RunFile(name, 0o600, digest_of(content), len(content))
        for name, content in sorted(contents.items())
    ]
    return RunFiles(tuple(found), {digest_of(content): content for content in contents.values()})


def rows(store, table) -> int:
    return store._database.read(lambda c: c.scalar(sa.select(sa.func.count()).select_from(table)))


def test_a_run_has_its_files(helper, store):
    odd = RunFiles(
        (
            RunFile("conf", 0o700),
            RunFile("conf/empty", 0o600, digest_of(b"")),
            RunFile("conf/\udcff", 0o700, digest_of(b"tool"), 4),
        ),
        {digest_of(b"tool"): b"tool", digest_of(b""): b""},
    )
    run = helper.submit(files=odd)
    assert store.blobs.files_of(run.id) == odd.files
    assert store.blobs.content(digest_of(b"tool")) == b"tool"
    assert store.blobs.content(digest_of(b"")) == b""
    assert store.blobs.content("none") is None
    assert store.blobs.files_of("none") == ()


def test_what_two_runs_share_is_kept_once(helper, store):
    first = helper.submit(files=files(a=b"same", b=b"same", c=b"first"))
    second = helper.submit(files=files(a=b"same", c=b"second"))
    assert (rows(store, blobs), rows(store, run_files)) == (3, 5)
    assert [file.path for file in store.blobs.files_of(first.id)] == ["a", "b", "c"]
    assert [file.path for file in store.blobs.files_of(second.id)] == ["a", "c"]


def test_files_that_are_kept_need_no_content(helper, store):
    first = helper.submit(files=files(a=b"same"))
    kept = RunFiles(store.blobs.files_of(first.id))
    second = helper.submit(files=kept)
    assert store.blobs.files_of(second.id) == kept.files


def test_files_whose_content_is_gone_make_no_run(helper, store):
    lost = RunFiles(files(a=b"lost").files)
    with pytest.raises(NotFoundError):
        helper.submit(files=lost)
    assert store.runs.page().runs == ()
    assert rows(store, run_files) == 0


def test_more_files_than_a_statement_takes_parameters(helper, store):
    many = files(**{f"f{number:04}": str(number).encode() for number in range(1000)})
    run = helper.submit(files=many)
    assert store.blobs.files_of(run.id) == many.files
    assert rows(store, blobs) == 1000


def test_the_same_request_again_keeps_nothing_more(helper, store):
    key = IdempotencyKey("ada", "k", "x")
    run = helper.submit(idempotency=key, files=files(a=b"1"))
    assert helper.submit(idempotency=key, files=files(a=b"2")).id == run.id
    with pytest.raises(IdempotencyKeyReusedError):
        helper.submit(idempotency=IdempotencyKey("ada", "k", "y"), files=files(a=b"3"))
    assert (rows(store, blobs), rows(store, run_files)) == (1, 1)


def test_contents_go_with_the_last_run_that_names_them(helper, store):
    first = helper.submit(files=files(a=b"both", b=b"first"))
    store.runs.claim("w", root_slots=1, only=first.id)
    helper.finish(first.id)
    helper.clock.now += 2
    second = helper.submit(files=files(a=b"both"))
    gone = store.maintenance.purge(helper.clock.now)
    assert (gone.runs, gone.blobs) == (1, 1)
    assert store.blobs.content(digest_of(b"first")) is None
    assert store.blobs.content(digest_of(b"both")) == b"both"
    assert len(store.blobs.files_of(second.id)) == 1
    store.runs.claim("w", root_slots=1, only=second.id)
    helper.finish(second.id, RunStatus.FAILED)
    assert store.maintenance.purge(helper.clock.now + 2).blobs == 1
    assert (rows(store, blobs), rows(store, run_files)) == (0, 0)


def test_many_contents_go_in_short_transactions(helper, store, monkeypatch):
    for part in range(3):
        run = helper.submit(files=files(**{f"f{n}": f"{part}.{n}".encode() for n in range(150)}))
        store.runs.claim("w", root_slots=1, only=run.id)
        helper.finish(run.id)
    deleted = []
    write = store._database.write

    def watched(work, **options):
        result = write(work, **options)
        deleted.append(result)
        return result

    monkeypatch.setattr(store._database, "write", watched)
    gone = store.maintenance.purge(helper.clock.now + 1)
    assert (gone.runs, gone.blobs) == (3, 450)
    # A transaction forgets the rows of one run, with its few events; or a few contents.
    assert deleted.count(3) == 3
    assert max(deleted) <= 10


def test_a_run_without_files_costs_no_statement_more(helper, store):
    """Counts statements at the point that all of them pass."""
    asked: list[str] = []
    engine = store._database.engine()
    sa.event.listen(engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    helper.queued()
    assert asked
    assert [text for text in asked if "blobs" in text or "run_files" in text] == []
    helper.submit(files=files(a=b"1"))
    assert [text for text in asked if "blobs" in text or "run_files" in text] != []
