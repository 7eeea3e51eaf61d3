"""A retry: the same inputs, from the start."""

from runbook.core.run import Relation
from runbook.core.status import RunStatus


def test_a_retry_has_the_same_inputs_and_begins_at_the_start(workshop, rerun):
    inputs = "NAME: {type: string}\nSIZE: {type: integer, default: '1'}"
    workshop.write("Job", "print $NAME-$SIZE; exit 1", inputs=inputs)
    workshop.submit("Job.md", env_vars={"NAME": "vm"}, reason="first")
    run = workshop.execute()

    again = rerun("retry", run, env_vars={"SIZE": 7}, reason="second")

    assert (again.relation, again.related_id) == (Relation.RETRY, run.id)
    assert workshop.output(again) == "vm-7\n"
    assert (again.requester.subject, again.request.reason) == ("bob", "second")
    assert again.tree.chain == ("Job.md",)
    assert again.tree.parent_id is None
    assert [r.id for r in workshop.store.runs.reruns(run.id)] == [again.id]


def test_a_retry_takes_the_runbook_as_it_is_now(workshop, rerun):
    workshop.write("Job", "exit 1")
    workshop.submit("Job.md")
    run = workshop.execute()
    workshop.write("Job", "print mended")

    assert workshop.output(rerun("retry", run)) == "mended\n"


def test_a_run_that_succeeded_can_be_retried_too(workshop, rerun):
    workshop.write("Job", "print x")
    workshop.submit("Job.md")
    assert rerun("retry", workshop.execute()).success


def test_what_was_not_kept_has_to_be_given_again(workshop, rerun):
    inputs = "TOKEN: {type: secret}\nOLD: short form\nNAME: {type: string}"
    workshop.write("Job", "print $TOKEN $OLD $NAME; exit 1", inputs=inputs)
    workshop.submit("Job.md", env_vars={"TOKEN": "hunter22", "OLD": "o", "NAME": "vm"})
    run = workshop.execute()

    refused = rerun("retry", run)

    assert refused.status is RunStatus.INVALID
    assert [(one.code, one.params["variable"]) for one in refused.result.errors[-2:]] == [
        ("value_not_kept", "OLD"),
        ("value_not_kept", "TOKEN"),
    ]
    again = rerun("retry", run, env_vars={"TOKEN": "hunter33", "OLD": "p"})
    assert workshop.output(again) == "*** p vm\n"


def test_an_input_that_is_no_longer_declared_is_left_out(workshop, rerun):
    workshop.write("Job", "exit 1", inputs="GONE: {type: string}\nTOKEN: {type: secret}")
    workshop.submit("Job.md", env_vars={"GONE": "x", "TOKEN": "hunter22"})
    run = workshop.execute()
    workshop.write("Job", "print ${GONE-none}")

    assert workshop.output(rerun("retry", run)) == "none\n"


def test_a_retry_of_a_dry_run_is_a_dry_run(workshop, rerun, step):
    workshop.write_steps("Job", step("One"), policy="dry_run: supported")
    workshop.submit("Job.md", dry_run=True)
    run = workshop.execute()

    assert rerun("retry", run).request.dry_run
    assert rerun("resume", run, "One").request.dry_run
