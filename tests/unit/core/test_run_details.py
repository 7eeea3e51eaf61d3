"""The actions on a run agree with what is stored and audited of them."""

from runbook.core.audit import AuditAction
from runbook.core.run import Relation
from runbook.core.run_details import RunAction


def test_every_action_but_a_cancellation_makes_a_rerun():
    assert [action.value for action in RunAction] == [
        "cancel",
        *(one for one in Relation if one is not Relation.RECOVERY),
    ]


def test_every_action_is_audited_by_its_name():
    audited = {action.value for action in AuditAction if action.startswith("run.")}
    assert audited >= {f"run.{action}" for action in RunAction}
