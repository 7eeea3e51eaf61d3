"""What is answered about policies and steps has the form that the API's document promises."""

from runbook.core.access import Decision
from runbook.core.document import (
    NO_POLICY,
    Condition,
    Language,
    OnBusy,
    OnFailure,
    Operand,
    Policy,
    Retry,
    Script,
    Step,
)
from runbook.core.language.parse import parse
from runbook.core.permissions import Permission
from runbook.core.recovery.rule import Recovery
from runbook.library.catalog import Entry
from runbook.library.loading import Identity
from runbook.resources.declaration import (
    PolicyItemJson,
    StepItemJson,
    policy_json,
    step_json,
)
from runbook.resources.runbook import runbook_json

BARE = Step("One", Language.ZSH, "a\n", 12)
FULL = Step(
    "Two",
    Language.BASH,
    "b\n",
    20,
    heading_line=14,
    conditions=(Condition(Operand.INPUT, "MODE", "full"),),
    timeout_s=90.0,
    retry=Retry(3, 1.5, frozenset({9, -1})),
    continues=True,
    undo=Script(Language.ZSH, "c\n", 30),
)


def test_a_step_without_options():
    assert step_json(BARE) == {
        "name": "One",
        "language": "zsh",
        "line": 12,
        "heading_line": None,
        "conditions": [],
        "timeout_seconds": None,
        "retry": None,
        "continue": False,
        "reversible": False,
    }
    assert StepItemJson.__annotations__.keys() == step_json(BARE).keys()


def test_a_step_with_options():
    assert step_json(FULL) == {
        "name": "Two",
        "language": "bash",
        "line": 20,
        "heading_line": 14,
        "conditions": ["inputs.MODE == 'full'"],
        "timeout_seconds": 90.0,
        "retry": {"attempts": 3, "backoff_seconds": 1.5, "on": [-1, 9]},
        "continue": True,
        "reversible": True,
    }


def test_a_policy():
    policy = Policy(
        timeout_s=60.0,
        locks=("device:${HOST}",),
        on_busy=OnBusy.FAIL,
        concurrency=2,
        retry=Retry(2),
        on_failure=OnFailure.UNDO,
        queue="net",
        dry_run=True,
        confirm="push ${HOST}",
        success_codes=frozenset({3, 0}),
        recover=Recovery("End.md", frozenset({41, 40}), 3, 5.0),
    )
    assert policy_json(policy) == {
        "timeout_seconds": 60.0,
        "locks": ["device:${HOST}"],
        "on_busy": "fail",
        "concurrency": 2,
        "retry": {"attempts": 2, "backoff_seconds": 0.0, "on": None},
        "on_failure": "undo",
        "queue": "net",
        "dry_run": True,
        "confirm": "push ${HOST}",
        "success_codes": [0, 3],
        "provides_choices": False,
        "updates_inventory": False,
        "recover": {
            "runbook": "End.md",
            "unless": [40, 41],
            "attempts": 3,
            "backoff_seconds": 5.0,
        },
    }
    assert PolicyItemJson.__annotations__.keys() == policy_json(policy).keys()


HEAD = b"""# Demo

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
```

# Script

```sh
a
```

"""


def test_a_runbook_has_a_policy_unless_it_is_not_valid():
    assert declared(HEAD + b"# History\n")["policy"] == policy_json(NO_POLICY)
    assert declared(HEAD)["policy"] is None


def declared(data):
    entry = Entry("Demo.md", parse(data), Identity(0, 0, 0, 0, 0))
    return runbook_json(entry, Decision(Permission.RUNBOOK_EXECUTE), data)
