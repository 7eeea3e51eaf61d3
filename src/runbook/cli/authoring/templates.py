"""Templates of `runbook new`: valid runbooks that explain the format."""

from __future__ import annotations

_ABOVE = """\
# {name}

Replace this text: say what the runbook does, when to use it, and what it changes. Write for someone
who has never done this before and has to do it now.

<!-- Text between the section headings is for people, except for the blocks described below.
     `runbook lint {file}` reports what is wrong, and on which line. -->

# Environment Requirements

<!-- The inputs of the script, one entry each. The script gets only these, as environment
     variables. The value of an input of `type: secret` is masked in the output and in every
     record. -->

```yaml
TARGET:
  description: Host name of the machine.
  type: string
  default: localhost
MESSAGE:
  description: Message to print. Optional.
  type: string
  optional: true
```

# File System Requirements

<!-- Files and folders that the script needs, as paths relative to this document. They are copied
     into the script's working directory. -->

```yaml
Input:
```

# Required Claims

<!-- Who may execute this runbook. The caller's token must match every line; if a line lists
     several values, one of them is enough. Remove the section to allow everyone with a valid
     token. -->

```yaml
roles: sre, admin
```

"""

_SCRIPT = """\
# Script

<!-- A return code other than 0 is a failure. You can also use ```bash or ```python. -->

```sh
setopt err_exit no_unset pipe_fail

print -r -- "Target: $TARGET"
if [[ -n ${MESSAGE:-} ]]; then
    print -r -- "Message: $MESSAGE"
fi
```

"""

_STEPS = """\
# Script

<!-- Several steps, each with a level-2 heading and one block below it. Steps run in order, each in
     a new shell in the same directory. The first step that fails ends the run. -->

## Prepare

```sh
setopt err_exit no_unset pipe_fail

print -r -- "Target: $TARGET" > plan.txt
```

## Execute

```sh
setopt err_exit no_unset pipe_fail

cat plan.txt
if [[ -n ${MESSAGE:-} ]]; then
    print -r -- "Message: $MESSAGE"
fi
```

"""

_BELOW = """\
# History
"""


def new_runbook(name: str, *, steps: bool = False) -> str:
    """The text of a new runbook named `name`."""
    above = _ABOVE.replace("{name}", name).replace("{file}", f"{name}.md")
    return above + (_STEPS if steps else _SCRIPT) + _BELOW
