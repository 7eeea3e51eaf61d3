"""One key, one request, one run, for a day."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from runbook.errors import IdempotencyKeyReusedError
from runbook.store.models import IdempotencyKey

DAY = 24 * 3600 * 1000


def key(caller="ada", name="k", digest="request"):
    return IdempotencyKey(caller, name, digest)


def test_the_same_request_gives_the_same_run(helper):
    first = helper.submit(idempotency=key())
    assert helper.submit(idempotency=key()) == first


def test_a_replay_shows_the_run_as_it_is_now(helper, store):
    run = helper.submit(idempotency=key())
    store.runs.claim("w", root_slots=1)
    ended = helper.finish(run.id)
    created = store.runs.create(
        helper.new(), [], store.documents.get(run.runbook.digest), idempotency=key(), max_queued=0
    )
    assert (created.run, created.replayed) == (ended, True)


def test_another_request_under_the_key_is_refused(helper, store):
    helper.submit(idempotency=key())
    with pytest.raises(IdempotencyKeyReusedError):
        helper.submit(helper.new(id="x"), idempotency=key(digest="other"))
    assert store.runs.get("x") is None


@pytest.mark.parametrize("other", [key(caller="bob"), key(name="k2")])
def test_callers_and_keys_do_not_meet(helper, other):
    first = helper.submit(idempotency=key())
    assert helper.submit(idempotency=other).id != first.id


def test_after_a_day_the_key_is_free(helper):
    first = helper.submit(idempotency=key())
    helper.clock.now += DAY - 1
    assert helper.submit(idempotency=key()).id == first.id
    helper.clock.now += 1
    second = helper.submit(idempotency=key(digest="other"))
    assert second.id != first.id
    assert helper.submit(idempotency=key(digest="other")).id == second.id


def test_fifty_threads_with_one_key_make_one_run(helper, store):
    with ThreadPoolExecutor(50) as pool:
        made = list(pool.map(lambda _: helper.submit(idempotency=key()).id, range(50)))
    assert len(set(made)) == 1
    assert len(store.runs.page().runs) == 1
