"""What scripts recorded, in the hands of later attempts. Files stand for another system."""

import textwrap

import pytest

from runbook.core.events import EventType
from runbook.core.run import Relation
from runbook.core.status import RunStatus
from runbook.script.limits import EffectState

# What each script begins with: `there` reads whether a change was made.
BEGIN = """
import os, signal, sys
from pathlib import Path
from runbook.connectors.effects import earlier, effect
from runbook.connectors.errors import ConnectorError, ErrorCode
world = Path({world!r})

def there(change):
    return (world / change.probe["name"]).exists()

def make(name, *, then=lambda: None, before=lambda: None):
    with effect("make " + name, key="thing", probe={{"name": name}}) as change:
        before()
        with (world / name).open("x"):
            pass
        then()
        change.outcome["size"] = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

"""
UNDO = """
for change in earlier("thing"):
    print(change.state, change.what, dict(change.outcome), there(change))
    (world / change.probe["name"]).unlink(missing_ok=True)
    change.undone()
"""
AGAIN = """
for change in earlier("thing"):
    if there(change):
        change.adopt()
        print("adopted", change.probe["name"])
        sys.exit()
    change.did_not_happen()
make("new")
"""


@pytest.fixture
def world(tmp_path):
    folder = tmp_path / "world"
    folder.mkdir()
    return folder


@pytest.fixture
def job(workshop, world):
    """Writes Job.md, whose first step is this script."""

    def write(script, *, undo=UNDO, policy="{}"):
        begin = BEGIN.format(world=str(world))
        code = [textwrap.dedent(begin + text).strip() for text in (script, undo)]
        first = f"## Make\n\n```python\n{code[0]}\n```\n\n### Undo\n\n```python\n{code[1]}\n```\n"
        return workshop.write_steps("Job", first, policy=policy)

    return write


@pytest.fixture
def execute(workshop, job):
    def call(script, **more):
        job(script, **more)
        workshop.submit("Job.md")
        return workshop.execute()

    return call


@pytest.fixture
def effects(workshop):
    """The run's changes: what, state, and the run that said last what became of it."""

    def of(run):
        found = workshop.store.effects.of(run.id)
        return [(one.probe["name"], one.state, one.settled_by) for one in found]

    return of


def test_a_change_is_on_record_before_it_is_made(workshop, world, execute, effects):
    run = execute('make("a", before=die)')
    assert run.status is RunStatus.FAILED
    assert effects(run) == [("a", EffectState.INTENDED, None)]
    assert not (world / "a").exists()
    (found,) = workshop.store.effects.of(run.id)
    assert (found.key, found.what, found.step, found.step_name) == ("thing", "make a", 1, "Make")


def test_what_became_of_it_is_on_record(workshop, execute, effects):
    run = execute('make("a")')
    assert run.success
    assert effects(run) == [("a", EffectState.DONE, run.id)]
    assert workshop.store.effects.of(run.id)[0].outcome == {"size": 0}


def test_what_surely_was_not_made_is_no_change(execute, effects):
    script = """
def refuse():
    raise ConnectorError("no", ErrorCode.REFUSED, nothing_changed=True)
make("a", before=refuse)
"""
    run = execute(script)
    assert run.result.return_code == 14
    assert effects(run) == [("a", EffectState.FAILED, run.id)]


@pytest.mark.parametrize(("answered", "may_still_come"), [("True", False), ("False", True)])
def test_a_change_with_an_answer_is_not_waited_for(
    workshop, execute, rerun, effects, answered, may_still_come
):
    script = f"""
def fail():
    raise ConnectorError("no", ErrorCode.SERVER, answered={answered})
make("a", then=fail)
"""
    run = execute(script, undo="print([it.may_still_come for it in earlier()])")
    assert effects(run) == [("a", EffectState.INTENDED, None if may_still_come else run.id)]
    assert workshop.output(rerun("undo", run)) == f"[{may_still_come}]\n"


@pytest.mark.parametrize("moment", ["before", "then"])
def test_a_step_that_was_killed_is_undone_by_what_it_recorded(
    workshop, world, execute, rerun, effects, moment
):
    run = execute(f'make("a", {moment}=die)')

    undo = rerun("undo", run)

    assert undo.success
    assert workshop.output(undo) == f"intended make a {{}} {moment == 'then'}\n"
    assert not list(world.iterdir())
    assert effects(run) == [("a", EffectState.UNDONE, undo.id)]
    assert effects(undo) == []


def test_a_failing_run_undoes_the_step_that_failed_too(workshop, world, execute, effects):
    job_policy = "on_failure: undo"
    script = 'make("a")\nmake("b", then=die)'
    run = execute_with_family(workshop, execute, script, job_policy)
    (child,) = workshop.store.runs.reruns(run.id)
    assert child.relation is Relation.UNDO
    assert child.success
    assert not list(world.iterdir())
    assert [state for _, state, _ in effects(run)] == [EffectState.UNDONE] * 2


def execute_with_family(workshop, execute, script, policy):
    workshop_execute, workshop.execute = workshop.execute, workshop.execute_family
    try:
        return execute(script, policy=policy)
    finally:
        workshop.execute = workshop_execute


def test_a_retry_adopts_what_is_there(workshop, world, job, execute, rerun, effects):
    run = execute('make("a", then=die)')
    job(AGAIN)

    again = rerun("retry", run)

    assert again.success
    assert workshop.output(again) == "adopted a\n"
    assert [path.name for path in world.iterdir()] == ["a"]
    assert effects(run) == [("a", EffectState.ADOPTED, again.id)]
    assert effects(again) == [("a", EffectState.DONE, again.id)]


def test_what_was_adopted_is_undone_with_the_run_that_adopted_it(
    world, job, execute, rerun, effects, conflict, workshop
):
    run = execute('make("a", then=die)')
    job(AGAIN)
    again = rerun("retry", run)

    assert conflict(rerun, "undo", run)[0] == "no_step_to_undo"
    assert (world / "a").exists()
    assert rerun("undo", again).success
    assert not list(world.iterdir())
    assert [state for _, state, _ in effects(again)] == [EffectState.UNDONE]


def test_a_retry_makes_what_is_not_there(world, job, execute, rerun, effects):
    run = execute('make("a", before=die)')
    job(AGAIN)

    again = rerun("retry", run)

    assert [path.name for path in world.iterdir()] == ["new"]
    assert effects(run) == [("a", EffectState.FAILED, again.id)]
    assert effects(again) == [("new", EffectState.DONE, again.id)]


def test_a_chain_of_retries_knows_the_changes_of_all(world, job, execute, rerun, effects):
    run = execute('make("a", then=die)')
    job("die()")
    second = rerun("retry", run)
    job(AGAIN)

    third = rerun("retry", second)

    assert third.success
    assert [path.name for path in world.iterdir()] == ["a"]
    assert effects(run) == [("a", EffectState.ADOPTED, third.id)]


def test_a_retry_that_adopted_nothing_has_nothing_to_undo(
    world, job, execute, rerun, effects, conflict
):
    """It must not remove what it did not make."""
    run = execute('make("a", then=die)')
    job("die()")
    again = rerun("retry", run)
    assert conflict(rerun, "undo", again)[0] == "no_step_to_undo"
    assert (world / "a").exists()
    assert rerun("undo", run).success
    assert not list(world.iterdir())


def test_an_undo_of_a_resumed_run_undoes_what_both_made(world, job, execute, rerun, effects):
    run = execute('make("a" if not list(world.iterdir()) else "b", then=die)')
    resumed = rerun("resume", run, None)
    assert sorted(path.name for path in world.iterdir()) == ["a", "b"]
    assert rerun("undo", resumed).success
    assert not list(world.iterdir())


def test_a_retry_of_a_run_that_succeeded_starts_anew(world, job, execute, rerun, effects):
    run = execute('make("a")')
    job(AGAIN)

    again = rerun("retry", run)

    assert sorted(path.name for path in world.iterdir()) == ["a", "new"]
    assert [state for _, state, _ in effects(run)] == [EffectState.DONE]
    assert rerun("undo", again).success
    assert [path.name for path in world.iterdir()] == ["a"]


def test_a_later_try_of_a_step_knows_what_the_first_one_made(workshop, world, execute, effects):
    script = """
for change in earlier("thing"):
    change.adopt(late=True)
    sys.exit()
make("a", then=die)
"""
    run = execute(script, policy="retry: 2")
    assert run.success
    assert effects(run) == [("a", EffectState.DONE, run.id)]
    assert workshop.store.effects.of(run.id)[0].outcome == {"late": True}


def test_a_dry_run_records_nothing(workshop, job, world, effects):
    script = """
from runbook.connectors.effects import plan_change
with effect("make a", key="thing", probe={"name": "a"}):
    plan_change("TOUCH a")
"""
    job(script, policy="dry_run: supported")
    workshop.submit("Job.md", dry_run=True)
    run = workshop.execute()
    assert run.success
    assert effects(run) == []
    plans = [data for data in workshop.data(run, EventType.PLAN) if "preview" not in data]
    assert plans == [{"text": "make a: TOUCH a", "label": "verified"}]


@pytest.mark.parametrize(
    "script",
    [
        'with effect("x", key="k", probe={"deep": [{"n": os.environ["SECRET"]}]}): pass',
        'with effect("x", key="k", probe={"n": "nul \\0"}): pass',
        'with effect("x", key="no key", probe={}): pass',
        'with effect("x", key="k", probe={"n": "x" * 5000}): pass',
    ],
)
def test_what_can_not_be_recorded_is_not_done(workshop, job, effects, script):
    path = job(f"{script}\nPath(world / 'made').touch()")
    secret = "SECRET: {type: secret, description: A secret.}"
    text = path.read_text().replace("```yaml\n\n```", f"```yaml\n{secret}\n```", 1)
    path.write_text(text)
    workshop.submit("Job.md", env_vars={"SECRET": "hunter2222"})
    run = workshop.execute()
    assert run.status is RunStatus.FAILED
    assert effects(run) == []


def test_another_runs_change_is_not_settled(workshop, execute, effects):
    first = execute('make("a")')
    script = f"""
from runbook.script import effects
effects.settle(os.environ["RUNBOOK_EFFECTS"], "{first.id}/1", effects.EffectState.UNDONE, {{}})
"""
    second = execute(script)
    assert second.status is RunStatus.FAILED
    assert effects(first) == [("a", EffectState.DONE, first.id)]


def test_the_runs_json_shows_its_changes(workshop, execute):
    from runbook.core.access import Principal
    from runbook.core.permissions import ALL_GRANTS
    from runbook.core.run import Origin
    from runbook.resources.run import whole_run_json

    run = execute('make("a")')
    ann = Principal("ann", Origin.API, {}, None, grants=ALL_GRANTS)
    (shown,) = whole_run_json(workshop.engine.runs.details(run, ann))["effects"]
    assert shown["id"] == f"{run.id}/1"
    assert (shown["what"], shown["state"], shown["step"]) == ("make a", "done", 1)
    assert (shown["probe"], shown["outcome"]) == ({"name": "a"}, {"size": 0})
    assert shown["settled_by"] == run.id


def test_the_latest_change_comes_first(workshop, job, execute, rerun):
    run = execute('make("a")\nmake("b")\ndie()')
    job(
        """
if not (world / "c").exists():
    make("c")
    make("d")
    die()
print(*(change.probe["name"] for change in earlier()))
""",
        policy="retry: 2",
    )
    assert workshop.output(rerun("retry", run)) == "Make c\nMake d\nd c b a\n"


def test_text_that_no_database_takes_and_data_of_any_depth(workshop, execute):
    run = execute("""
with effect("make a\\0b", key="thing", probe={"name": "a"}):
    pass
deep = {}
for _ in range(500):
    deep = {"more": deep}
with effect("make c", key="thing", probe=deep):
    pass
""")
    assert run.status is RunStatus.FAILED  # not lost: the script was told
    assert [one.what for one in workshop.store.effects.of(run.id)] == ["make a?b"]
