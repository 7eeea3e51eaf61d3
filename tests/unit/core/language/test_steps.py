from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.document import (
    Condition,
    Document,
    Language,
    Operand,
    Retry,
    Script,
    Severity,
    Step,
)
from runbook.core.language.parse import parse

SAMPLES = Path(__file__).parents[4] / "samples" / "runbooks"
HEAD = """# Demo

Words.

# Environment Requirements

```yaml
MODE: full or fast
NAME: {description: a name, optional: true}
PASSWORD: {type: secret}
```

# File System Requirements

```yaml
Input:
```

# Script

"""
OWN = "```sh\na\n```\n"


def text_of(script: str) -> str:
    return f"{HEAD}{script}\n# History\n"


def read(script: str) -> Document:
    return parse(text_of(script).encode())


def codes(found: Document) -> list[str]:
    return [problem.code for problem in found.problems]


def step_of(options: str) -> Step:
    found = read(f"## One\n\n```yaml\n{options}\n```\n\n{OWN}")
    assert found.problems == ()
    assert found.runbook is not None
    (step,) = found.runbook.steps
    return step


def line_of(script: str, start: str, which: int = 0) -> int:
    """The line in the document of the script's line that begins so."""
    lines = script.split("\n")
    found = [n for n, line in enumerate(lines, 1) if line.startswith(start)]
    return HEAD.count("\n") + found[which]


@pytest.mark.parametrize("path", sorted(SAMPLES.rglob("*.md")), ids=lambda path: path.stem)
def test_every_sample_is_understood(path):
    assert parse(path.read_bytes(), stem=path.stem).problems == ()


# -- options --------------------------------------------------------------------------------------


def test_without_options_all_is_default():
    found = read(f"## One\n\n{OWN}")
    assert found.runbook is not None
    line = line_of(f"## One\n\n{OWN}", "a")
    assert found.runbook.steps == (Step("One", Language.ZSH, "a\n", line, heading_line=line - 3),)


@pytest.mark.parametrize("options", ["", "{}", "# timeout: 5m"])
def test_options_that_say_nothing(options):
    step = step_of(options)
    assert step == Step("One", Language.ZSH, "a\n", step.line, heading_line=step.heading_line)


def test_every_option():
    step = step_of(
        "if: [inputs.MODE == full, outputs.vm != 'x']\n"
        "timeout: 1m30s\n"
        "retry: {attempts: 3, backoff: 2s, on: 7}\n"
        "continue: true"
    )
    assert step.conditions == (
        Condition(Operand.INPUT, "MODE", "full"),
        Condition(Operand.OUTPUT, "vm", "x", negated=True),
    )
    assert step.timeout_s == 90.0
    assert step.retry == Retry(3, 2.0, frozenset({7}))
    assert step.continues


def test_an_option_may_be_switched_off():
    assert not step_of("continue: false").continues


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("inputs.MODE == full", Condition(Operand.INPUT, "MODE", "full")),
        ("inputs.MODE==full", Condition(Operand.INPUT, "MODE", "full")),
        ("  inputs.MODE   !=   full  ", Condition(Operand.INPUT, "MODE", "full", negated=True)),
        ("inputs.NAME == ''", Condition(Operand.INPUT, "NAME", "")),
        ('inputs.NAME != ""', Condition(Operand.INPUT, "NAME", "", negated=True)),
        ('inputs.NAME == "it\'s"', Condition(Operand.INPUT, "NAME", "it's")),
        ("inputs.NAME == 'say \"x\"'", Condition(Operand.INPUT, "NAME", 'say "x"')),
        ("inputs.NAME == ' a b '", Condition(Operand.INPUT, "NAME", " a b ")),
        ("inputs.NAME == a=b", Condition(Operand.INPUT, "NAME", "a=b")),
        ("inputs.NAME == '=='", Condition(Operand.INPUT, "NAME", "==")),
        ("outputs.vm-id.x == 1", Condition(Operand.OUTPUT, "vm-id.x", "1")),
        (f"outputs.{'x' * 128} == 1", Condition(Operand.OUTPUT, "x" * 128, "1")),
    ],
)
def test_conditions(text, condition):
    quoted = text.replace("'", "''")
    assert step_of(f"if: '{quoted}'").conditions == (condition,)


def test_a_condition_reads_as_it_is_written_in_yaml():
    assert step_of('if: inputs.NAME == "x y"').conditions[0].value == "x y"


RULE = "Step 'One': 'if' must be a condition such as inputs.NAME == value, or a list of conditions"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("if:", RULE),
        ("if: []", RULE),
        ("if: {a: b}", RULE),
        ("if: [[inputs.MODE == a]]", RULE),
        ("if: inputs.MODE", RULE),
        ("if: inputs.MODE ==", RULE),
        ("if: inputs.MODE == #x", RULE),
        ("if: inputs.MODE = a", RULE),
        ("if: inputs.MODE === a", RULE),
        ("if: inputs.MODE ===a", RULE),
        ("if: inputs.MODE > a", RULE),
        ("if: MODE == a", RULE),
        ("if: inputs.MODE == a b", RULE),
        ("if: inputs.MODE == a && inputs.NAME == b", RULE),
        ("if: inputs.MODE == 'a' and inputs.NAME == 'b'", RULE),
        ("if: inputs.MODE == 'a", RULE),
        ("if: inputs.MODE == a'", RULE),
        ("if: input.MODE == a", RULE),
        ("if: outputs.1a == a", RULE),
        ("if: outputs.a/b == a", RULE),
        (f"if: outputs.{'x' * 129} == a", RULE),
        ("timeout: 0", "Step 'One': 'timeout' must be longer than 0"),
        ("timeout: long", "Step 'One': 'timeout' must be a duration"),
        ("retry: {on: 1}", "Step 'One': 'retry' must be a number of attempts or a mapping with"),
        ("retry: {attempts: 0}", "Step 'One', retry: 'attempts' must be an integer from 1"),
        ("continue: yes", "Step 'One': 'continue' must be true or false"),
        ("continue: [true]", "Step 'One': 'continue' must be true or false"),
    ],
)
def test_an_option_of_no_use(options, message):
    script = f"## One\n\n```yaml\n\n{options}\n```\n\n{OWN}"
    (problem,) = read(script).errors
    assert problem.code == "bad_value"
    assert problem.message.startswith(message)
    assert problem.line == line_of(script, options)


@pytest.mark.parametrize(
    ("options", "code", "hint"),
    [
        ("tiemout: 5m", "unknown_key", "Did you mean timeout?"),
        ("zzz: 1", "unknown_key", "Use one of: if, timeout, retry, continue"),
        ("if: inputs.MDOE == a", "undeclared_input", "Did you mean MODE?"),
        (
            "if: inputs.PASSWORD == a",
            "input_not_shown",
            "Use an input that is neither a secret nor a file",
        ),
        ("if: input.MODE == a", "bad_value", "Did you mean inputs?"),
        ("if: env.MODE == a", "bad_value", "Use one of: inputs, outputs"),
        ("- timeout", "not_a_mapping", None),
        (
            "timeout: 'x",
            "bad_yaml",
            "Quote values that contain ': ' or ' #', or start with a special",
        ),
    ],
)
def test_options_that_are_not_understood(options, code, hint):
    found = read(f"## One\n\n```yaml\n{options}\n```\n\n{OWN}")
    (problem,) = found.errors
    assert problem.code == code
    assert (problem.hint or "").startswith(hint or "")
    assert problem.line is not None
    assert found.runbook is None


def test_a_file_input_is_no_operand():
    text = text_of(f"## One\n\n```yaml\nif: inputs.NAME == a\n```\n\n{OWN}")
    found = parse(text.replace("a name, optional: true", "a name, type: file").encode())
    (problem,) = found.errors
    assert problem.code == "input_not_shown"
    assert problem.params == {"where": "Step 'One'", "key": "if", "variable": "NAME"}


# -- position of options -------------------------------------------------------------------------

OPTIONS = "```yaml\ntimeout: 5m\n```\n"
PROSE = "```yaml\nimage: x\n```\n"


def test_options_stand_anywhere_above_the_script():
    found = read(f"## One\n\nWords.\n\n### Before\n\n{OPTIONS}\n~~~text\nx\n~~~\n\n{OWN}")
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.steps[0].timeout_s == 300.0


@pytest.mark.parametrize(
    "script",
    [
        f"## One\n\n{OWN}\n{PROSE}",
        f"## One\n\n- {PROSE.replace(chr(10), chr(10) + '  ').rstrip(' ')}\n{OWN}",
        f"## One\n\n{OWN}\n### Undo\n\n```sh\nb\n```\n\n{PROSE}",
        f"{OPTIONS}\n## One\n\n{OWN}",
        f"## About\n\n{OPTIONS}\n## One\n\n{OWN}",
        f"{OPTIONS}\n{OWN}\n{OPTIONS}",
        f"## One\n\n{OWN}\n```yaml\n- timeout\n```\n",
        f"## One\n\n{OWN}\n```yaml\ntimeout: '\n```\n",
    ],
)
def test_a_yaml_block_elsewhere_is_text(script):
    found = read(script)
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.steps[0].timeout_s is None


@pytest.mark.parametrize(
    "script",
    [
        f"## One\n\n{OWN}\n{OPTIONS}",
        f"## One\n\n{OWN}\n### More\n\n{OPTIONS}",
        f"## One\n\n- ```yaml\n  timeout: 5m\n  ```\n\n{OWN}",
        f"## One\n\n{OPTIONS}\n{OWN}\n{OPTIONS.replace('5m', '6m')}",
    ],
)
def test_options_at_the_wrong_place(script):
    (problem,) = read(script).errors
    assert problem.code == "misplaced_options"
    lines = text_of(script).split("\n")
    assert problem.line == max(n for n, line in enumerate(lines, 1) if line.endswith("```yaml"))


def test_two_blocks_of_options():
    script = f"## One\n\n{OPTIONS}\n{PROSE}\n{OWN}"
    (problem,) = read(script).errors
    first = line_of(script, "```yaml")
    assert problem.message == f"Step 'One' has two option blocks; the first is on line {first}"
    assert problem.line == line_of(script, "```yaml", 1)


def test_a_yaml_block_above_the_script_is_always_options():
    (problem,) = read(f"## One\n\n{PROSE}\n{OWN}").errors
    assert problem.code == "unknown_key"


# -- Undo -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("heading", ["### Undo", "### UNDO ###", "###   undo"])
def test_undo(heading):
    script = f"## One\n\n{OWN}\n{heading}\n\nWords.\n\n```python\nb\n```\n\n## Two\n\n{OWN}"
    found = read(script)
    assert found.problems == ()
    assert found.runbook is not None
    one, two = found.runbook.steps
    assert one.source == "a\n"
    assert one.undo == Script(Language.PYTHON, "b\n", line_of(script, "b"))
    assert two.undo is None


def test_undo_ends_at_the_next_heading_of_its_level():
    found = read(f"## One\n\n### Do\n\n{OWN}\n### Undo\n\n#### How\n\n```sh\nb\n```\n\n### Notes\n")
    assert found.problems == ()
    assert found.runbook is not None
    (step,) = found.runbook.steps
    assert step.source == "a\n"
    assert step.undo is not None
    assert step.undo.source == "b\n"


def test_a_block_below_another_heading_is_a_second_script():
    script = f"## One\n\n{OWN}\n### Undo\n\n```sh\nb\n```\n\n### Notes\n\n```sh\nc\n```\n"
    (problem,) = read(script).errors
    assert problem.code == "two_scripts_in_step"
    assert problem.line == line_of(script, "```sh", -1)


@pytest.mark.parametrize(
    "undo", ["", "Words.\n", "```\nb\n```\n", "- ```sh\n  b\n  ```\n", "> ```sh\n> b\n> ```\n"]
)
def test_undo_without_a_script(undo):
    script = f"## One\n\n{OWN}\n### Undo\n\n{undo}"
    (problem,) = read(script).errors
    assert problem.message == "Undo of step 'One' must have one script block, not 0"
    assert problem.line == line_of(script, "### Undo")


def test_undo_with_two_scripts():
    script = f"## One\n\n{OWN}\n### Undo\n\n```sh\nb\n```\n\n```bash\nc\n```\n"
    (problem,) = read(script).errors
    assert problem.message == "Undo of step 'One' must have one script block, not 2"
    assert problem.line == line_of(script, "```bash")


def test_two_undos():
    undo = "### Undo\n\n```sh\nb\n```\n\n"
    script = f"## One\n\n{OWN}\n{undo}{undo}"
    (problem,) = read(script).errors
    first = line_of(script, "### Undo")
    assert problem.message == f"Step 'One' has two Undo headings; the first is on line {first}"
    assert problem.line == line_of(script, "### Undo", 1)


@pytest.mark.parametrize(
    "script",
    [
        f"### Undo\n\n## One\n\n{OWN}",
        f"## One\n\n### Undo\n\n```sh\nb\n```\n\n### Do\n\n{OWN}",
        f"## About\n\n### Undo\n\n```sh\nb\n```\n\n## One\n\n{OWN}",
        f"{OWN}\n### Undo\n\nBy hand.\n",
        f"{OWN}\n## About\n\n### Undo\n\nBy hand.\n",
        "### Undo\n\n```sh\nb\n```\n",
    ],
)
def test_undo_at_the_wrong_place(script):
    (problem,) = read(script).errors
    assert problem.code == "misplaced_undo"
    assert problem.line == line_of(script, "### Undo")
    assert problem.hint


@pytest.mark.parametrize("options", [OPTIONS, PROSE])
def test_undo_takes_no_options(options):
    script = f"## One\n\n{OWN}\n### Undo\n\n{options}\n```sh\nb\n```\n"
    (problem,) = read(script).errors
    assert problem.code == "undo_options"
    assert problem.line == line_of(script, "```yaml")


def test_options_below_the_script_of_an_undo():
    (problem,) = read(f"## One\n\n{OWN}\n### Undo\n\n```sh\nb\n```\n\n{OPTIONS}").errors
    assert problem.code == "undo_options"


def test_an_empty_undo_is_a_warning():
    found = read(f"## One\n\n{OWN}\n### Undo\n\n```sh\n```\n")
    assert codes(found) == ["empty_script"]
    assert found.runbook is not None


def test_undo_as_a_step_is_a_warning():
    script = f"## One\n\n{OWN}\n## Undo\n\n{OWN}"
    found = read(script)
    assert [(p.code, p.severity, p.line) for p in found.problems] == [
        ("undo_as_step", Severity.WARNING, line_of(script, "## Undo"))
    ]


def test_an_undo_in_a_list_is_text():
    found = read(f"## One\n\n{OWN}\n- ### Undo\n")
    assert found.problems == ()


def test_an_undo_that_is_cut_short():
    cut = "```sh\ncat <<END\n```\nx\nEND\n```\n"
    found = read(f"## One\n\n{OWN}\n### Undo\n\n{cut}")
    assert "script_cut" in codes(found)
    assert found.runbook is None


@pytest.mark.parametrize(("language", "warned"), [("zsh", True), ("bash", False)])
def test_zsh_may_run_only_the_undo(language, warned):
    script = f"## One\n\n```bash\na\n```\n\n### Undo\n\n```{language}\nb\n```\n"
    found = parse(text_of(script).replace("MODE:", "status:").encode())
    assert codes(found) == ["name_set_by_shell"] * warned


# -- names ----------------------------------------------------------------------------------------


def test_two_steps_of_one_name():
    script = f"## One\n\n{OWN}\n## Two\n\n{OWN}\n## One\n\n{OWN}\n## One\n\n{OWN}"
    found = read(script)
    first = line_of(script, "## One")
    text = f"Step 'One' has the same name as the step on line {first}"
    assert [(p.message, p.severity, p.line) for p in found.problems] == [
        (text, Severity.WARNING, line_of(script, "## One", 1)),
        (text, Severity.WARNING, line_of(script, "## One", 2)),
    ]
    assert found.runbook is not None


# -- lines ----------------------------------------------------------------------------------------

WORDS = st.lists(
    st.sampled_from(
        ["Words.", "", "- a list", "> a quote", "#### Detail", "```text\nprose\n```", "<!-- x -->"]
    ),
    max_size=3,
).map("\n\n".join)
SOURCE = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=8).filter(
        lambda line: "``" not in line and "<<" not in line
    ),
    min_size=1,
    max_size=4,
).map("\n".join)


@st.composite
def steps(draw: st.DrawFn) -> str:
    parts = [f"## Step {draw(st.integers(0, 99))}", draw(WORDS)]
    if draw(st.booleans()):
        parts += ["```yaml\ncontinue: true\n\ntimeout: 5m\n```", draw(WORDS)]
    parts += [f"````sh\n{draw(SOURCE)}\n````", draw(WORDS)]
    if draw(st.booleans()):
        parts += ["### Undo", draw(WORDS), f"~~~bash\n{draw(SOURCE)}\n~~~", draw(WORDS)]
    return "\n\n".join(parts)


@settings(max_examples=150)
@given(
    st.lists(WORDS | steps(), max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(["", "\ufeff"]),
)
def test_every_line_is_where_it_is_said_to_be(parts, line_end, mark):
    script = "\n\n".join([*parts, "## Last", OWN])
    text = text_of(script)
    lines = text.split("\n")
    found = parse((mark + text.replace("\n", line_end)).encode())

    assert found.errors == ()
    assert found.runbook is not None
    assert len(found.runbook.steps) == sum(part.startswith("## Step") for part in parts) + 1
    for step in found.runbook.steps:
        assert step.heading_line is not None
        assert lines[step.heading_line - 1] == f"## {step.name}"
        assert step.heading_line < step.line
        assert_lines(lines, step.script)
        if step.undo:
            assert step.undo.line > step.line
            assert_lines(lines, step.undo)
    undone = [step.undo is not None for step in found.runbook.steps]
    timed = [step.timeout_s == 300.0 for step in found.runbook.steps]
    of_parts = [part for part in parts if part.startswith("## Step")]
    assert undone == [*("### Undo" in part for part in of_parts), False]
    assert timed == [*("\ntimeout: 5m\n```" in part for part in of_parts), False]


def assert_lines(lines: list[str], script: Script) -> None:
    source = script.source.removesuffix("\n").split("\n")
    assert lines[script.line - 1 : script.line - 1 + len(source)] == source


PIECES = st.sampled_from(
    [
        "## One\n",
        "### Undo\n",
        "```sh\n",
        "```yaml\n",
        "```\n",
        "~~~\n",
        "- ",
        "if: inputs.MODE == a\n",
        "if: [\n",
        "timeout: 5m\n",
        "retry: 0\n",
        "cat <<END\n",
        "# Policy\n",
        "on_failure: undo\n",
        "\r",
    ]
)


@settings(max_examples=150)
@given(st.lists(PIECES | st.text(max_size=8), max_size=14).map("".join))
def test_no_script_section_makes_it_raise(script):
    data = text_of(script).encode("utf-8", "surrogatepass")
    found = parse(data)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert (found.runbook is None) == bool(found.errors)
    for problem in found.problems:
        assert problem.line is None or 1 <= problem.line <= lines
