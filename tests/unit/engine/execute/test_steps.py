"""Steps of real scripts: which are run, how often, and what is recorded of them."""

import os
import resource
import threading
import time

import pytest

from patience import PATIENCE_S
from runbook.core.document import texts_of
from runbook.core.events import EventType
from runbook.core.status import RunStatus, StepStatus
from runbook.engine.process.run import Stop, StopReason
from runbook.log import Alert

RESERVED = "is reserved: it affects how programs run or is used by the engine"
DONE, FAILED, SKIPPED = StepStatus.SUCCEEDED, StepStatus.FAILED, StepStatus.SKIPPED


@pytest.fixture
def run_steps(workshop):
    """Execute steps to their end; the run."""

    def call(*steps, env_vars=None, timeout_s=None, **more):
        workshop.write_steps("Steps", *steps, **more)
        run = workshop.submit("Steps.md", env_vars=env_vars or {}, timeout_s=timeout_s)
        assert run.status is RunStatus.QUEUED, run.result.errors
        return workshop.execute()

    return call


@pytest.fixture
def rows(workshop):
    return lambda run: workshop.store.steps.of(run.id)


@pytest.fixture
def told(workshop):
    """The step events of a run as (number, state)."""

    def call(run):
        events = [event for event in workshop.events(run) if event.type is EventType.STEP]
        return [(event.step, event.data["state"]) for event in events]

    return call


# -- which steps are run -------------------------------------------------------------------------


def test_steps_run_in_order_and_each_is_recorded(workshop, run_steps, rows, told, step):
    run = run_steps(step("One", "print one > file; print 1"), step("Two", "cat file"))

    assert (run.status, run.result.return_code) == (RunStatus.SUCCEEDED, 0)
    assert workshop.output(run) == "1\none\n"
    assert [(r.n, r.name, r.status, r.return_code) for r in rows(run)] == [
        (1, "One", DONE, 0),
        (2, "Two", DONE, 0),
    ]
    assert told(run) == [(1, "started"), (1, "ended"), (2, "started"), (2, "ended")]
    first, last = workshop.data(run, EventType.STEP)[::3]
    assert first == {"name": "One", "state": "started"}
    assert last == {"name": "Two", "state": "ended", "status": "succeeded", "return_code": 0}


def test_the_first_failure_ends_the_run(workshop, run_steps, rows, step):
    run = run_steps(step("One"), step("Two", "exit 3"), step("Three", "print never"))

    assert (run.status, run.result.return_code) == (RunStatus.FAILED, 3)
    assert run.result.errors[0].code == "step_failed"
    assert run.result.errors[0].params == {"step": "Two", "n": 2, "return_code": 3}
    assert [(r.n, r.status) for r in rows(run)] == [(1, DONE), (2, FAILED)]
    assert workshop.output(run) == ""


def test_a_script_without_steps_is_not_announced(workshop, rows, told):
    workshop.write("Plain", "print x; exit 2")
    workshop.submit("Plain.md")
    run = workshop.execute()

    assert rows(run) == told(run) == []
    assert run.result.errors == ()
    assert {event.step for event in workshop.events(run)} == {None}


def test_a_single_step_is_announced(workshop, run_steps, told, step):
    run = run_steps(step("Only", "print x"))

    assert told(run) == [(1, "started"), (1, "ended")]
    assert [e.step for e in workshop.events(run) if e.type is EventType.STDOUT] == [1]


@pytest.mark.parametrize(
    ("mode", "status"),
    [("full", [DONE, DONE, SKIPPED]), ("fast", [DONE, SKIPPED, SKIPPED])],
)
def test_a_step_whose_condition_does_not_hold_is_skipped(
    workshop, run_steps, rows, told, step, mode, status
):
    run = run_steps(
        step("One", 'print "vm=104" >> $RUNBOOK_OUTPUT'),
        step("Two", "print two", options="if: [inputs.MODE == full, outputs.vm == 104]"),
        step("Three", "print three", options="if: outputs.vm != 104"),
        inputs="MODE: {type: string}",
        env_vars={"MODE": mode},
    )

    assert [r.status for r in rows(run)] == status
    assert run.success
    skipped = [d for d in workshop.data(run, EventType.STEP) if d["state"] == "skipped"]
    assert skipped[-1] == {
        "name": "Three",
        "state": "skipped",
        "reason": "outputs.vm != '104' does not hold",
    }
    assert all(r.finished_at is not None for r in rows(run))


def test_a_run_goes_on_after_a_step_that_may_fail(workshop, run_steps, rows, step):
    run = run_steps(
        step("One", "print a=1 >> $RUNBOOK_ENV; exit 7", options="continue: true"),
        step("Two", "print $a"),
    )

    assert (run.status, run.result.return_code) == (RunStatus.SUCCEEDED, 0)
    assert [(r.status, r.return_code) for r in rows(run)] == [(FAILED, 7), (DONE, 0)]
    assert workshop.output(run) == "1\n"


def test_other_codes_may_count_as_success(run_steps, rows, step):
    run = run_steps(step("One", "exit 2"), step("Two", "exit 3"), policy="success_codes: [0, 2, 3]")

    assert (run.status, run.result.return_code) == (RunStatus.SUCCEEDED, 3)
    assert [(r.status, r.return_code) for r in rows(run)] == [(DONE, 2), (DONE, 3)]

    run = run_steps(step("One", "exit 0"), policy="success_codes: 2")
    assert run.status is RunStatus.FAILED


# -- trying again --------------------------------------------------------------------------------

COUNTS = """
n=$(( $(cat tries 2>/dev/null || print 0) + 1 )); print $n > tries
print "try $n"; print "k=$n" >> $RUNBOOK_OUTPUT
"""


def test_a_step_is_tried_until_it_succeeds(workshop, run_steps, rows, told, step):
    script = COUNTS + '(( n == 3 )) || { print "gone=1" >> $RUNBOOK_ENV; exit 75 }'
    run = run_steps(
        step("One", script, options="retry: {attempts: 5, backoff: 0.01s, on: [75]}"),
        step("Two", 'print "[$gone]"'),
    )

    assert run.success
    assert workshop.output(run) == "try 1\ntry 2\ntry 3\n[]\n"
    assert (rows(run)[0].attempts, rows(run)[0].status) == (3, DONE)
    assert dict(run.result.outputs) == {"k": "3"}
    assert told(run)[:4] == [(1, "started"), (1, "retrying"), (1, "retrying"), (1, "ended")]
    first, second = [d for d in workshop.data(run, EventType.STEP) if d["state"] == "retrying"]
    assert first == {
        "name": "One",
        "state": "retrying",
        "attempt": 2,
        "pause_s": 0.01,
        "return_code": 75,
    }
    assert (second["attempt"], second["pause_s"]) == (3, 0.02)


@pytest.mark.parametrize(
    ("retry", "script", "attempts"),
    [
        ("retry: 3", "exit 1", 3),
        ("retry: {attempts: 3, on: 75}", "exit 1", 1),
        ("retry: {attempts: 2, on: -9}", "kill -9 $$", 2),
        ("retry: 1", "exit 1", 1),
    ],
)
def test_only_what_the_rule_says_is_tried_again(run_steps, rows, step, retry, script, attempts):
    run = run_steps(step("One", script), policy=retry)

    assert run.status is RunStatus.FAILED
    assert rows(run)[0].attempts == attempts


def test_a_steps_own_rule_goes_before_the_policys(run_steps, rows, step):
    run = run_steps(step("One", "exit 1", options="retry: 1"), policy="retry: 5")
    assert rows(run)[0].attempts == 1


def test_a_script_without_steps_says_in_a_notice_that_it_is_tried_again(workshop):
    workshop.write("Plain", "print x; exit 1", claims="")
    path = workshop.settings.runbooks_dir / "Plain.md"
    path.write_text(
        path.read_text().replace("# Script", "# Policy\n```yaml\nretry: 2\n```\n# Script")
    )
    workshop.submit("Plain.md")
    run = workshop.execute()

    assert workshop.output(run) == "x\nx\n"
    (notice,) = workshop.data(run, EventType.NOTICE)
    assert notice["message"] == "Try 1 of 2 failed with return code 1; the next one follows in 0 s"


def test_no_pause_that_would_outlast_the_run_is_begun(run_steps, rows, step):
    began = time.monotonic()
    run = run_steps(
        step("One", "exit 4", options="retry: {attempts: 3, backoff: 1h}"), timeout_s=2 * PATIENCE_S
    )

    assert time.monotonic() - began < PATIENCE_S
    assert (run.status, run.result.return_code, rows(run)[0].attempts) == (RunStatus.FAILED, 4, 1)


@pytest.fixture
def paused(workshop, step):
    """A run that pauses before its second try, in a thread, and the request to stop it."""
    retry = "retry: {attempts: 3, backoff: 5m}"
    workshop.write_steps("Pauses", step("One", "exit 5", options=retry), step("Two", "print no"))

    def start():
        workshop.submit("Pauses.md")
        claimed, stop = workshop.claim(), Stop()
        thread = threading.Thread(
            target=workshop.engine.execute, args=(claimed, "w", stop), daemon=True
        )
        thread.start()
        for event in workshop.engine.follow(claimed.run.id):
            if event is not None and (event.data or {}).get("state") == "retrying":
                return claimed.run, stop, thread
        raise AssertionError("it never paused")

    return start


@pytest.mark.parametrize(
    ("reason", "status", "code"),
    [
        (StopReason.CANCEL, RunStatus.CANCELLED, -2),
        (StopReason.DRAIN, RunStatus.INTERRUPTED, -1),
    ],
)
def test_a_pause_ends_when_the_run_is_to_end(workshop, paused, rows, reason, status, code):
    run, stop, thread = paused()

    stop.request(reason)
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    ended = workshop.store.runs.get(run.id)
    assert (ended.status, ended.result.return_code) == (status, code)
    assert [(r.n, r.status.value, r.attempts) for r in rows(run)] == [(1, status.value, 1)]


def test_pauses_work_with_descriptors_beyond_1023(workshop, paused):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    held = [os.open("/dev/null", os.O_RDONLY)]
    try:
        while held[-1] < 1030:
            held.append(os.dup(held[0]))
        run, stop, thread = paused()
        stop.request(StopReason.CANCEL)
        thread.join(PATIENCE_S)
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert workshop.store.runs.get(run.id).status is RunStatus.CANCELLED


# -- time limits ---------------------------------------------------------------------------------


def test_a_steps_time_limit_is_one_of_each_try(run_steps, rows, step):
    run = run_steps(
        step("One", "sleep 30", options="timeout: 0.2s\nretry: 2"),
        step("Two", "print no"),
        timeout_s=60,
    )

    assert (run.status, run.result.return_code) == (RunStatus.TIMED_OUT, -9)
    assert run.result.errors[0].code == "step_timed_out"
    assert run.result.errors[0].params == {"step": "One", "n": 1, "limit": 0.2}
    assert [(r.status, r.attempts) for r in rows(run)] == [(StepStatus.TIMED_OUT, 2)]


def test_a_run_goes_on_after_the_time_limit_of_a_step_that_may_fail(workshop, run_steps, step):
    run = run_steps(
        step("One", "sleep 30", options="timeout: 0.2s\ncontinue: true"), step("Two", "print on")
    )

    assert run.success
    assert workshop.output(run) == "on\n"


def test_the_runs_time_limit_ends_it_whatever_the_step_allows(
    workshop, run_steps, rows, step, caplog
):
    run = run_steps(
        step("One", "sleep 30", options="timeout: 1h\ncontinue: true\nretry: 5"),
        step("Two", "print no"),
        timeout_s=0.4,
    )

    assert run.status is RunStatus.TIMED_OUT
    assert [(one.code, one.params) for one in run.result.errors] == [("timed_out", {"limit": 0.4})]
    fields = [getattr(record, "fields", {}) for record in caplog.records]
    assert [found["message"] for found in fields if "message" in found] == [Alert.TIMEOUT]
    assert [(r.status, r.attempts) for r in rows(run)] == [(StepStatus.TIMED_OUT, 1)]
    assert workshop.output(run) == ""


def test_a_run_may_take_months(workshop, run_steps, step):
    run = run_steps(step("One", "sleep 0.3; print x"), policy="timeout: 300d")

    assert run.success, run.result.errors
    assert workshop.output(run) == "x\n"


def test_no_step_follows_one_that_was_cancelled_though_it_may_fail(workshop, rows, step):
    options = "continue: true\nretry: 3"
    workshop.write_steps("Job", step("One", "print x; sleep 60", options=options), step("Two"))
    run = workshop.submit("Job.md")
    stop = Stop()
    thread = threading.Thread(target=workshop.engine.execute, args=(workshop.claim(), "w", stop))
    thread.start()
    for event in workshop.engine.follow(run.id):
        if event is not None and event.type is EventType.STDOUT:
            stop.request(StopReason.CANCEL)
    thread.join()

    assert workshop.store.runs.get(run.id).status is RunStatus.CANCELLED
    assert [(r.n, r.status, r.attempts) for r in rows(run)] == [(1, StepStatus.CANCELLED, 1)]


# -- what is handed over -------------------------------------------------------------------------


def test_variables_and_outputs_reach_later_steps_and_are_kept(workshop, run_steps, rows, step):
    run = run_steps(
        step("One", 'print A=1 >> $RUNBOOK_ENV; print B=x >> $RUNBOOK_ENV; print "[$A]"'),
        step("Two", """print "[$A$B]"; print -r -- $'B<<E\\none\\ntwo\\nE' >> $RUNBOOK_ENV"""),
        step("Three", 'print "[$A$B]"; print done=yes >> $RUNBOOK_OUTPUT; [[ ! -e $RUNBOOK_ENV ]]'),
    )

    assert run.success
    assert workshop.output(run) == "[]\n[1x]\n[1one\ntwo]\n"
    assert [dict(r.env) for r in rows(run)] == [{"A": "1", "B": "x"}, {"B": "one\ntwo"}, {}]
    assert [dict(r.outputs) for r in rows(run)] == [{}, {}, {"done": "yes"}]
    assert dict(run.result.outputs) == {"done": "yes"}


def test_a_variable_replaces_an_input_but_not_in_conditions(workshop, run_steps, step):
    run = run_steps(
        step("One", "print NAME=new >> $RUNBOOK_ENV"),
        step("Two", "print $NAME", options="if: inputs.NAME == old"),
        inputs="NAME: {type: string}",
        env_vars={"NAME": "old"},
    )
    assert workshop.output(run) == "new\n"


def test_a_value_with_a_secret_is_handed_over_but_not_kept(workshop, run_steps, rows, step):
    run = run_steps(
        step(
            "One",
            """
            print "URL=https://$TOKEN@host" >> $RUNBOOK_ENV
            print "key=$TOKEN" >> $RUNBOOK_OUTPUT
            print "pin=$PIN" >> $RUNBOOK_OUTPUT
            print "learnt=12345678" >> $RUNBOOK_OUTPUT
            print 12345678 >> $RUNBOOK_MASK
            """,
        ),
        step("Two", "print ${#URL}"),
        inputs="TOKEN: {type: secret}\nPIN: {type: secret}",
        env_vars={"TOKEN": "hunter22", "PIN": "42"},
    )

    assert run.success
    assert workshop.output(run) == "21\n"
    assert dict(rows(run)[0].env) == {"URL": None}
    assert dict(rows(run)[0].outputs) == {"key": None, "pin": None, "learnt": None}
    assert dict(run.result.outputs) == {"key": "***", "pin": "***", "learnt": "***"}


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("print nonsense >> $RUNBOOK_ENV", "RUNBOOK_ENV, line 1: must be NAME=value or NAME<<WORD"),
        (
            "print a=1 >> $RUNBOOK_ENV; print PATH=/x >> $RUNBOOK_ENV",
            f"RUNBOOK_ENV, line 2: PATH {RESERVED}",
        ),
        (
            "print 'a b=1' >> $RUNBOOK_OUTPUT",
            "RUNBOOK_OUTPUT, line 1: the text before = or << is not a valid name",
        ),
        (
            "head -c 1048576 /dev/zero >> $RUNBOOK_OUTPUT",
            "RUNBOOK_OUTPUT is larger than 1024 KiB",
        ),
    ],
)
def test_what_cannot_be_read_fails_the_step(workshop, run_steps, rows, step, line, problem):
    run = run_steps(step("One", line), step("Two", "print no"))

    assert (run.status, run.result.return_code) == (RunStatus.FAILED, 1)
    assert [one.code for one in run.result.errors] == ["step_failed", "bad_hand_over"]
    assert run.result.errors[1].text == problem
    assert workshop.output(run, EventType.STDERR) == problem
    assert [(r.status, r.return_code) for r in rows(run)] == [(FAILED, 1)]
    assert workshop.output(run) == ""


def test_a_secret_that_cannot_be_read_is_not_shown(workshop, run_steps, step):
    run = run_steps(
        step("One", 'print -r -- "RUNBOOK_$TOKEN=1" >> $RUNBOOK_ENV'),
        inputs="TOKEN: {type: secret}",
        env_vars={"TOKEN": "hunter22"},
    )

    assert run.status is RunStatus.FAILED
    assert "hunter22" not in "".join(
        [*texts_of(run.result.errors), workshop.output(run, EventType.STDERR)]
    )
    assert "hunter22" not in workshop.history("Steps")


@pytest.mark.parametrize("file", ["RUNBOOK_ENV", "RUNBOOK_OUTPUT"])
def test_a_name_that_holds_a_secret_fails_the_step(workshop, run_steps, rows, step, file):
    run = run_steps(
        step("One", f"print a_$TOKEN=1 >> ${file}"),
        inputs="TOKEN: {type: secret}",
        env_vars={"TOKEN": "hunter22"},
    )

    assert run.result.errors[-1].code == "bad_hand_over"
    assert "hunter22" not in run.result.errors[-1].text
    assert dict(run.result.outputs) == {}
    assert (dict(rows(run)[0].env), dict(rows(run)[0].outputs)) == ({}, {})


def test_a_failure_of_the_script_goes_before_what_it_handed_over(workshop, run_steps, step):
    run = run_steps(step("One", "print nonsense >> $RUNBOOK_ENV; exit 6"))

    assert (run.result.return_code, [one.code for one in run.result.errors]) == (6, ["step_failed"])


def test_a_folder_or_link_in_place_of_a_file_says_nothing(workshop, run_steps, rows, step):
    run = run_steps(
        step("One", "mkdir -p $RUNBOOK_ENV/x; print a=1 > other; ln -s $PWD/other $RUNBOOK_OUTPUT"),
        step("Two", "print b=2 >> $RUNBOOK_ENV"),
    )

    assert run.success
    assert [dict(r.env) for r in rows(run)] == [{}, {"b": "2"}]
    assert dict(run.result.outputs) == {}


# -- where in the log ----------------------------------------------------------------------------


def test_a_step_knows_its_lines_of_the_log(workshop, run_steps, rows, step):
    run = run_steps(
        step("One", "print a; print b"),
        step("Quiet"),
        step("Skipped", options='if: outputs.x != ""'),
        step("Both", "print c; print -u2 d"),
        step("Open", "printf e"),
        step("Last", "print f"),
    )

    spans = [(r.first_line, r.last_line) for r in rows(run)]
    log = workshop.store.logs.range(run.id, 0, workshop.store.logs.size(run.id).bytes).decode()
    lines = log.splitlines()
    shown = [sorted("".join(lines[first - 1 : last])) for first, last in spans]
    assert shown == [["a", "b"], [], [], ["c", "d"], ["e", "f"], ["e", "f"]]  # one line
