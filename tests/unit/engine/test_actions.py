"""What a caller may do with a run, and why not the rest."""

import dataclasses

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS, SCRIPT_PERMISSIONS
from runbook.core.run import Origin
from runbook.core.run_details import RunAction
from runbook.engine.requests import ExecuteRequest
from runbook.errors import ConflictError

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
CLAIMS = "# Required Claims\n```yaml\nroles: sre\n```\n"
STEPS = """# Job
# Environment Requirements
```yaml
```
# File System Requirements
```yaml
```
{claims}# Script
## One
```sh
print one
```
### Undo
```sh
print un-one
```
## Two
```sh
{second}
```
# History
"""


@pytest.fixture
def job(workshop):
    def write(second="exit 3", claims=""):
        path = workshop.settings.runbooks_dir / "Job.md"
        path.write_text(STEPS.format(second=second, claims=claims))
        return path

    return write


@pytest.fixture
def allowed(workshop):
    """What may be done, and the codes of the rest."""

    def ask(run, principal=ANN):
        actions = workshop.engine.runs.details(run, principal).actions
        codes = {action.value: problem.code for action, problem in actions.unavailable.items()}
        assert set(RunAction) == {*actions.available, *actions.unavailable}
        return {action.value for action in actions.available}, codes

    return ask


def test_an_active_run_can_be_cancelled_once(workshop, job, allowed):
    job()
    run = workshop.submit("Job.md")

    assert allowed(run) == (
        {"cancel"},
        {"retry": "run_active", "resume": "run_active", "undo": "run_active"},
    )
    asked = workshop.engine.cancel(run, ANN)
    if not asked.status.terminal:
        assert allowed(asked)[1]["cancel"] == "cancel_requested"


def test_a_failed_run_is_rerun_in_every_way(workshop, job, allowed):
    job()
    workshop.submit("Job.md")
    run = workshop.execute()

    assert allowed(run) == ({"retry", "resume", "undo"}, {"cancel": "run_ended"})
    assert workshop.engine.runs.details(run, ANN).actions.resume_from == 2


def test_a_run_that_succeeded_is_not_resumed(workshop, job, allowed):
    job(second="true")
    workshop.submit("Job.md")

    available, codes = allowed(workshop.execute())

    assert (available, codes["resume"]) == ({"retry", "undo"}, "all_completed")


def test_nothing_follows_from_what_was_never_started(workshop, job, allowed):
    job()
    run = workshop.submit("Job.md", env_vars={"UNKNOWN": "x"})

    available, codes = allowed(run)

    assert available == set()
    assert {codes[name] for name in ("retry", "resume", "undo")} == {"never_started"}


def test_it_says_which_run_has_gone_on_instead(workshop, job, allowed):
    job()
    workshop.submit("Job.md")
    run = workshop.execute()
    resumed = workshop.engine.resume(run, ANN, ExecuteRequest()).run

    problem = workshop.engine.runs.details(run, ANN).actions.unavailable[RunAction.RESUME]

    assert (problem.code, problem.params) == ("already_rerun", {"run_id": resumed.id})
    with pytest.raises(ConflictError) as refused:
        workshop.engine.resume(run, ANN, ExecuteRequest())
    assert refused.value.details["problems"] == (problem,)


def test_who_lacks_the_claims_may_cancel_at_most(workshop, job, allowed):
    job(claims=CLAIMS)
    workshop.submit("Job.md")
    run = workshop.execute()
    other = dataclasses.replace(ANN, claims={})

    available, codes = allowed(run, other)

    assert (available, codes["retry"]) == (set(), "access_denied")


def test_a_script_may_do_nothing_of_it(workshop, job, allowed):
    job()
    run = workshop.submit("Job.md")
    parent = workshop.claim().run
    grants = ALL_GRANTS.limited_to(SCRIPT_PERMISSIONS)
    script = dataclasses.replace(ANN, run_id=parent.id, grants=grants)

    available, codes = allowed(run, script)

    assert (available, codes["cancel"]) == (set(), "access_denied")


def test_a_runbook_that_is_gone_is_not_executed_again(workshop, job, allowed):
    path = job()
    workshop.submit("Job.md")
    run = workshop.execute()
    path.unlink()

    available, codes = allowed(run)

    assert (available, codes["retry"]) == (set(), "not_found")
