"""Adopting: who may do it, and that file, database and audit trail agree afterwards."""

import dataclasses

import pytest

from runbook.core.access import Principal
from runbook.core.audit import AuditAction
from runbook.core.permissions import STANDARD_ROLES, RolePermissions
from runbook.core.run import Origin
from runbook.errors import AccessDeniedError
from runbook.library.history import verify_file

STANDARD = RolePermissions.parse(STANDARD_ROLES)


def someone(*roles):
    claims = {"roles": list(roles)}
    return Principal("bob", Origin.CLI, claims, grants=STANDARD.grants(roles))


@pytest.fixture
def path(workshop):
    """A runbook whose history another system appended to, after two runs."""
    path = workshop.write("Quick", claims="roles: sre, admin")
    workshop.register()
    for _ in range(2):
        workshop.submit("Quick.md")
        workshop.execute()
    with path.open("a") as file:
        file.write("a note\n")
    return path


def head_of(workshop):
    (row,) = workshop.store.runbooks.last_runs().rows
    return row.history


def test_file_database_and_audit_trail_agree(workshop, path):
    done = workshop.engine.adopt_history("Quick.md", someone("admin"), "why")

    assert done.compared.n == 2
    head = head_of(workshop)
    assert (head.n, head.digest) == (3, done.adopted.link.digest)
    found = verify_file(path, (head.n, head.digest))
    assert (found.ok, [one.record.who for one in found.adopted]) == (True, ["bob"])
    event = workshop.store.audit.last(AuditAction.HISTORY_ADOPT, "Quick.md")
    assert (event.subject, event.details["n"], event.details["adopted"]) == ("bob", 3, 1)
    workshop.submit("Quick.md")
    workshop.execute()
    assert head_of(workshop).n == 4


@pytest.mark.parametrize("roles", [(), ("sre",)])
def test_what_everyone_may_do_is_not_enough(workshop, path, roles):
    before = path.read_bytes()
    with pytest.raises(AccessDeniedError):
        workshop.engine.adopt_history("Quick.md", someone(*roles), "why")
    assert path.read_bytes() == before
    assert workshop.store.audit.last(AuditAction.HISTORY_ADOPT, "Quick.md") is None


def test_the_runbooks_claims_apply_too(workshop, path):
    admin = dataclasses.replace(someone("admin"), claims={"roles": ["guest"]})
    with pytest.raises(AccessDeniedError):
        workshop.engine.adopt_history("Quick.md", admin, "why")


def test_where_all_is_well_nothing_is_recorded(workshop, path):
    workshop.engine.adopt_history("Quick.md", someone("admin"), "why")
    head, text = head_of(workshop), path.read_bytes()

    done = workshop.engine.adopt_history("Quick.md", someone("admin"), "again")

    assert (done.adopted.link, head_of(workshop), path.read_bytes()) == (None, head, text)
    event = workshop.store.audit.last(AuditAction.HISTORY_ADOPT, "Quick.md")
    assert event.details["reason"] == "why"
