"""The files of a new toolkit: small, valid, and with a test that passes."""

from __future__ import annotations

from collections.abc import Mapping

_MANIFEST = """\
# What each key means: docs/toolkits.md. For your editor: runbook toolkit schema
slug: {slug}
name: {name}
version: 0.1.0
description: Says hello.
"""

_README = """\
# {name}

Replace this text: say what the toolkit is for, what it needs, and which runbook to begin with. It's
shown with the toolkit.
"""

_RUNBOOK = """\
# Greet

Says hello. Replace this text: say what the runbook does and what it changes.

# Environment Requirements

```yaml
NAME:
  description: Whom to greet.
  type: string
  default: world
```

# File System Requirements

```yaml
Input:
```

# Script

```python
import os

import runbook

greeting = f"Hello, {os.environ['NAME']}!"
runbook.output("greeting", greeting)
print(greeting)
```

# History
"""

_CASES = """\
cases:
  - name: greets the world by default
    status: succeeded
    stdout:
      - Hello, world!
  - name: greets by name
    inputs:
      NAME: Ann
    status: succeeded
    outputs:
      greeting: Hello, Ann!
"""


def new_toolkit(slug: str) -> Mapping[str, str]:
    """Texts by file name."""
    name = slug.replace("-", " ").capitalize()
    return {
        "toolkit.yaml": _MANIFEST.format(slug=slug, name=name),
        "README.md": _README.format(name=name),
        "Greet.md": _RUNBOOK,
        "Greet.test.yaml": _CASES,
    }
