"""What `runbook new` writes: runbooks that are valid as they are, and teach the format."""

from __future__ import annotations

_ABOVE = """\
# {name}

Say here what this runbook does, when to use it and what it changes. The reader may be someone who
has never done this before and has to do it now.

<!-- Everything between the headings is for people, but for the blocks in ```yaml and ```sh.
     `runbook lint {file}` tells what is wrong, on which line. -->

# Environment Requirements

<!-- The inputs of the script. Only what stands here reaches it, as an environment variable.
     `type: secret` hides a value in the output and in every record. -->

```yaml
TARGET:
  description: Host name of the machine.
  type: string
  default: localhost
MESSAGE:
  description: What to say there. May be left out.
  type: string
  optional: true
```

# File System Requirements

<!-- Files and folders that the script needs, by their path beside this document. They are copied
     into the directory that it starts in. -->

```yaml
Input:
```

# Required Claims

<!-- Who may execute this: a token must match every line, by one of its values. Without this
     section, everyone with a valid token may. -->

```yaml
roles: sre, admin
```

"""

_SCRIPT = """\
# Script

<!-- A return code other than 0 is a failure. ```bash and ```python are possible too. -->

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

<!-- Each heading of the second level with a block is a step. Steps run in order, in the same
     directory, each in a process of its own; the first one that fails ends the run. -->

## Prepare

```sh
setopt err_exit no_unset pipe_fail

print -r -- "Target: $TARGET" > plan.txt
```

## Carry out

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
    """The text of a new runbook called `name`."""
    above = _ABOVE.replace("{name}", name).replace("{file}", f"{name}.md")
    return above + (_STEPS if steps else _SCRIPT) + _BELOW
