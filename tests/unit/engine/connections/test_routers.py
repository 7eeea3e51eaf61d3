"""A run works with a router: its host key and its changes are recorded."""

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.core.status import RunStatus
from runbook.engine.connections.connections import NewConnection
from runbook.lab.routeros import router as simulator
from runbook.script.limits import EffectState

ADMIN = Principal("root", Origin.API, {}, grants=ALL_GRANTS)
PASSWORD = "secret-of-the-router"
SCRIPT = f"""## Arm

```python
import os
from runbook.connectors import routeros

with routeros.connect("ROUTER") as router:
    router.put("note.txt", b"{PASSWORD}")
    print(router.get("note.txt").decode())
    armed = router.arm_rollback(os.environ["RUNBOOK_RUN_ID"], 60)
    router.set("/system/identity", None, {{"name": "new"}})
    router.remove("/no/such", "*1")
```
"""


def test_what_a_run_changes_is_recorded_and_undone_by_the_router(workshop):
    with simulator.Router("7.18", password=PASSWORD, boot_seconds=0.2) as router:
        before = router.snapshot()
        values = {"host": "127.0.0.1", "port": router.api_ssl_port, "ca": router.ca}
        values |= {"ssh_port": router.ssh_port, "username": "admin", "password": PASSWORD}
        workshop.engine.connections.add(NewConnection("r1", "routeros", values), ADMIN)
        assert workshop.engine.connections.check("r1", ADMIN).version == "7.18"
        inputs = "ROUTER: {description: Which, type: connection, kind: routeros}"
        workshop.write_steps("Push", SCRIPT, inputs=inputs)
        workshop.register()
        workshop.submit("Push.md", ADMIN, env_vars={"ROUTER": "r1"})
        run = workshop.execute()
        # The last command failed, with the router's own words.
        assert (run.status, run.result.return_code) == (RunStatus.FAILED, 17)
        assert workshop.output(run).splitlines() == ["***", "Arm a revert on r1"]
        (effect,) = workshop.store.effects.of(run.id)
        assert (effect.key, effect.state) == ("routeros.revert", EffectState.DONE)
        assert effect.probe == {"connection": "r1", "scheduler": f"runbook-revert-{run.id}"}
        (key,) = workshop.store.host_keys.all()
        assert (str(key.key), key.run_id) == (router.host_key, run.id)
        assert router.snapshot() != before
        router.advance(61)
        router.wait_until_up(boots=2)
        assert router.snapshot() == before
