"""Lines that look like a section's heading but aren't one."""

import re

import pytest

from runbook.core.document import Severity
from runbook.core.language.parse import parse

DOCUMENT = """\
# Demo

{above}

# Environment Requirements

```yaml
```

# File System Requirements

```yaml
Input:
```

{line}

```yaml
{yaml}
```

# Script

{script}

```sh
true
```

# History
"""
LINE = 16


def found(line, *, yaml="confirm: delete everything", above="Text.", script="Text."):
    text = DOCUMENT.format(line=line, yaml=yaml, above=above, script=script)
    document = parse(text.encode(), stem="Demo")
    return document, [p for p in document.problems if p.code.startswith("near_miss")]


@pytest.mark.parametrize(
    "line",
    [
        "# Polcy",
        "# Policies",
        "# Polciy",
        "# Policy:",
        "# *Policy*",
        "# 4. Policy",
        "# Policy {#policy}",
        "# Run policy",
        "## Policy:",
        "#Policy",
        "#\u00a0Policy",
        "\uff03 Policy",
        "\\# Policy",
        "**Policy**",
        "__Policy:__",
        "**Policy**:",
        "Policy",
        "Policy:",
        "<h1>Policy</h1>",
        "<h1>\nPolicy\n</h1>",
        "<h2 id='policy'>\n  <a>Policy</a>\n</h2>",
        "<h1>\n\nPolicy\n\n</h1>",
        "<b>Policy</b>",
        "<p><strong>Policy</strong></p>",
        "Policy:\n===",
        "P\u043elicy\n===",
    ],
)
def test_a_near_miss_of_policy_is_an_error_with_its_line(line):
    document, (problem,) = found(line)
    shown = re.sub("<[^<>]*>", "", line).split("\n")
    first = next(index for index, text in enumerate(shown) if text.strip())
    assert (problem.code, problem.severity) == ("near_miss_of_section", Severity.ERROR)
    assert problem.params == {"section": "Policy"}
    assert problem.line == LINE + first
    assert document.runbook is None
    assert document.claims_known


@pytest.mark.parametrize(
    ("heading", "severity"), [("## Policy:", Severity.ERROR), ("## Polcy", Severity.WARNING)]
)
def test_without_rules_below_only_the_name_itself_is_an_error(heading, severity):
    _, (problem,) = found(f"{heading}\n\nBe careful.\n\n## Rules", yaml="a: b")
    assert (problem.params, problem.severity) == ({"section": "Policy"}, severity)


@pytest.mark.parametrize(
    "line",
    [
        "# Claims",
        "# Required Roles",
        "# Roles",
        "# Allowed groups",
        "<h1>\nRequired Claims\n</h1>",
        "<h1>\n\nRequired Claims\n\n</h1>",
        "<p>Required Claims</p>",
        "**Claims**",
        "# Required Claims {#claims}",
    ],
)
def test_a_near_miss_of_required_claims_denies_everyone(line):
    document, (problem,) = found(line, yaml="roles: sre")
    assert (problem.code, problem.severity) == ("near_miss_of_required_claims", Severity.ERROR)
    assert LINE <= problem.line <= LINE + 2
    assert not document.claims_known


@pytest.mark.parametrize(
    ("line", "section"),
    [
        ("# Scripts", "Script"),
        ("# Scirpt", "Script"),
        ("#Script", "Script"),
        ("**Script:**", "Script"),
        ("# Histroy", "History"),
        ("<h1>\nHistory\n</h1>", "History"),
        ("# Enviroment Requirements", "Environment Requirements"),
        ("# Environment Requirement:", "Environment Requirements"),
        ("## File Sytem Requirement", "File System Requirements"),
    ],
)
def test_a_near_miss_of_another_section_is_a_warning(line, section):
    document, (problem,) = found(line, yaml="a: b")
    assert (problem.code, problem.severity) == ("near_miss_of_section", Severity.WARNING)
    assert problem.params == {"section": section}
    assert document.runbook is not None


def test_a_section_by_another_name_is_named_where_it_is_missing():
    text = DOCUMENT.format(line="", yaml="", above="", script="").replace("# Environment R", "# R")
    text = text.replace("# Requirements", "# Inputs")
    problems = parse(text.encode(), stem="Demo").problems
    named = [(p.code, p.params["section"]) for p in problems if "section" in p.params]
    assert ("near_miss_of_section", "Environment Requirements") in named
    assert ("missing_section", "Environment Requirements") in named


@pytest.mark.parametrize(
    "line",
    [
        "# Notes",
        "# Story",
        "# Description",
        "# Security policy",
        "# JSON schema",
        "Scripting",
        "- Policy\n- Script\n- **History**",
        "> **Policy**",
        "The policy is strict.",
        "See the *policy* below.",
        "| Policy |\n|---|",
        "<!-- # Policy: -->",
        "<p>The policy</p>",
    ],
)
def test_other_lines_are_fine(line):
    document, near = found(line, yaml="rules: [a]")
    assert near == []
    assert document.runbook is not None


@pytest.mark.parametrize("above", ["Script", "Policy", "# Policy and rules"])
def test_words_in_the_description_are_fine(above):
    assert found("", yaml="", above=above + "\n\nText.")[1] == []


@pytest.mark.parametrize("script", ["## Scripts", "## Claims\n\n```yaml\ntimeout: 5s\n```"])
def test_steps_may_have_such_names(script):
    assert found("", yaml="", script=script)[1] == []


@pytest.mark.parametrize("name", ["Policies", "Scripts", "Histories"])
def test_a_runbook_may_have_such_a_name(name):
    text = DOCUMENT.format(line="", yaml="", above="```yaml\nretry: 1\n```", script="Text.")
    document = parse(text.replace("# Demo", f"# {name}").encode())
    assert document.runbook is not None


def test_with_the_real_section_other_headings_may_mean_the_same():
    text = DOCUMENT.format(line="# Policy", yaml="timeout: 5s", above="", script="Text.")
    more = "# Retry policy\n\n```yaml\nretry: 5\n```\n\n# Script"
    assert parse(text.replace("# Script", more).encode()).runbook is not None
