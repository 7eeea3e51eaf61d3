"""What a script says of its changes, as it is read."""

import json

import pytest

from runbook.core.effects import (
    Effect,
    HostKeyQuestion,
    Intent,
    Settlement,
    read_effect,
    touched_steps,
)
from runbook.core.language.parse import parse
from runbook.core.ssh.host_key import HostAddress, read_public_key
from runbook.script.limits import EffectState

REPLY = "0" * 32
INTEND = {"op": "intend", "reply": REPLY, "key": "guest", "what": "create", "probe": {"id": 1}}
SETTLE = {"op": "settle", "reply": REPLY, "id": "run-1/2", "state": "done", "outcome": {}}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFTZyuhtxKZH1XJLSGl7mLm0QuPUbiOsXHsWPGi0QPFO"
ASK = {"op": "host_key", "reply": REPLY, "host": "Core.example", "port": 22}
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
    address = HostAddress("core.example", 22)
    assert read_effect(json.dumps(ASK)) == HostKeyQuestion(REPLY, address, None)
    shown = read_effect(json.dumps({**ASK, "key": KEY}))
    assert shown == HostKeyQuestion(REPLY, address, read_public_key(KEY))


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
        *(json.dumps({**ASK, **wrong}) for wrong in ({"port": 0}, {"key": "no key"}, {"host": []})),
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
