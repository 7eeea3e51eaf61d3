"""RUNBOOK.md matches the parser: examples are parsed, tables compared with the code."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from runbook.core.document import Input, InputType
from runbook.core.environ import RESERVED, RESERVED_PREFIXES
from runbook.core.history.entry import ENTRY_HEAD
from runbook.core.inputs.declarations import KEYS as INPUT_KEYS
from runbook.core.inputs.types import check_text
from runbook.core.language.parse import parse
from runbook.core.language.policy import KEYS as POLICY_KEYS
from runbook.core.language.recoveries import KEYS as RECOVER_KEYS
from runbook.core.language.retries import KEYS as RETRY_KEYS
from runbook.core.language.step_options import KEYS as OPTION_KEYS
from runbook.core.language.steps import LANGUAGES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "runbook"
TEXT = (ROOT / "RUNBOOK.md").read_text()
FENCES = [token for token in MarkdownIt("commonmark").parse(TEXT) if token.type == "fence"]
EXAMPLES = [token.content for token in FENCES if token.info == "markdown"]
(COMPLETE,) = [text for text in EXAMPLES if "# Required Claims" in text]


def code_spans(text):
    return re.findall(r"`([^`]+)`", text)


def section(heading):
    """The text below one level-2 or level-3 heading."""
    parts = re.split(r"^#{2,3} (.+)$", TEXT, flags=re.MULTILINE)
    return parts[parts.index(heading) + 1]


# -- examples ------------------------------------------------------------------------------------


def test_the_complete_example_is_valid():
    assert parse(COMPLETE.encode()).problems == ()


def test_the_example_of_steps_is_valid():
    (steps,) = [text for text in EXAMPLES if text.startswith("# Script")]
    found = parse(f"{COMPLETE.partition('# Script')[0]}{steps}\n# History\n".encode())

    assert found.problems == ()
    assert [step.name for step in found.runbook.steps] == ["Collect", "Report"]


def test_the_examples_of_options_and_undo_are_valid():
    parts = [text for text in EXAMPLES if text.startswith("## ")]
    script = "\n".join(["# Script\n", *parts])
    found = parse(f"{COMPLETE.partition('# Script')[0]}{script}\n# History\n".encode())

    assert found.problems == ()
    assert [bool(step.retry) for step in found.runbook.steps] == [True, False]
    assert [bool(step.undo) for step in found.runbook.steps] == [False, True]


def test_the_example_of_a_policy_says_every_key():
    block = re.search(
        r"^```yaml\n(.*?)^```$", section("Policy: the rules for runs"), re.MULTILINE | re.DOTALL
    )
    found = parse(COMPLETE.replace("# Script", f"# Policy\n\n{block[0]}\n\n# Script").encode())

    assert found.problems == ()
    assert re.findall(r"^(\w+):", block[1], re.MULTILINE) == list(POLICY_KEYS)
    documented = documented_keys(section("Policy: the rules for runs"))
    assert documented == {*POLICY_KEYS, *RETRY_KEYS, *RECOVER_KEYS}


def test_every_option_of_a_step_is_documented():
    options = TEXT.partition("**Options of a step**")[2].partition("**Undo.**")[0]
    assert documented_keys(options) == set(OPTION_KEYS)


def documented_keys(text):
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    return {span for row in rows for span in code_spans(first_cell(row))}


@pytest.mark.parametrize("number", range(9))
def test_the_examples_of_inputs_are_valid(number):
    blocks = re.findall(
        r"^```yaml\n.*?^```$",
        section("Environment Requirements: inputs"),
        re.MULTILINE | re.DOTALL,
    )
    old = re.search(r"# Environment Requirements\n\n```yaml\n.*?```", COMPLETE, re.DOTALL)[0]
    new = f"# Environment Requirements\n\n{blocks[number]}"

    assert len(blocks) == 9
    assert parse(COMPLETE.replace(old, new).encode()).problems == ()


def test_every_type_of_input_is_documented_with_values_that_it_takes():
    table = rows_below("| type | value | valid examples |")
    assert [code_spans(row[0])[0] for row in table] == [str(kind) for kind in TYPES_IN_ORDER]
    for kind, (_, _, examples) in zip(TYPES_IN_ORDER, table, strict=True):
        item = Input("NAME", "", 1, kind, typed=True, choices=("a", "b", "c"))
        for text in code_spans(examples):
            assert kind is InputType.FILE or check_text(item, text) is None, text


TYPES_IN_ORDER = sorted(InputType, key=lambda kind: TEXT.index(f"\n| `{kind}` | "))


def rows_below(head):
    lines = TEXT.partition(f"{head}\n")[2].partition("\n\n")[0].splitlines()[1:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_every_key_of_an_input_is_documented():
    table = rows_below("| key | value | default |")
    assert {code_spans(row[0])[0] for row in table} == set(INPUT_KEYS)


@pytest.mark.parametrize(
    ("heading", "name"),
    [
        ("Environment Requirements: inputs", "Environment Requirements"),
        ("File System Requirements: files", "File System Requirements"),
        ("Required Claims: who may execute", "Required Claims"),
    ],
)
def test_the_example_of_a_declaration_is_valid(heading, name):
    block = re.search(r"^```yaml\n.*?^```$", section(heading), re.MULTILINE | re.DOTALL)[0]
    old = re.search(rf"# {name}\n\n```yaml\n.*?```", COMPLETE, re.DOTALL)[0]

    assert parse(COMPLETE.replace(old, f"# {name}\n\n{block}").encode()).problems == ()


def test_the_example_of_a_history_entry_looks_like_one():
    (entry,) = [text for text in EXAMPLES if "Exit Code" in text]
    assert ENTRY_HEAD.match(entry.encode())


# -- tables --------------------------------------------------------------------------------------


def test_every_reserved_name_is_documented():
    spans = set(code_spans(section("Reserved names"))) - {"GIT_BRANCH", "PYTHON_VERSION"}
    prefixes = {span for span in spans if span.endswith("*")}

    assert spans - prefixes == RESERVED
    assert prefixes == {f"{prefix}*" for prefix in RESERVED_PREFIXES}


def test_every_language_is_documented():
    table = TEXT.partition("| info of the block | runs |\n")[2].partition("\n\n")[0]
    documented = {span for line in table.splitlines() for span in code_spans(first_cell(line))}
    assert documented == set(LANGUAGES)


# -- problems ------------------------------------------------------------------------------------


def documented_problems():
    lines = section("Errors and what to do").splitlines()
    rows = [line for line in lines if line.startswith("|")]
    spans = {span for row in rows for span in code_spans(first_cell(row))}
    # The section's name is inserted later.
    return {span.replace("block in S is", "block is") for span in spans}


def first_cell(line):
    return re.split(r"(?<!\\)\|", line)[1]


def test_every_problem_is_documented_in_its_words():
    for pattern in messages():
        assert any(re.fullmatch(pattern, text) for text in documented_problems()), pattern


def test_no_documented_problem_is_out_of_date():
    for text in documented_problems():
        assert any(re.fullmatch(pattern, text) for pattern in messages()), text


@cache
def messages():
    """All messages of problems with runbooks, as patterns with wildcards for values."""
    files = [
        path
        for layer in ("core", "library")
        for path in (SOURCE / layer).rglob("*.py")
        if path.name not in OF_OTHER_FILES
    ]
    return {text for path in files for text in messages_of(ast.parse(path.read_text()))}


def messages_of(tree):
    """The message of each Problem(...); for a variable, all texts assigned to it."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for nodes in ([*ast.walk(function)] for function in functions):
        for call in nodes:
            if isinstance(call, ast.Call) and getattr(call.func, "id", "") in MESSAGE_AT:
                message = call.args[MESSAGE_AT[call.func.id]]
                yield from filter(None, map(pattern_of, [message, *assigned(message, nodes)]))
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") in RULE_AT:
            rule = pattern_of(call.args[RULE_AT[call.func.id]])
            if rule:
                yield f"V {rule}(: 'X')?"


OF_OTHER_FILES = {"connection.py", "connection_file.py", "manifest.py", "fields.py", "table.py"}
MESSAGE_AT = {"Problem": 1, "_claims_error": 0}
# Value rules: the message is the input's name, the rule and usually the value.
RULE_AT = {"Broken": 0, "TypeRule": 1}


def assigned(message, nodes):
    """The values assigned to the variable that holds a message."""
    assignments = [node for node in nodes if isinstance(node, ast.Assign)]
    name = ast.unparse(message)
    return [node.value for node in assignments if ast.unparse(node.targets[0]) == name]


def pattern_of(value):
    """None if the expression isn't a string."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return re.escape(value.value)
    if isinstance(value, ast.JoinedStr):
        parts = value.values
        return "".join(pattern_of(p) if isinstance(p, ast.Constant) else ".+" for p in parts)
    return None
