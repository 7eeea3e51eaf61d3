"""What a script says of its changes, as it is read."""

import json

import pytest

from runbook.core.effects import Effect, Intent, Settlement, read_effect, touched_steps
from runbook.core.language.parse import parse
from runbook.script.limits import EffectState

REPLY = "0" * 32
INTEND = {"op": "intend", "reply": REPLY, "key": "guest", "what": "create", "probe": {"id": 1}}
SETTLE = {"op": "settle", "reply": REPLY, "id": "run-1/2", "state": "done", "outcome": {}}
STEPS = """# A

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

# Script

## One

```sh
true
```

## Two

```sh
true
```

# History
"""


def effect(**changes):
    known = {"run_id": "run-1", "n": 2, "key": "guest", "what": "create", "probe": {}, "at": 0}
    return Effect(**{**known, "state": EffectState.DONE, **changes})


def test_what_a_script_says():
    assert read_effect(json.dumps(INTEND)) == Intent(REPLY, "guest", "create", {"id": 1})
    said = read_effect(json.dumps(SETTLE))
    assert said == Settlement(REPLY, effect().id, EffectState.DONE, {})


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[" * 100_000,
        "[]",
        *(
            json.dumps({**INTEND, **wrong})
            for wrong in (
                {"reply": "../x"},
                {"op": "other"},
                {"key": "two words"},
                {"what": 1},
                {"probe": []},
            )
        ),
        *(
            json.dumps({**SETTLE, **wrong})
            for wrong in (
                {"id": "run-1"},
                {"state": []},
                {"state": "unknown"},
                {"outcome": None},
            )
        ),
    ],
)
def test_what_cannot_be_read(line):
    assert read_effect(line) is None


def test_steps_whose_changes_may_be_in_place():
    runbook = parse(STEPS.encode()).runbook
    changes = [
        effect(step_name="One", state=EffectState.UNDONE),
        effect(step_name="Two", state=EffectState.INTENDED),
    ]
    assert touched_steps(runbook, changes) == {2}
