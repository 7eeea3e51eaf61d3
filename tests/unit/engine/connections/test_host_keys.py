"""Host keys that runs and checks meet are kept; only an administrator's word replaces them."""

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import STANDARD_ROLES, RolePermissions
from runbook.core.run import Origin
from runbook.core.ssh.host_key import address_of
from runbook.core.status import RunStatus
from runbook.engine.connections.connections import NewConnection
from runbook.engine.connections.retrust import NONE_SHOWN, NOT_IT
from runbook.errors import AccessDeniedError
from sshd import made_key, sshd, sshds

__all__ = ["sshd", "sshds"]
ROLES = RolePermissions.parse(STANDARD_ROLES)
ADMIN, SRE = (
    Principal(name, Origin.API, {"roles": [role]}, grants=ROLES.grants([role]))
    for name, role in (("root", "admin"), ("ann", "sre"))
)
INPUTS = "HOST: {description: Where, type: connection, kind: ssh}"
SCRIPT = """## Ask

```python
from runbook.connectors import ssh

with ssh.connect("HOST") as server:
    print(server.run("echo reached", reads=True).stdout)
    print(server.run("echo changed").stdout)
```
"""


@pytest.fixture
def connections(workshop, sshd):
    found = workshop.engine.connections
    found.add(NewConnection("lab", "ssh", sshd.values()), ADMIN)
    return found


@pytest.fixture
def ask(workshop):
    workshop.write_steps("Ask", SCRIPT, inputs=INPUTS, policy="{dry_run: supported}")
    workshop.register()

    def run(**request):
        workshop.submit("Ask.md", ADMIN, env_vars={"HOST": "lab"}, **request)
        return workshop.execute()

    return run


def known(workshop, sshd):
    return workshop.store.host_keys.of(address_of("127.0.0.1", sshd.port))


def test_a_run_keeps_the_first_key_and_refuses_another(workshop, connections, sshd, ask):
    first = ask()
    assert (first.status, workshop.output(first)) == (RunStatus.SUCCEEDED, "reached\n\nchanged\n\n")
    kept = known(workshop, sshd)
    assert (str(kept.key), kept.run_id) == (sshd.host_key, first.id)
    sshd.change_host_key()
    second = ask()
    assert (second.status, second.result.return_code) == (RunStatus.FAILED, 23)
    assert known(workshop, sshd) == kept
    result = connections.retrust("lab", ADMIN, fingerprint=sshd.fingerprint)
    assert (result.ok, [str(one.key) for one in result.host_keys]) == (True, [sshd.host_key])
    assert ask().status is RunStatus.SUCCEEDED
    event = workshop.store.audit.page().events[0]
    assert (event.action, event.target) == ("connection.retrust", "lab")
    (changed,) = event.details["host_keys"]
    assert (changed["before"], changed["after"]) == (kept.key.fingerprint, sshd.fingerprint)


def test_a_dry_run_only_executes_what_reads(workshop, connections, sshd, ask):
    run = ask(dry_run=True)
    assert (run.status, workshop.output(run)) == (RunStatus.SUCCEEDED, "reached\n\n\n")


def test_a_check_keeps_the_key_too(workshop, connections, sshd):
    found = connections.check("lab", SRE)
    assert (found.ok, found.version.startswith("OpenSSH")) == (True, True)
    assert str(known(workshop, sshd).key) == sshd.host_key
    sshd.change_host_key()
    assert connections.check("lab", SRE).code == "host_key"


def test_only_the_right_key_is_trusted_anew(workshop, connections, sshd, tmp_path):
    connections.check("lab", SRE)
    kept = known(workshop, sshd)
    sshd.change_host_key()
    with pytest.raises(AccessDeniedError):
        connections.retrust("lab", SRE)
    refused = connections.retrust("lab", ADMIN, fingerprint=kept.key.fingerprint)
    assert (refused.ok, refused.code) == (False, NOT_IT)
    assert known(workshop, sshd) == kept
    sshd.stop()
    assert connections.retrust("lab", ADMIN).code == "refused"
    assert known(workshop, sshd) == kept


def test_a_pinned_key_needs_no_trust(connections, sshd, tmp_path):
    pinned = sshd.values(host_key=sshd.host_key)
    connections.add(NewConnection("pinned", "ssh", pinned), ADMIN)
    assert connections.retrust("pinned", ADMIN).code == NONE_SHOWN
    made_key(tmp_path / "other")
    wrong = sshd.values(host_key=(tmp_path / "other.pub").read_text().strip())
    connections.add(NewConnection("wrong", "ssh", wrong), ADMIN)
    assert connections.retrust("wrong", ADMIN).code == "host_key"


def test_a_host_that_is_not_in_the_connection(workshop, connections, sshd):
    connections.check("lab", SRE)
    result = connections.retrust("lab", ADMIN, host="localhost")
    assert [str(one.address) for one in result.host_keys] == [f"localhost:{sshd.port}"]
    assert len(workshop.store.host_keys.all()) == 2
