"""Choices from runbooks that are run while a form is filled in, through a real engine."""

import threading

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin, Purpose
from runbook.core.status import RunStatus
from runbook.engine import form_choices
from runbook.engine.process.run import Stop
from runbook.engine.requests import ExecuteRequest, FormValues
from runbook.engine.submit import births, input_facts
from runbook.errors import AccessDeniedError, NotFoundError
from runbook.metrics import RunMetrics
from runbook.store.models import RunFilter

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)
PROVIDES = "provides: choices"
FORM = """\
SERVER: {type: string, default: a}
NODE:
  type: choice
  choices_from: {runbook: Nodes.md, inputs: [SERVER], ttl: 1h, strict: STRICT}
SIZE: {type: choice, choices: [s, m], default: s}
NICS:
  type: list
  optional: true
  items:
    ZONE: {type: string, default: z}
    BRIDGE: {type: choice, choices_from: {runbook: Bridges.md, inputs: [NODE, ZONE]}}
"""


@pytest.fixture
def forms(workshop, step):
    """A form, its sources, and a worker that executes them when asked."""
    workshop.write("Form", "print -r -- $NODE", inputs=FORM.replace("STRICT", "false"))
    workshop.write("Strict", inputs=FORM.replace("STRICT", "true"))
    nodes = step("List", 'echo $SERVER >> $COUNTER; print -l $SERVER-1 "$SERVER 2"')
    workshop.counter = workshop.settings.data_dir / "asked"
    inputs = f"SERVER: x\nCOUNTER: {{type: string, default: '{workshop.counter}'}}"
    workshop.write_steps("Nodes", nodes, policy=PROVIDES, inputs=inputs)
    bridges = step("List", 'print "[{\\"value\\": \\"$NODE\\", \\"label\\": \\"$ZONE\\"}]"')
    workshop.write_steps("Bridges", bridges, policy=PROVIDES, inputs="NODE: x\nZONE: x")
    workshop.register()

    def here(submit):
        run = submit(None)
        while (claimed := workshop.store.runs.claim("w", root_slots=0, form_slots=1)) is not None:
            workshop.engine.execute(claimed, "w", Stop())
        return run

    workshop.engine.choices.executing = here
    return workshop


def offered(workshop, path="NODE", *, ref="Form.md", by=ANN, row=None, anew=False, **env_vars):
    values = FormValues(env_vars, row)
    return workshop.engine.runbooks.choices(ref, by, path, values, anew=anew)


def values(found):
    assert found.problem is None
    return [choice.value for choice in found.choices]


def asked(workshop):
    return workshop.counter.read_text().split()


def test_choices_depend_on_other_inputs_and_their_defaults(forms):
    assert values(offered(forms)) == ["a-1", "a 2"]
    assert values(offered(forms, SERVER="b")) == ["b-1", "b 2"]


def test_a_field_depends_on_its_row_too(forms):
    found = offered(forms, "NICS.BRIDGE", NODE="n", row={"ZONE": "y"})
    assert [(choice.value, choice.label) for choice in found.choices] == [("n", "y")]
    assert offered(forms, "NICS.BRIDGE", NODE="n").choices[0].label == "z"


def test_all_inputs_with_choices_have_them_here(forms):
    assert values(offered(forms, "SIZE")) == ["s", "m"]
    for path in ("SERVER", "NONE", "NICS", "NICS.ZONE", "NICS.NONE"):
        with pytest.raises(NotFoundError):
            offered(forms, path)


def test_an_answer_is_used_again_for_the_same_values_and_caller(forms):
    first = offered(forms)
    again = offered(forms)
    assert (first.cached, again.cached, again.run_id) == (False, True, first.run_id)
    assert asked(forms) == ["a"]
    assert not offered(forms, SERVER="b").cached
    assert not offered(forms, by=VIC).cached
    assert not offered(forms, anew=True).cached
    assert asked(forms) == ["a", "b", "a", "a"]


def test_a_changed_runbook_is_asked_again(forms):
    first = offered(forms)
    path = forms.settings.runbooks_dir / "Nodes.md"
    path.write_text(path.read_text().replace("$SERVER-1", "$SERVER-9"))
    assert values(offered(forms)) == ["a-9", "a 2"]
    assert values(first) == ["a-1", "a 2"]


def test_an_old_answer_is_not_used_again(forms):
    forms.write("Form", inputs=FORM.replace("STRICT", "false").replace("1h", "0"))
    assert [offered(forms).cached, offered(forms).cached] == [False, False]


def test_two_who_ask_at_a_time_share_a_run(forms):
    here = forms.engine.choices.executing
    entered, go = threading.Event(), threading.Event()

    def slowly(submit):
        entered.set()
        go.wait(20)
        return here(submit)

    forms.engine.choices.executing = slowly
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(offered(forms).run_id)) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
        entered.wait(20)
    go.set()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert asked(forms) == ["a"]


def test_the_run_is_recorded_but_neither_listed_nor_in_the_history(forms):
    run_id = offered(forms).run_id
    run = forms.store.runs.get(run_id)
    assert (run.status, run.request.purpose) == (RunStatus.SUCCEEDED, Purpose.CHOICES)
    assert (run.requester.subject, run.request.timeout_s) == ("ann", 10.0)
    assert forms.store.runs.page(RunFilter()).runs == ()
    listed = forms.store.runs.page(RunFilter(purpose=Purpose.CHOICES)).runs
    assert [found.id for found in listed] == [run_id]
    assert forms.history("Nodes").strip() == ""
    assert forms.engine.runbooks.last_runs() == {}


def test_the_run_is_in_no_metric(forms):
    from prometheus_client import CollectorRegistry

    registry = CollectorRegistry()
    run = forms.store.runs.get(offered(forms).run_id)
    RunMetrics(registry).run_ended(run)
    labels = {"runbook": "Nodes.md", "status": "succeeded"}
    assert registry.get_sample_value("runbook_runs_total", labels) is None


def problem(found):
    assert found.choices == ()
    return found.problem.code, found.problem.params["variable"]


def test_without_a_value_that_the_source_needs_it_is_not_run(forms):
    found = offered(forms, "NICS.BRIDGE")
    assert problem(found) == ("choices_need_inputs", "NICS.BRIDGE")
    assert (found.problem.params["inputs"], found.run_id) == ("NODE", None)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("print -u2 no route to $SERVER; exit 10", "no route to a"),
        ("exit 3", "3"),
        ("print '{}'", "something else"),
    ],
)
def test_a_source_that_fails_says_why_and_is_asked_again(forms, step, script, said):
    forms.write_steps("Nodes", step("List", script), policy=PROVIDES, inputs="SERVER: x")
    for _ in range(2):
        found = offered(forms)
        assert problem(found) == ("choices_failed", "NODE")
        assert said in found.problem.message
        assert (found.run_id is None, found.cached) == (False, False)


def test_a_source_whose_inputs_are_wrong_says_so(forms, step):
    inputs = "SERVER: {type: integer}"
    forms.write_steps("Nodes", step("List"), policy=PROVIDES, inputs=inputs)
    found = offered(forms)
    assert problem(found) == ("choices_failed", "NODE")
    assert "SERVER must be an integer" in found.problem.message


def test_what_is_no_source(forms):
    forms.write("Nodes", inputs="SERVER: x")
    assert problem(offered(forms)) == ("choices_failed", "NODE")
    (forms.settings.runbooks_dir / "Nodes.md").unlink()
    assert problem(offered(forms)) == ("choices_unknown", "NODE")


def test_a_neighbour_comes_first(forms, step):
    (forms.settings.runbooks_dir / "kit").mkdir()
    forms.write("kit/Form", inputs=FORM.replace("STRICT", "false"))
    assert values(offered(forms, ref="kit/Form.md")) == ["a-1", "a 2"]
    forms.write_steps("kit/Nodes", step("L", "print kit"), policy=PROVIDES, inputs="SERVER: x")
    assert values(offered(forms, ref="kit/Form.md")) == ["kit"]


def test_the_caller_needs_the_claims_of_both(forms, step):
    claims = "roles: sre"
    forms.write_steps("Nodes", step("L"), policy=PROVIDES, inputs="SERVER: x", claims=claims)
    assert problem(offered(forms, by=VIC)) == ("choices_unknown", "NODE")
    forms.write("Form", inputs=FORM.replace("STRICT", "false"), claims=claims)
    with pytest.raises(AccessDeniedError):
        offered(forms, by=VIC)
    assert forms.store.runs.count() == 0


def test_nobody_waits_for_ever(forms, monkeypatch):
    monkeypatch.setattr(form_choices, "WAIT_SECONDS", 0.0)
    forms.engine.choices.executing = form_choices._by_any_worker
    found = offered(forms)
    assert problem(found) == ("choices_failed", "NODE")
    assert forms.store.runs.get(found.run_id).cancel is not None


def test_forms_do_not_fill_the_queue(forms, monkeypatch):
    monkeypatch.setattr(births, "MOST_QUEUED_FOR_FORMS", 1)
    monkeypatch.setattr(form_choices, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(form_choices.FormChoices, "_cancel", lambda *_: None)
    forms.engine.choices.executing = form_choices._by_any_worker
    offered(forms)
    assert "too many" in offered(forms, SERVER="b").problem.message
    assert forms.submit("Form.md", env_vars={"NODE": "x"}).status is RunStatus.QUEUED


def test_slots_of_forms_are_not_those_of_runs(forms, monkeypatch):
    monkeypatch.setattr(form_choices, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(form_choices.FormChoices, "_cancel", lambda *_: None)
    forms.engine.choices.executing = form_choices._by_any_worker
    ordinary = forms.submit("Form.md", env_vars={"NODE": "x"})
    for_form = offered(forms).run_id
    claim = forms.store.runs.claim
    assert claim("w", root_slots=0) is None
    assert claim("w", root_slots=0, form_slots=1).run.id == for_form
    assert claim("w", root_slots=0, form_slots=1) is None
    assert claim("w", root_slots=1).run.id == ordinary.id


def errors(workshop, ref, **env_vars):
    report = workshop.engine.validate(ref, ANN, ExecuteRequest(env_vars=env_vars))
    return [error.code for error in report.errors]


def test_strict_choices_are_checked_before_the_run(forms, step):
    assert errors(forms, "Strict.md", NODE="a-1") == []
    assert errors(forms, "Strict.md", NODE="b-1") == ["bad_input_value"]
    assert errors(forms, "Strict.md", NODE="b-1", SERVER="b") == []
    run = forms.submit("Strict.md", env_vars={"NODE": "x"})
    assert run.status is RunStatus.INVALID
    forms.write_steps("Nodes", step("L", "true"), policy=PROVIDES, inputs="SERVER: x")
    assert errors(forms, "Strict.md", NODE="a-1") == ["choices_failed"]
    forms.write_steps("Nodes", step("L", "false"), policy=PROVIDES, inputs="SERVER: x")
    assert errors(forms, "Strict.md", NODE="a-1") == ["choices_failed"]


def test_checking_strict_choices_takes_no_time_without_end(forms, monkeypatch):
    monkeypatch.setattr(input_facts, "STRICT_SECONDS", 0.0)
    assert errors(forms, "Strict.md", NODE="a-1") == ["choices_failed"]
    assert forms.store.runs.count() == 0


def test_a_dry_run_has_real_choices(forms):
    asked = ExecuteRequest(env_vars={"NODE": "a-1"}, dry_run=True)
    assert forms.engine.submit("Strict.md", ANN, asked).run.status is RunStatus.QUEUED
    (run,) = forms.store.runs.page(RunFilter(purpose=Purpose.CHOICES)).runs
    assert not run.request.dry_run


def test_other_choices_are_suggestions(forms):
    assert errors(forms, "Form.md", NODE="anything") == []
    assert forms.store.runs.count() == 0


def test_the_schema_says_where_to_ask(forms):
    schema = forms.engine.runbooks.input_schema("Form.md", ANN)
    node = schema["properties"]["NODE"]
    assert node["x-choices"] == {
        "href": "/api/runbooks/Form.md/choices/NODE",
        "runbook": "Nodes.md",
        "inputs": ["SERVER"],
        "strict": False,
        "ttl_seconds": 3600.0,
    }
    bridge = schema["properties"]["NICS"]["items"]["properties"]["BRIDGE"]
    assert bridge["x-choices"]["href"] == "/api/runbooks/Form.md/choices/NICS.BRIDGE"


def test_a_script_gets_the_value(forms):
    forms.submit("Form.md", env_vars={"NODE": "n"})
    assert forms.output(forms.execute()) == "n\n"
