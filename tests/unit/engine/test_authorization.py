"""What grants, claims and a script's own run allow together."""

import dataclasses

import pytest

from runbook.api.listing import Listings
from runbook.core.access import ForeignRun, MissingPermission, Principal, Requirement
from runbook.core.permissions import ALL_GRANTS, NO_GRANTS, Grants, Permission
from runbook.core.run import Origin
from runbook.core.runbook_filter import RunbookFilter
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AccessDeniedError, NotFoundError
from runbook.store.models import RunFilter

SRE = {"roles": ["sre"]}
ANN = Principal("ann", Origin.API, SRE, grants=ALL_GRANTS)
BOB = dataclasses.replace(ANN, subject="bob")
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)
LOCAL = Principal("local:me", Origin.CLI, local=True, grants=ALL_GRANTS)
ANY_RUNBOOK = Grants.of(Permission, "Open.md")


@pytest.fixture
def rooms(workshop):
    """Two runbooks, and a run of Ann's of each."""
    workshop.write("Open")
    workshop.write("Closed", claims="roles: sre")
    workshop.runs = {name: workshop.submit(f"{name}.md", ANN) for name in ("Open", "Closed")}
    return workshop


def having(caller, *permissions, refs=()):
    return dataclasses.replace(caller, grants=Grants.of(permissions, *refs))


def read(engine, caller):
    page = engine.runs.page(caller, RunFilter(), cursor=None, limit=10)
    return sorted(run.ref for run in page.runs)


def test_claims_and_grants_must_both_allow(rooms):
    can, entry = rooms.engine.authorizer.can, rooms.engine.runbooks.entry("Closed.md")
    execute = Permission.RUNBOOK_EXECUTE
    assert can(ANN, execute, entry).allowed
    assert can(VIC, execute, entry).missing == (Requirement("roles", ("sre",), ("viewer",)),)
    assert can(having(ANN, Permission.RUN_READ), execute, entry).missing == (
        MissingPermission(execute),
    )
    assert can(dataclasses.replace(ANN, grants=ANY_RUNBOOK), execute, entry).missing == (
        MissingPermission(execute, "Closed.md"),
    )


def test_grants_bind_the_local_operator_too(rooms):
    entry = rooms.engine.runbooks.entry("Closed.md")
    nobody = dataclasses.replace(LOCAL, grants=NO_GRANTS)
    assert rooms.engine.authorizer.can(LOCAL, Permission.RUNBOOK_EXECUTE, entry).allowed
    assert not rooms.engine.authorizer.can(nobody, Permission.RUNBOOK_EXECUTE, entry).allowed


@pytest.mark.parametrize(
    ("caller", "seen"),
    [
        (ANN, ["Closed.md", "Open.md"]),
        (BOB, ["Closed.md", "Open.md"]),
        (VIC, ["Open.md"]),
        (LOCAL, ["Closed.md", "Open.md"]),
        (having(ANN, Permission.RUN_READ), ["Closed.md", "Open.md"]),
        (dataclasses.replace(ANN, grants=ANY_RUNBOOK), ["Open.md"]),
        (dataclasses.replace(LOCAL, grants=ANY_RUNBOOK), ["Open.md"]),
    ],
)
def test_who_sees_which_runs(rooms, caller, seen):
    """The same in the list, one by one, and live."""
    engine = rooms.engine
    assert read(engine, caller) == seen
    one_by_one = [run.ref for run in rooms.runs.values() if engine.runs.may_read(run, caller)]
    assert sorted(one_by_one) == seen
    live = engine.live.visible(rooms.store.runs.activity(), caller).active
    assert sorted(run.ref for run in live) == seen


def test_what_one_asked_for_is_seen_whatever_the_runbook_became(rooms):
    rooms.write("Closed", claims="roles: admin")
    assert rooms.engine.runs.may_read(rooms.runs["Closed"], ANN)
    assert not rooms.engine.runs.may_read(rooms.runs["Closed"], BOB)
    (rooms.settings.runbooks_dir / "Closed.md").unlink()
    assert rooms.engine.runs.may_read(rooms.runs["Closed"], ANN)
    assert not rooms.engine.runs.may_read(rooms.runs["Closed"], BOB)


def test_whose_run_it_is_not_is_told_apart_from_a_missing_permission(rooms):
    can, run = rooms.engine.authorizer.can, rooms.runs["Closed"]
    assert can(VIC, Permission.RUN_CANCEL, run).missing == (ForeignRun(),)
    reader = having(ANN, Permission.RUN_READ)
    assert can(reader, Permission.RUN_CANCEL, run).missing == (
        MissingPermission(Permission.RUN_CANCEL),
    )


DOOR = {
    Permission.RUNBOOK_READ: [
        lambda engine, by, _: engine.runbooks.text_for("Open.md", by),
        lambda engine, by, _: engine.runbooks.required_env("Open.md", by),
        lambda engine, by, _: engine.runbooks.input_schema("Open.md", by),
    ],
    Permission.RUNBOOK_HISTORY: [
        lambda engine, by, _: engine.runbooks.history("Open.md", by, before=None, limit=1),
        lambda engine, by, _: engine.runbooks.history_entry("Open.md", by, 1),
    ],
    Permission.RUNBOOK_VALIDATE: [
        lambda engine, by, _: engine.validate("Open.md", by, ExecuteRequest()),
        lambda engine, by, _: engine.runbooks.locks("Open.md", by, {}),
    ],
    Permission.RUNBOOK_EXECUTE: [
        lambda engine, by, _: engine.submit("Open.md", by, ExecuteRequest())
    ],
    Permission.RUN_READ: [
        lambda engine, by, _: engine.runs.page(by, RunFilter(), cursor=None, limit=1)
    ],
    Permission.RUN_CANCEL: [lambda engine, by, run: engine.cancel(run, by)],
    Permission.RUN_RERUN: [
        lambda engine, by, run: engine.retry(run, by, ExecuteRequest()),
        lambda engine, by, run: engine.resume(run, by, ExecuteRequest()),
        lambda engine, by, run: engine.undo(run, by, ExecuteRequest()),
    ],
}


@pytest.mark.parametrize(
    ("permission", "ask"), [(permission, ask) for permission in DOOR for ask in DOOR[permission]]
)
def test_the_engines_door_asks(rooms, permission, ask):
    """All but that permission do not open it, and the answer names it."""
    caller = having(ANN, *(set(Permission) - {permission}))
    with pytest.raises(AccessDeniedError) as refusal:
        ask(rooms.engine, caller, rooms.runs["Open"])
    (missing,) = refusal.value.details["missing"]
    assert (missing["code"], missing["permission"]) == ("permission", permission)


def test_a_run_that_may_not_be_read_is_not_found(rooms):
    with pytest.raises(NotFoundError):
        rooms.engine.runs.get(rooms.runs["Open"].id, having(ANN, Permission.RUNBOOK_LIST))


def test_without_the_permission_a_text_ends_at_its_history(rooms):
    text = rooms.engine.runbooks.text_for("Open.md", having(ANN, Permission.RUNBOOK_READ))
    assert text.content == text.entry.head


def test_who_may_not_read_a_runbook_does_not_search_its_text(rooms):
    lister = having(ANN, Permission.RUNBOOK_LIST)

    def found(caller, text):
        return {
            item.entry.ref: item.match
            for item in rooms.engine.runbooks.listing(caller, RunbookFilter(text))
        }

    assert found(ANN, "roles: sre")["Closed.md"].line > 1
    assert found(lister, "roles: sre") == {}
    assert found(lister, "closed") == {"Closed.md": None}


def test_equal_claims_and_other_grants_are_other_listings(rooms):
    listings = Listings()
    all_of_it = listings.body(rooms.engine, ANN)
    one = listings.body(rooms.engine, dataclasses.replace(ANN, grants=ANY_RUNBOOK))
    none = listings.body(rooms.engine, having(ANN, Permission.RUN_READ))
    readonly = listings.body(rooms.engine, having(ANN, Permission.RUNBOOK_LIST))
    assert b"Closed.md" in all_of_it.content
    assert b"Open.md" in one.content
    assert b"Closed.md" not in one.content
    assert b"Open.md" not in none.content
    assert b'"executable":true' not in readonly.content
    assert listings.body(rooms.engine, BOB) is all_of_it


def test_a_script_has_its_own_tree_whatever_refs_its_grants_name(rooms):
    parent = rooms.claim().run
    script = dataclasses.replace(
        ANN, run_id=parent.id, grants=Grants.of([Permission.RUN_READ], "Other.md")
    )
    assert read(rooms.engine, script) == [parent.ref]
    assert [rooms.engine.runs.may_read(run, script) for run in rooms.runs.values()] == [True, False]


def test_of_the_runs_that_a_run_called_only_those_are_shown_that_are_seen(rooms):
    parent = rooms.claim().run
    called = rooms.submit("Closed.md", dataclasses.replace(ANN, run_id=parent.id))
    assert [run.id for run in rooms.engine.runs.details(parent, BOB).below] == [called.id]
    assert rooms.engine.runs.details(parent, VIC).below == ()


def test_of_the_reruns_of_a_run_only_those_are_shown_that_are_seen(rooms):
    rooms.register()
    rooms.execute()
    own = rooms.submit("Open.md", VIC)
    for _ in range(2):
        rooms.execute()
    own = rooms.store.runs.get(own.id)
    rooms.write("Open", claims="roles: sre")
    rerun = rooms.engine.retry(own, ANN, ExecuteRequest()).run
    assert [run.id for run in rooms.engine.runs.details(own, BOB).reruns] == [rerun.id]
    assert rooms.engine.runs.details(own, VIC).reruns == ()
