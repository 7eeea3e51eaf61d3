"""What the person at the command line may do, their scripts may do too."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AccessDeniedError

LOCAL = Principal("local:me", Origin.CLI, local=True, grants=ALL_GRANTS)
STEPS = """\
## One
```sh
true
```
### Undo
```sh
print undone
```
## Two
```sh
false
```
"""


def script_of(run):
    """Whom the token of a run's script names."""
    return Principal(
        run.requester.subject,
        Origin.RUNBOOK,
        run.requester.claims,
        run_id=run.id,
        grants=ALL_GRANTS,
    )


@pytest.fixture
def parent(workshop):
    """A run of the local operator that is executed now."""
    workshop.write("Parent")
    workshop.submit("Parent.md", LOCAL)
    return workshop.claim().run


def test_a_script_of_the_local_operator_is_not_bound_by_claims(workshop, parent):
    workshop.write("Child", claims="roles: sre")
    child = workshop.submit("Child.md", script_of(parent))
    assert (child.status, child.tree.parent_id) == (RunStatus.QUEUED, parent.id)


def test_it_is_where_claims_bind_the_local_operator(build):
    workshop = build(ENFORCE_CLAIMS="true")
    workshop.write("Parent")
    workshop.write("Child", claims="roles: sre")
    workshop.submit("Parent.md", Principal("local:me", Origin.CLI, grants=ALL_GRANTS))
    running = workshop.claim().run
    with pytest.raises(AccessDeniedError):
        workshop.submit("Child.md", script_of(running))


@pytest.mark.parametrize(
    "caller",
    [
        Principal("local:me", Origin.API, grants=ALL_GRANTS),
        Principal("ann", Origin.CLI, grants=ALL_GRANTS),
        Principal("local:me", Origin.CLI, {"iss": "dev-idp"}, grants=ALL_GRANTS),
    ],
)
def test_nobody_else_is_taken_for_the_local_operator(workshop, caller):
    workshop.write("Parent")
    workshop.write("Child", claims="roles: sre")
    workshop.submit("Parent.md", caller)
    running = workshop.claim().run
    with pytest.raises(AccessDeniedError):
        workshop.submit("Child.md", script_of(running))


def test_a_failed_run_is_undone_whatever_claims_it_needed(workshop):
    path = workshop.write("Undone", claims="roles: sre")
    text = path.read_text()
    head, _, _ = text.partition("# Script\n")
    path.write_text(
        f"{head}# Policy\n```yaml\non_failure: undo\n```\n\n# Script\n{STEPS}\n# History\n"
    )
    workshop.register()
    workshop.engine.submit("Undone.md", LOCAL, ExecuteRequest())
    claimed = workshop.claim()
    # The child is claimed as a worker would: here, as soon as it is queued.
    workshop.engine.parts.wakeups.wake_workers = lambda *_: _execute_children(workshop)

    workshop.engine.execute(claimed, "w", Stop())

    ended = workshop.store.runs.get(claimed.run.id)
    (undo,) = workshop.store.runs.children(ended.id)
    assert (undo.relation, undo.status) == (Relation.UNDO, RunStatus.SUCCEEDED)
    assert workshop.output(undo) == "undone\n"
    last = ended.result.warnings[-1]
    assert (last.code, last.params) == ("undone", {"run_id": undo.id})


def _execute_children(workshop):
    if (claimed := workshop.store.runs.claim("w", root_slots=0)) is not None:
        workshop.engine.execute(claimed, "w", Stop())
