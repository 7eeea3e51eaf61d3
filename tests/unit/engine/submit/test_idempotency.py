"""What was read is what runs: a request may name the document that its caller has seen."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.requests import ExecuteRequest
from runbook.errors import AccessDeniedError, DocumentChangedError, IdempotencyKeyReusedError

ANN = Principal("ann", Origin.API, {"roles": ["sre"]}, "192.0.2.1", grants=ALL_GRANTS)
VIC = Principal("vic", Origin.API, {"roles": ["viewer"]}, grants=ALL_GRANTS)


@pytest.fixture
def read(workshop):
    """The digest of a runbook as it is now."""
    return lambda ref: workshop.engine.runbooks.entry(ref).document.digest


def asked(digest, **more):
    return ExecuteRequest(digest=digest, **more)


def test_the_document_that_was_read_is_executed(workshop, read):
    workshop.write("Quick")

    assert workshop.submit("Quick.md", digest=read("Quick.md")).status is RunStatus.QUEUED
    assert workshop.engine.validate("Quick.md", ANN, asked(read("Quick.md"))).success


@pytest.mark.parametrize("action", ["submit", "validate"])
def test_another_document_than_the_one_that_was_read_starts_nothing(workshop, read, action):
    workshop.write("Quick", script="print before")
    workshop.submit("Quick.md")
    before = read("Quick.md")
    workshop.write("Quick", script="print after", inputs="NEW: is needed")

    with pytest.raises(DocumentChangedError, match=r"Quick\.md has changed since") as caught:
        getattr(workshop.engine, action)("Quick.md", ANN, asked(before))

    assert caught.value.details["current_digest"] == read("Quick.md")
    lines = caught.value.details["diff"].split("\n")
    assert {"-print before", "+print after"} <= set(lines)
    assert len(workshop.store.runs.page().runs) == 1


def test_a_document_that_nobody_executed_has_no_difference(workshop):
    workshop.write("Quick")

    with pytest.raises(DocumentChangedError) as caught:
        workshop.engine.submit("Quick.md", ANN, asked("0" * 64))

    assert "diff" not in caught.value.details


def test_who_may_not_execute_it_is_refused_first(workshop):
    workshop.write("Sre", claims="roles: sre")

    with pytest.raises(AccessDeniedError):
        workshop.engine.submit("Sre.md", VIC, asked("0" * 64))


def test_the_same_request_is_the_same_run_whatever_was_changed_since(workshop, read):
    workshop.write("Quick")
    before = read("Quick.md")
    first = workshop.submit("Quick.md", digest=before, idempotency_key="k")
    workshop.write("Quick", script="print after")

    again = workshop.engine.submit("Quick.md", ANN, asked(before, idempotency_key="k"))

    assert (again.run.id, again.replayed) == (first.id, True)
    with pytest.raises(IdempotencyKeyReusedError):
        workshop.submit("Quick.md", digest=read("Quick.md"), idempotency_key="k")
    with pytest.raises(DocumentChangedError):
        workshop.submit("Quick.md", digest=before, idempotency_key="other")
