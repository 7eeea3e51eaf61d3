import pytest

from runbook.core.language.parse import parse
from runbook.core.recovery.rule import Recovery

TEXT = """# Demo

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

# Policy

```yaml
recover: {}
```

# Script

```sh
true
```

# History
"""


def read(recover):
    return parse(TEXT.format(recover).encode())


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("lab/End.md", Recovery("lab/End.md")),
        ("{runbook: End.md, unless: 40}", Recovery("End.md", frozenset({40}))),
        (
            "{runbook: End.md, unless: [40, 41], attempts: 9, backoff: 2m}",
            Recovery("End.md", frozenset({40, 41}), 9, 120.0),
        ),
    ],
)
def test_what_is_understood(text, rule):
    found = read(text)
    assert found.problems == ()
    assert found.runbook.policy.recover == rule


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("End", "bad_value"),
        ("[End.md]", "bad_value"),
        ("{unless: 40}", "bad_value"),
        ("{runbook: End.md, unless: 0}", "bad_value"),
        ("{runbook: End.md, attempts: 0}", "bad_value"),
        ("{runbook: End.md, on: 40}", "unknown_key"),
    ],
)
def test_what_is_an_error(text, code):
    found = read(text)
    assert found.runbook is None
    assert [problem.code for problem in found.errors] == [code]
