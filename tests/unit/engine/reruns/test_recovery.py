"""The policy `recover`: what a run may have left half done is ended by another runbook."""

import pytest

from runbook.core.access import Principal
from runbook.core.audit import AuditAction
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus
from runbook.engine.process.run import Stop, StopReason
from runbook.store.models import AuditFilter

RULE = "recover: {runbook: End.md, unless: [40, 41], attempts: 2, backoff: 0s}\nlocks: ${NAME}"
NAME = "NAME: {type: string}"
INPUTS = f"{NAME}\nTOKEN: {{type: secret}}\nMORE: {{type: string, optional: true}}"
GIVEN = {"NAME": "core-1", "TOKEN": "hunter22", "MORE": "x"}


@pytest.fixture
def end(workshop):
    """The runbook that recovers."""

    def write(script="print $NAME", **more):
        workshop.write("End", script, inputs=NAME, **more)

    write()
    return write


@pytest.fixture
def job(workshop, step, end):
    """A run of a runbook that is to be recovered, which ends with this code."""

    def run(code, **request):
        policy = request.pop("policy", RULE)
        workshop.write_steps("Job", step("One", f"exit {code}"), policy=policy, inputs=INPUTS)
        workshop.submit("Job.md", env_vars=GIVEN, **request)
        return workshop.execute()

    return run


def recoveries(workshop, run):
    found = workshop.store.runs.reruns(run.id)
    assert all(one.relation is Relation.RECOVERY for one in found)
    return found


def start(workshop):
    workshop.engine.start_recoveries()
    return workshop.claim()


def test_a_failed_run_is_recovered_for_its_requester(workshop, job):
    run = job(42)
    assert run.result.warnings[-1].code == "recovery_planned"
    assert run.result.warnings[-1].params == {"runbook": "End.md"}
    workshop.engine.start_recoveries()
    found = workshop.execute()

    assert recoveries(workshop, run) == [found], found.result
    assert (found.ref, found.status) == ("End.md", RunStatus.SUCCEEDED)
    assert (found.requester, found.correlation_id) == (run.requester, run.correlation_id)
    assert workshop.output(found) == "core-1\n"
    assert found.request.inputs == {"NAME": "core-1"}
    assert "recovery of" in workshop.history("End")
    (event,) = workshop.store.audit.page(AuditFilter(action=AuditAction.RUN_RECOVER)).events
    assert (event.subject, event.target) == ("ann", run.id)
    assert start(workshop) is None


@pytest.mark.parametrize("code", [0, 40, 41])
def test_a_run_that_left_nothing_is_not(workshop, job, code):
    assert "recovery_planned" not in [one.code for one in job(code).result.warnings]
    assert start(workshop) is None


def test_a_dry_run_is_not(workshop, job):
    job(42, dry_run=True, policy=f"{RULE}\ndry_run: supported")
    assert start(workshop) is None


def test_a_run_that_never_began_is_not(workshop, job, step):
    policy = f"{RULE}\non_busy: fail"
    workshop.write_steps("Job", step("One"), policy=policy, inputs=INPUTS)
    for _ in range(2):
        workshop.submit("Job.md", env_vars=GIVEN)
    claimed = workshop.claim()
    assert workshop.execute().status is RunStatus.FAILED
    assert start(workshop) is None
    workshop.engine.execute(claimed, "w", Stop())


def test_a_lost_run_and_a_lost_recovery_are_recovered(workshop, job, step):
    workshop.write_steps("Job", step("One"), policy=RULE, inputs=INPUTS)
    run = workshop.submit("Job.md", env_vars=GIVEN)
    workshop.claim()
    for n in range(2):
        workshop.store.workers.remove(f"w{n or ''}")
        workshop.register(f"w{n + 1}")
        workshop.engine.reap()
        workshop.engine.start_recoveries()
        assert workshop.claim(f"w{n + 1}").run.related_id == run.id
    workshop.store.workers.remove("w2")
    workshop.engine.reap()
    assert start(workshop) is None  # after two attempts
    assert [one.status for one in recoveries(workshop, run)] == 2 * [RunStatus.LOST]
    assert workshop.store.recoveries.due() == []


def test_a_cancelled_run_is_recovered(workshop, job, step):
    workshop.write_steps("Job", step("One", "sleep 60"), policy=RULE, inputs=INPUTS)
    workshop.submit("Job.md", env_vars=GIVEN)
    claimed, stop = workshop.claim(), Stop()
    stop.request(StopReason.CANCEL)
    workshop.engine.execute(claimed, "w", stop)
    assert start(workshop).run.related_id == claimed.run.id


def test_it_is_tried_again_until_it_succeeds(workshop, job, end):
    end("exit 1")
    run = job(1)
    for _ in range(2):
        workshop.engine.start_recoveries()
        workshop.engine.start_recoveries()  # while it is queued
        assert not workshop.execute().success
    assert start(workshop) is None
    assert len(recoveries(workshop, run)) == 2


def test_who_may_not_execute_it_doesnt_recover(workshop, job, end):
    end(claims="roles: root")
    run = job(42)
    assert start(workshop) is None
    assert [one.status for one in recoveries(workshop, run)] == [RunStatus.REFUSED]


def test_a_runbook_beside_the_runs_own_comes_first(workshop, job, step):
    folder = workshop.settings.runbooks_dir / "lab"
    folder.mkdir()
    workshop.write("lab/End", "true")
    workshop.write_steps("lab/Job", step("One", "exit 1"), policy=RULE, inputs=INPUTS)
    workshop.submit("lab/Job.md", env_vars=GIVEN)
    workshop.execute()
    assert start(workshop).run.ref == "lab/End.md"


def test_a_local_operators_run_is_recovered_despite_claims(workshop, job, end):
    end(claims="roles: root")
    local = Principal("local:ann", Origin.CLI, local=True, grants=ALL_GRANTS)
    run = job(42, principal=local)
    assert start(workshop).run.requester == run.requester
