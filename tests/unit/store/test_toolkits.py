"""The record of installed toolkits."""

import dataclasses

import pytest

from runbook.core.audit import Actor, AuditAction, NewAuditEvent, Target, TargetKind
from runbook.core.toolkit import InstalledToolkit, ToolkitOrigin

LAB = InstalledToolkit(
    "lab", "Lab", "1.0.0", "d" * 64, ToolkitOrigin.UPLOAD, enabled=False, installed_at=5,
    installed_by="ann",
)  # fmt: skip


def event(action=AuditAction.TOOLKIT_INSTALL):
    return NewAuditEvent(Actor("ann"), action, Target(TargetKind.TOOLKIT, "lab"))


def actions(store):
    return [event.action for event in store.audit.page().events]


def test_each_change_counts_and_is_audited(store):
    assert (store.toolkits.all(), store.toolkits.get("lab"), store.toolkits.changes()) == (
        (),
        None,
        0,
    )
    store.toolkits.put(LAB, event())
    newer = dataclasses.replace(LAB, version="1.1.0", previous="1.0.0")
    store.toolkits.put(newer, event())
    assert store.toolkits.all() == (newer,)
    assert store.toolkits.enable("lab", event(AuditAction.TOOLKIT_ENABLE), enabled=True)
    assert store.toolkits.get("lab") == dataclasses.replace(newer, enabled=True)
    assert store.toolkits.remove("lab", event(AuditAction.TOOLKIT_REMOVE))
    assert (store.toolkits.all(), store.toolkits.changes()) == ((), 4)
    assert actions(store) == [
        "toolkit.remove", "toolkit.enable", "toolkit.install", "toolkit.install",
    ]  # fmt: skip


@pytest.mark.parametrize("change", ["enable", "remove"])
def test_nothing_is_recorded_for_what_is_not_installed(store, change):
    more = {"enabled": True} if change == "enable" else {}
    assert not getattr(store.toolkits, change)("lab", event(), **more)
    assert (store.toolkits.changes(), actions(store)) == (0, [])


def test_a_run_keeps_its_toolkit(store, helper):
    made = helper.queued(toolkit=LAB.recorded)
    assert store.runs.get(made.id).runbook.toolkit == LAB.recorded
    assert store.runs.get(helper.queued().id).runbook.toolkit is None
