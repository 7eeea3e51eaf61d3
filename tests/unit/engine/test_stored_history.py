"""With HISTORY=store, the history that the API shows comes from the database."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.errors import AccessDeniedError, NotFoundError, RunbookError

BOB = Principal("bob", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)
ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)


@pytest.fixture
def shop(build):
    shop = build(HISTORY="store")
    shop.register()
    shop.write("Speak", "print out; print -u2 err; exit 3", claims="roles: sre")
    shop.write("Quick")
    return shop


def executed(shop, ref):
    shop.submit(ref)
    return shop.execute()


def page(shop, ref, before=None, limit=50):
    return shop.engine.runbooks.history(ref, ANN, before=before, limit=limit)


def test_entries_are_the_finished_runs_of_the_runbook(shop):
    before = shop.write("Quick").read_bytes()
    runs = [executed(shop, ref) for ref in ("Quick.md", "Speak.md", "Quick.md")]
    shop.submit("Quick.md")  # is queued
    found = page(shop, "Quick.md")
    assert [entry.n for entry in found.entries] == [runs[2].seq, runs[0].seq]
    newest = found.entries[0]
    assert (newest.record.run_id, newest.record.who, newest.sound) == (runs[2].id, "ann", True)
    assert found.next_before is None
    assert (shop.settings.runbooks_dir / "Quick.md").read_bytes() == before


def test_an_entry_has_the_output(shop):
    run = executed(shop, "Speak.md")
    record = shop.engine.runbooks.history_entry("Speak.md", ANN, run.seq).record
    assert (record.stdout, record.stderr, record.return_code) == ("out\n", "err\n", 3)
    assert record.document == run.runbook.digest


def test_the_output_of_an_entry_is_bounded(build):
    shop = build(HISTORY="store", HISTORY_ENTRY_BYTES="1024")
    shop.register()
    shop.write("Long", "print -r -- ${(l:50000::x:)}")
    run = executed(shop, "Long.md")
    record = shop.engine.runbooks.history_entry("Long.md", ANN, run.seq).record
    assert len(record.stdout) < 2048


def test_a_refusal_is_an_entry_with_its_reason(shop):
    with pytest.raises(RunbookError):
        shop.submit("Speak.md", BOB)
    (entry,) = page(shop, "Speak.md").entries
    assert (entry.record.return_code, entry.record.who) == (403, "bob")
    assert "roles" in shop.engine.runbooks.history_entry("Speak.md", ANN, entry.n).record.error


def test_pages_follow_one_another(shop):
    runs = [executed(shop, "Quick.md") for _ in range(5)]
    seen, before = [], None
    while True:
        found = page(shop, "Quick.md", before, limit=2)
        seen += [entry.n for entry in found.entries]
        before = found.next_before
        if before is None:
            break
    assert seen == [run.seq for run in reversed(runs)]


@pytest.mark.parametrize("before", [0, -5])
def test_nothing_is_before_the_first_run(shop, before):
    executed(shop, "Quick.md")
    assert page(shop, "Quick.md", before).entries == ()


def test_other_numbers_are_not_found(shop):
    run = executed(shop, "Quick.md")
    other = executed(shop, "Speak.md")
    for number in (other.seq, run.seq + 100, 0):
        with pytest.raises(NotFoundError):
            shop.engine.runbooks.history_entry("Quick.md", ANN, number)


def test_the_permission_is_required(shop):
    run = executed(shop, "Speak.md")
    for ask in (
        lambda: shop.engine.runbooks.history("Speak.md", BOB, before=None, limit=1),
        lambda: shop.engine.runbooks.history_entry("Speak.md", BOB, run.seq),
    ):
        with pytest.raises(AccessDeniedError):
            ask()
