import dataclasses

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.sealing import RunInputs
from runbook.engine.submit.inheritance import secrets_of

SECRET = "correct horse"


def test_what_is_masked_is_the_callers_secrets_and_those_it_took_over(workshop):
    workshop.write("Caller", inputs="PASSWORD: {type: secret}\nOPEN: {type: string}")
    caller = workshop.submit("Caller.md", env_vars={"PASSWORD": SECRET, "OPEN": "open"})
    parts = workshop.engine.parts
    assert secrets_of(parts, caller) == (SECRET,)
    assert secrets_of(parts, None) == ()
    workshop.register()
    assert workshop.claim().run.id == caller.id
    given = parts.sealer.open(workshop.store.runs.sealed(caller.id), caller.id)
    more = dataclasses.replace(given, masks=("registered",))
    workshop.store.runs.reseal(caller.id, "w", parts.sealer.seal(more, caller.id))
    workshop.write("Called", inputs="X: {type: string}\nY: {type: string}")
    script = Principal("ann", Origin.RUNBOOK, {}, run_id=caller.id, grants=ALL_GRANTS)

    called = workshop.submit("Called.md", script, env_vars={"X": f"<{SECRET}>", "Y": "open"})

    assert called.request.inputs == {"X": None, "Y": "open"}
    sealed = parts.sealer.open(workshop.store.runs.sealed(called.id), called.id)
    assert sealed == RunInputs(
        {"X": f"<{SECRET}>", "Y": "open"}, frozenset({"X"}), masks=(SECRET, "registered")
    )
    assert set(secrets_of(parts, called)) == {f"<{SECRET}>", SECRET, "registered"}
