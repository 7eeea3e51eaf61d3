import dataclasses

import pytest

from runbook.core.access import Principal
from runbook.core.permissions import ALL_GRANTS
from runbook.core.run import Origin
from runbook.engine.requests import ExecuteRequest
from runbook.engine.sealing import RunInputs
from runbook.engine.submit.inheritance import hiding, secrets_of

SECRET = "correct horse"
FILE = {"name": "a", "content_base64": "Y29ycmVjdCBob3JzZQ=="}


@pytest.mark.parametrize(
    ("env_vars", "hidden"),
    [
        ({"A": SECRET, "B": f"x{SECRET}y", "C": "correct"}, {"A", "B"}),
        ({"A": "Y29ycmVjdCBob3JzZQ==", "B": FILE, "C": ["x", SECRET]}, {"A", "B", "C"}),
        ({"A": "pin", "B": "pins", "C": None, "D": 5}, {"A"}),
        ({5: SECRET}, set()),
        (None, set()),
        (SECRET, set()),
    ],
)
def test_values_with_a_secret_in_them_are_secrets(env_vars, hidden):
    request = ExecuteRequest(env_vars, secrets=frozenset({"Z"}))
    assert hiding(request, [SECRET, "pin"]).secrets == {"Z", *hidden}
    assert hiding(request, []) is request


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
