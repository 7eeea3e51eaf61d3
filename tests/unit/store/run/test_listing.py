"""Reading runs."""

import pytest

from runbook.core.run import Origin, Relation, Requester, RerunOf
from runbook.core.status import RunStatus
from runbook.errors import RequestError
from runbook.store.models import RunFilter, Visibility


def ids(page):
    return [run.id for run in page.runs]


def by(subject):
    return Requester(subject, Origin.API)


def test_newest_first_in_pages(helper, store):
    made = [helper.queued().id for _ in range(5)]
    first = store.runs.page(limit=2)
    helper.queued()
    second = store.runs.page(cursor=first.next_cursor, limit=2)
    third = store.runs.page(cursor=second.next_cursor, limit=2)
    assert ids(first) + ids(second) + ids(third) == made[::-1]
    assert third.next_cursor is None


def test_a_page_is_between_1_and_200(helper, store):
    for _ in range(2):
        helper.queued()
    assert len(store.runs.page(limit=0).runs) == 1
    assert len(store.runs.page(limit=10**9).runs) == 2


@pytest.mark.parametrize(
    "cursor", ["", "x", "é", "LTE", "eA", "a" * 100, "MTIzNDU2Nzg5MDEyMzQ1Njc4OTA"]
)
def test_a_cursor_of_somebodys_own_making(store, cursor):
    with pytest.raises(RequestError):
        store.runs.page(cursor=cursor)


class TestVisibility:
    def test_by_runbook_or_by_having_asked(self, helper, store):
        seen = helper.queued(ref="seen.md", requester=by("bob"))
        mine = helper.queued(ref="other.md", requester=by("ada"))
        helper.queued(ref="other.md", requester=by("bob"))
        visible = Visibility(frozenset({"seen.md"}), "ada")
        assert ids(store.runs.page(RunFilter(visible=visible))) == [mine.id, seen.id]

    def test_nothing_by_default(self, helper, store):
        helper.queued()
        assert store.runs.page(RunFilter(visible=Visibility())).runs == ()

    def test_with_thousands_of_runbooks(self, helper, store):
        seen = helper.queued(ref="r4999.md", requester=by("bob"))
        helper.queued(ref="r5000.md", requester=by("bob"))
        refs = frozenset(f"r{i}.md" for i in range(5000))
        assert ids(store.runs.page(RunFilter(visible=Visibility(refs, "ada")))) == [seen.id]

    def test_other_filters_do_not_widen_it(self, helper, store):
        helper.queued(ref="other.md", requester=by("bob"))
        wanted = RunFilter(visible=Visibility(frozenset(), "ada"), refs=frozenset({"other.md"}))
        assert store.runs.page(wanted).runs == ()


class TestFilter:
    @pytest.fixture
    def made(self, helper):
        """One run at 100 with everything set, among others."""
        helper.clock.now = 99
        helper.queued(ref="x.md", name="X", requester=by("bob"))
        helper.clock.now = 100
        one = helper.queued(
            ref="fleet/Poll.md", name="Poll", reason="50% of_it", root_id="r", parent_id="p"
        )
        helper.clock.now = 101
        helper.queued(ref="x.md", name="X", reason="50 of it", requester=by("bob"))
        return one

    @pytest.mark.parametrize(
        "wanted",
        [
            RunFilter(ids=frozenset({"run-1", "run-9"})),
            RunFilter(refs=frozenset({"fleet/Poll.md", "y.md"})),
            RunFilter(subject="ada"),
            RunFilter(since=100, until=101),
            RunFilter(root_id="r"),
            RunFilter(parent_id="p"),
            RunFilter(text="LEET/p"),
            RunFilter(text="poll"),
            RunFilter(text="% of_"),
            RunFilter(text="run-1"),
            RunFilter(refs=frozenset({"fleet/Poll.md"}), subject="ada", text="poll", since=1),
        ],
    )
    def test_it_finds_the_one(self, store, made, wanted):
        assert ids(store.runs.page(wanted)) == [made.id]

    def test_by_status(self, helper, store):
        queued, ended = helper.queued(), helper.ended()
        wanted = RunFilter(statuses=frozenset({RunStatus.SUCCEEDED, RunStatus.FAILED}))
        assert ids(store.runs.page(wanted)) == [ended.id]
        assert ids(store.runs.page(RunFilter(statuses=frozenset({RunStatus.QUEUED})))) == [
            queued.id
        ]

    def test_by_whether_it_has_ended(self, helper, store):
        running, ended, queued = helper.running(), helper.ended(), helper.queued()
        assert ids(store.runs.page(RunFilter(active=True))) == [queued.id, running.id]
        assert ids(store.runs.page(RunFilter(active=False))) == [ended.id]

    def test_by_relation_and_dry_run(self, helper, store):
        one = helper.queued(rerun_of=RerunOf(Relation.RETRY, "x"), dry_run=True)
        other = helper.queued(rerun_of=RerunOf(Relation.UNDO, "x"))
        plain = helper.queued()
        assert ids(store.runs.page(RunFilter(relation=Relation.RETRY))) == [one.id]
        assert ids(store.runs.page(RunFilter(dry_run=True))) == [one.id]
        assert ids(store.runs.page(RunFilter(dry_run=False))) == [plain.id, other.id]

    @pytest.mark.parametrize("text", ["\0", "Poll\0", "50% of\0"])
    def test_a_text_that_none_can_contain(self, store, made, text):
        """SQLite would look for what is before the NUL."""
        assert store.runs.page(RunFilter(text=text)).runs == ()

    def test_no_refs_at_all(self, store, made):
        assert store.runs.page(RunFilter(refs=frozenset())).runs == ()


class TestTree:
    @pytest.fixture
    def family(self, helper):
        """A root, two children, a grandchild; and a stranger."""
        root = helper.queued(id="root")
        one = helper.queued(id="one", parent_id="root", root_id="root")
        two = helper.queued(id="two", parent_id="root", root_id="root")
        deep = helper.queued(id="deep", parent_id="one", root_id="root")
        helper.queued(id="stranger")
        return [root, one, two, deep]

    def test_children_and_descendants_oldest_first(self, store, family):
        assert [run.id for run in store.runs.children("root")] == [run.id for run in family[1:3]]
        below = {
            (run_id, most): [run.id for run in store.runs.below(run_id, most)]
            for run_id, most in (("root", 9), ("root", 2), ("one", 9), ("nobody", 9))
        }
        assert below == {
            ("root", 9): ["one", "two", "deep"],
            ("root", 2): ["one", "two"],
            ("one", 9): ["deep"],
            ("nobody", 9): [],
        }


def test_active_runs_oldest_first(helper, store):
    helper.ended()
    running, queued, waiting = helper.running(), helper.queued(), helper.waiting()
    active = [run.id for run in store.runs.active()]
    assert active == [running.id, queued.id, "holder", waiting.id]


def test_queue_stats(helper, store):
    empty = store.runs.queue_stats()
    assert (empty.queued, empty.oldest_queued_at, empty.running) == (0, None, 0)
    helper.ended()
    helper.running()
    oldest = helper.queued()
    helper.clock.now += 10
    helper.queued()
    helper.waiting()  # for a run that is running
    stats = store.runs.queue_stats()
    assert (stats.queued, stats.running, stats.waiting) == (2, 2, 1)
    assert stats.oldest_queued_at == oldest.times.created_at


def test_the_last_lost_run_is_the_one_that_ended_last(helper, store):
    assert store.runs.last_lost_at() is None
    older = helper.running()
    helper.ended(RunStatus.LOST)
    helper.clock.now += 10
    helper.finish(older.id, RunStatus.LOST)
    lost_at = helper.clock.now
    helper.clock.now += 10
    helper.ended(RunStatus.FAILED)

    assert store.runs.last_lost_at() == store.runs.get(older.id).times.finished_at == lost_at


def test_known_runs(helper, store):
    made = helper.queued()
    assert store.runs.known([made.id, "other"]) == {made.id}
    assert store.runs.known([]) == frozenset()


class TestActivity:
    def test_active_runs_oldest_first(self, helper, store):
        running, _ended, queued = helper.running(), helper.ended(), helper.queued(root_id="r")
        first, second = store.runs.activity().active
        assert (first.id, first.ref, first.status) == (running.id, running.ref, RunStatus.RUNNING)
        assert (second.id, second.status, second.root_id) == (queued.id, RunStatus.QUEUED, "r")
        assert (second.by, second.created_at) == (queued.requester.subject, queued.times.created_at)
        assert second.waiting is None

    def test_the_revision_is_another_one_after_each_new_and_each_ended_run(self, helper, store):
        seen = [store.runs.activity().revision]
        helper.queued()
        seen.append(store.runs.activity().revision)
        helper.ended()
        seen.append(store.runs.activity().revision)
        assert seen == sorted(set(seen))
        assert store.runs.activity().revision == seen[-1]
