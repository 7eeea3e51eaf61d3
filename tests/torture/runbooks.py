"""The runbooks of a storm. Each step writes who it is into the ledger, when it begins and ends."""

from __future__ import annotations

from pathlib import Path
from string import Template

RUNBOOK = Template("""\
# $name
A runbook of the storm.

# Environment Requirements
```yaml
$inputs
```

# File System Requirements
```yaml
Input:
```
$policy
# Script
$script

# History
""")
NOTE = 'note() { print -r -- "$RUNBOOK_RUN_ID $1 $2" >> FOLDER/ledger }\n'
PAUSE = "zmodload zsh/zselect; zselect -t $((RANDOM % 20)) || true\n"
LOCK_INPUT = "LOCK: {type: string}"
# Who finds the file locked shares the lock with somebody; it is unlocked when the script ends.
HOLDS = (
    "zmodload zsh/system\n: >> FOLDER/held/$LOCK\n"
    'zsystem flock -t 0 FOLDER/held/$LOCK || print -r -- "$LOCK $RUNBOOK_RUN_ID" >> FOLDER/twice\n'
)
STEPS = ("One", "Two", "Three")


def block(step: str, work: str) -> str:
    return f"```zsh\n{NOTE}note {step} begin\n{work}note {step} end\n```\n"


def steps(*, failing: str) -> str:
    """Three steps. Some runs, by their ID, fail in the second."""
    fails = f"{PAUSE}[[ $RUNBOOK_RUN_ID == *[{failing}] ]] && exit 3\n"
    work = {"One": PAUSE + "print A=1 >> $RUNBOOK_ENV\n", "Two": fails, "Three": PAUSE}
    return "\n".join(
        f"## {step}\n{block(step, work[step])}\n### Undo\n{block('undo-' + step, PAUSE)}"
        for step in STEPS
    )


def policy(text: str) -> str:
    return f"\n# Policy\n```yaml\n{text}\n```\n"


def texts(folder: Path) -> dict[str, str]:
    """The text of each runbook by its name."""
    locked = {"inputs": LOCK_INPUT, "policy": policy("locks: ${LOCK}")}
    scripts: dict[str, dict[str, str]] = {
        "Quick": {"script": block("-", PAUSE)},
        "Noisy": {"script": block("-", "print -l line-{1..300}; print -u2 -l other-{1..50}\n")},
        "Slow": {"script": block("-", "trap 'exit 7' INT\nsleep 2\n")},
        "Stubborn": {"script": block("-", "trap '' INT TERM\nsleep 1\nsleep 1\n"), **locked},
        "Locked": {"script": block("-", HOLDS + PAUSE), **locked},
        "Impatient": {
            "script": block("-", HOLDS + PAUSE),
            "inputs": LOCK_INPUT,
            "policy": policy("locks: ${LOCK}\non_busy: fail"),
        },
        "Steps": {"script": steps(failing="0-9a")},
        "Reverts": {"script": steps(failing="0-7"), "policy": policy("on_failure: undo")},
        "Calls": {
            "script": block("-", "runbook call Quick.md\nrunbook call Locked.md LOCK=c\n"),
        },
        "Leaves": {
            "script": block(
                "-",
                "setsid FOLDER/linger 86400 &\nenv -i setsid FOLDER/linger 86400 &\n"
                "(FOLDER/linger 86400 &)\nprint -r kept > $RUNBOOK_ARTIFACTS/kept.txt\n" + PAUSE,
            ),
        },
    }
    return {name: runbook(name, folder, **parts) for name, parts in scripts.items()}


def runbook(name: str, folder: Path, script: str, inputs: str = "", policy: str = "") -> str:
    text = RUNBOOK.substitute(name=name, inputs=inputs, policy=policy, script=script)
    return text.replace("FOLDER", str(folder))


def victim(name: str, folder: Path) -> str:
    """A runbook whose document nobody else has."""
    return runbook(name, folder, script=block("-", PAUSE))
