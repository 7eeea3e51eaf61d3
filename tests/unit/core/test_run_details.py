"""The actions on a run agree with what is stored and audited of them."""

from runbook.core.audit import AuditAction
from runbook.core.run import Relation
from runbook.core.run_details import RunAction


def test_every_action_but_a_cancellation_makes_a_rerun():
    assert [action.value for action in RunAction] == ["cancel", *Relation]


def test_every_action_is_audited_by_its_name():
    audited = {action.value for action in AuditAction if action.startswith("run.")}
    of_fan_outs = {"run.pause", "run.continue"}
    assert audited - of_fan_outs == {f"run.{action}" for action in RunAction}
