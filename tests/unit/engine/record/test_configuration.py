"""Which settings and keys changed since the last start is in the audit trail."""

from dataclasses import replace

import pytest

from runbook.core.audit import AuditAction
from runbook.engine.record.configuration import Configuration, fingerprint, record_configuration
from runbook.store.store import Store

FIRST = Configuration("web-1", {"A": "1", "B": "2"}, {"inputs": "f00"})


@pytest.fixture
def audit(tmp_path):
    store = Store(f"sqlite:///{tmp_path}/store.db")
    store.maintenance.migrate()
    yield store.audit
    store.close()


def events(audit):
    return [(event.action, event.target, event.details) for event in audit.page().events][::-1]


def test_the_first_start_records_everything(audit):
    record_configuration(audit, FIRST)
    (settings, keys) = events(audit)
    assert settings[:2] == (AuditAction.SETTINGS_CHANGE, "web-1")
    assert settings[2] == {"changed": ["A", "B"], "before": {}, "now": {"A": "1", "B": "2"}}
    assert (keys[0], keys[2]["changed"]) == (AuditAction.KEY_CHANGE, ["inputs"])


def test_the_same_configuration_records_nothing(audit):
    record_configuration(audit, FIRST)
    record_configuration(audit, FIRST)
    assert len(events(audit)) == 2


def test_what_changed_is_named(audit):
    record_configuration(audit, FIRST)
    record_configuration(audit, replace(FIRST, settings={"A": "1", "B": "3", "C": "4"}))
    assert events(audit)[-1][2]["changed"] == ["B", "C"]
    record_configuration(audit, replace(FIRST, settings={"A": "1"}, keys={}))
    assert [event[2]["changed"] for event in events(audit)[-2:]] == [["B", "C"], ["inputs"]]


def test_hosts_are_kept_apart(audit):
    record_configuration(audit, FIRST)
    record_configuration(audit, replace(FIRST, host="web-2"))
    record_configuration(audit, FIRST)
    assert len(events(audit)) == 4


def test_a_fingerprint_depends_on_the_secret_and_the_key():
    made = {fingerprint(secret, key) for secret in (b"a", b"b") for key in (b"k", b"l")}
    assert len(made) == 4
