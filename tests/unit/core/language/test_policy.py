from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.core.document import NO_POLICY, Document, OnBusy, OnFailure, Policy, Retry, Severity
from runbook.core.language.parse import parse

INPUTS = """# Environment Requirements

```yaml
HOST: the host to reach
NAME: {description: a name, optional: true}
PASSWORD: {type: secret}
```
"""
FILES = "# File System Requirements\n\n```yaml\nInput:\n```\n"
SCRIPT = "# Script\n\n```sh\necho $HOST\n```\n"
STEPS = (
    "# Script\n\n## One\n\n```sh\na\n```\n\n### Undo\n\n```sh\nb\n```\n\n## Two\n\n```sh\nc\n```\n"
)


def text_with(policy: str, *, script: str = SCRIPT, before: str = "") -> str:
    return f"# Demo\n\nWords.\n\n{before}{INPUTS}{FILES}{policy}\n{script}# History\n"


def read(text: str) -> Document:
    return parse(text.encode())


def section_of(policy: str, **more: str) -> Document:
    return read(text_with(f"# Policy\n\n{policy}\n", **more))


def block_of(block: str, **more: str) -> Document:
    return section_of(f"```yaml\n{block}\n```\n", **more)


def policy_of(block: str, **more: str) -> Policy:
    found = block_of(block, **more)
    assert found.errors == ()
    assert found.runbook is not None
    return found.runbook.policy


def codes(found: Document) -> list[str]:
    return [problem.code for problem in found.problems]


def line_of(text: str, start: str) -> int:
    return [line.startswith(start) for line in text.split("\n")].index(True) + 1


# -- what is understood ---------------------------------------------------------------------------


def test_without_the_section_all_is_default():
    found = read(text_with(""))
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.policy == NO_POLICY


@pytest.mark.parametrize("block", ["", "{}", "# timeout: 5m", "~"])
def test_an_empty_mapping_is_all_default(block):
    assert policy_of(block) == NO_POLICY


def test_every_key():
    block = """
timeout: 1h30m
locks:
  - device:${HOST}
  - ${NAME} and ${HOST}
on_busy: fail
concurrency: 3
retry:
  attempts: 4
  backoff: 1.5s
  on: [1, -9]
on_failure: undo
queue: net.work-1
dry_run: supported
confirm: delete ${NAME}
success_codes: [0, 3]
"""
    assert policy_of(block, script=STEPS) == Policy(
        timeout_s=5400.0,
        locks=("device:${HOST}", "${NAME} and ${HOST}"),
        on_busy=OnBusy.FAIL,
        concurrency=3,
        retry=Retry(4, 1.5, frozenset({1, -9})),
        on_failure=OnFailure.UNDO,
        queue="net.work-1",
        dry_run=True,
        confirm="delete ${NAME}",
        success_codes=frozenset({0, 3}),
    )


@pytest.mark.parametrize(
    ("block", "policy"),
    [
        ("timeout: 90", Policy(timeout_s=90.0)),
        ("locks: one, and the same", Policy(locks=("one, and the same",))),
        ("locks: '  blanks  '", Policy(locks=("blanks",))),
        ("on_busy: wait", NO_POLICY),
        ("on_failure: stop", NO_POLICY),
        ("dry_run: unsupported", NO_POLICY),
        ("retry: 100", Policy(retry=Retry(100))),
        ("retry: {attempts: 2}", Policy(retry=Retry(2))),
        ("retry: {attempts: 2, on: 75}", Policy(retry=Retry(2, codes=frozenset({75})))),
        ("success_codes: 2", Policy(success_codes=frozenset({2}))),
        ("confirm: 'cost: $5'", Policy(confirm="cost: $5")),
    ],
)
def test_other_ways_to_write_it(block, policy):
    assert policy_of(block) == policy


@pytest.mark.parametrize("heading", ["# policy", "# POLICY #", "Policy\n==="])
def test_the_heading_in_any_form(heading):
    found = read(text_with(f"{heading}\n\n~~~ yml title=x\ntimeout: 5m\n~~~\n"))
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.policy.timeout_s == 300.0


# -- what is not understood is never left aside ---------------------------------------------------


@pytest.mark.parametrize(
    ("content", "code"),
    [
        ("", "empty_section"),
        ("Never in the day.\n", "bad_policy"),
        ("```\ntimeout: 5m\n```", "bad_policy"),
        ("- ```yaml\n  timeout: 5m\n  ```", "bad_policy"),
        ("```yaml\ntimeout: 5m\n```\n\n```yaml\nqueue: a\n```", "bad_policy"),
        ("```yaml\ntimeout: 5m\n```\n\n- ```yaml\n  queue: a\n  ```", "bad_policy"),
        ("```yaml\n- timeout\n```", "not_a_mapping"),
        ("```yaml\ntimeout\n```", "not_a_mapping"),
        ("```yaml\ntimeout: '5m\n```", "bad_yaml"),
        ("```yaml\ntimeout: 5m\ntimeout: 6m\n```", "bad_yaml"),
        ("```yaml\nlocks: &a [x]\n```", "bad_yaml"),
    ],
)
def test_a_section_that_is_not_understood(content, code):
    found = section_of(content)
    assert codes(found) == [code]
    assert found.errors[0].line is not None
    assert found.runbook is None


def test_a_second_block_is_named_by_its_line():
    policy = "# Policy\n\n```yaml\ntimeout: 5m\n```\n\n```yml\nqueue: a\n```\n"
    text = text_with(policy)
    (problem,) = read(text).errors
    assert problem.line == line_of(text, "```yml")


VALUES = [
    ("timeout: soon", "Policy: 'timeout' must be a duration"),
    ("timeout:", "Policy: 'timeout' must be a duration"),
    ("timeout: [5m]", "Policy: 'timeout' must be a duration"),
    ("timeout: 0s", "Policy: 'timeout' must be longer than 0"),
    ("locks:", "Policy: 'locks' must be a lock name or a list of lock names"),
    ("locks: []", "Policy: 'locks' must be a lock name or a list of lock names"),
    ("locks: {a: b}", "Policy: 'locks' must be a lock name or a list of lock names"),
    ("locks: [a, '']", "Policy: 'locks' must be text"),
    ("locks: [[a]]", "Policy: 'locks' must be text"),
    ('locks: "a\\nb"', "Policy: 'locks' must be one line, without control characters"),
    ("locks: concurrency:x", "Policy: 'locks' must be a name that does not start with concurrency"),
    (f"locks: {'x' * 201}", "Policy: 'locks' must be at most 200 characters long"),
    ("locks: '${HOST'", "Policy: 'locks' must be text in which every ${ is closed with }"),
    ("on_busy: waiting", "Policy: 'on_busy' must be one of wait, fail"),
    ("on_busy: [wait]", "Policy: 'on_busy' must be one of wait, fail"),
    ("concurrency: 0", "Policy: 'concurrency' must be an integer from 1 to 1000000"),
    ("concurrency: 1.5", "Policy: 'concurrency' must be an integer from 1 to 1000000"),
    ("concurrency: [1]", "Policy: 'concurrency' must be an integer from 1 to 1000000"),
    (f"concurrency: {'9' * 5000}", "Policy: 'concurrency' must be an integer from 1"),
    ("concurrency: \u0663", "Policy: 'concurrency' must be an integer from 1"),
    ("retry: 0", "Policy: 'retry' must be an integer from 1 to 100"),
    ("retry: 101", "Policy: 'retry' must be an integer from 1 to 100"),
    ("retry: [3]", "Policy: 'retry' must be an integer from 1 to 100"),
    ("retry: {backoff: 5s}", "Policy: 'retry' must be a number of attempts or a mapping with"),
    ("retry: {attempts: x}", "Policy, retry: 'attempts' must be an integer from 1 to 100"),
    ("retry: {attempts: 2, backoff: x}", "Policy, retry: 'backoff' must be a duration"),
    ("retry: {attempts: 2, on: []}", "Policy, retry: 'on' must be a return code or a list of"),
    ("retry: {attempts: 2, on: [256]}", "Policy, retry: 'on' must be an integer from -64"),
    ("on_failure: undone", "Policy: 'on_failure' must be one of stop, undo"),
    ("queue: a b", "Policy: 'queue' must be a name of up to 64 letters, digits, dots, hyphens"),
    (f"queue: {'x' * 65}", "Policy: 'queue' must be a name of up to 64 letters, digits, dots,"),
    ("dry_run: yes", "Policy: 'dry_run' must be one of supported, unsupported"),
    ("confirm:", "Policy: 'confirm' must be text"),
    ("confirm: [yes]", "Policy: 'confirm' must be text"),
    (
        "success_codes: []",
        "Policy: 'success_codes' must be a return code or a list of return codes",
    ),
    ("success_codes: [0, -1]", "Policy: 'success_codes' must be an integer from 0 to 255"),
    ("success_codes: 256", "Policy: 'success_codes' must be an integer from 0 to 255"),
]


@pytest.mark.parametrize(("block", "message"), VALUES)
def test_a_value_of_no_use(block, message):
    text = text_with(f"# Policy\n\n```yaml\nqueue: a\n{block}\n```\n".replace("queue: a\nq", "q"))
    found = read(text)
    assert [problem.code for problem in found.errors] == ["bad_value"]
    assert found.errors[0].message.startswith(message)
    assert found.errors[0].line == line_of(text, block)
    assert found.runbook is None


@pytest.mark.parametrize(
    ("block", "hint"),
    [
        ("time_out: 5m", "Did you mean timeout?"),
        ("Locks: a", "Did you mean locks?"),
        (
            "zzz: 1",
            "Use one of: timeout, locks, on_busy, concurrency, retry, on_failure, queue, dry_run",
        ),
        ("retry: {attempts: 2, backof: 5s}", "Did you mean backoff?"),
    ],
)
def test_an_unknown_key(block, hint):
    (problem,) = block_of(block).errors
    assert problem.code == "unknown_key"
    assert (problem.hint or "").startswith(hint)
    assert problem.line == line_of(text_with("# Policy"), "# Policy") + 3


def test_a_value_that_is_like_a_word_gets_a_suggestion():
    (problem,) = block_of("on_busy: waits").errors
    assert problem.hint == "Did you mean wait?"


def test_every_wrong_key_is_reported():
    found = block_of("timeout: x\nqueues: a\nconcurrency: 0")
    line = line_of(text_with("# Policy"), "# Policy")
    assert [(problem.code, problem.line) for problem in found.errors] == [
        ("bad_value", line + 3),
        ("unknown_key", line + 4),
        ("bad_value", line + 5),
    ]


@pytest.mark.parametrize("key", ["locks", "confirm"])
@pytest.mark.parametrize(
    ("name", "code", "hint"),
    [
        ("HSOT", "undeclared_input", "Did you mean HOST?"),
        (" HOST ", "undeclared_input", "Did you mean HOST?"),
        ("", "undeclared_input", "Use one of: HOST, NAME, PASSWORD"),
        ("PASSWORD", "input_not_shown", "Use an input that is neither a secret nor a file"),
    ],
)
def test_an_input_that_cannot_be_named(key, name, code, hint):
    (problem,) = block_of(f"{key}: 'x${{HOST}}${{{name}}}'").errors
    assert (problem.code, problem.hint) == (code, hint)
    assert problem.line is not None


def test_an_input_where_none_is_declared():
    text = text_with("# Policy\n\n```yaml\nlocks: ${HOST}\n```\n")
    (problem,) = read(text.replace(INPUTS, "# Environment Requirements\n\n```yaml\n```\n")).errors
    assert problem.hint == "Declare it in Environment Requirements"


# -- near misses ----------------------------------------------------------------------------------

BLOCK = "```yaml\ntimeout: 5m\n```\n"


@pytest.mark.parametrize("level", [2, 3, 6])
def test_at_another_level(level):
    found = read(text_with(f"{'#' * level} policy\n\n{BLOCK}"))
    assert [problem.code for problem in found.errors] == ["wrong_heading_level"]


def test_as_a_step():
    script = f"# Script\n\n## Policy\n\n{BLOCK}\n## One\n\n```sh\na\n```\n"
    found = read(text_with("", script=script))
    assert codes(found) == ["wrong_heading_level"]


def test_in_a_list():
    assert codes(read(text_with("- # Policy\n"))) == ["wrong_heading_level"]


def test_twice():
    section = f"# Policy\n\n{BLOCK}\n"
    assert codes(read(text_with(section * 2))) == ["repeated_section"]


@pytest.mark.parametrize("heading", ["# Policy", "## policy", "Policy\n==="])
def test_after_history(heading):
    found = read(f"{text_with('')}\n{heading}\n\n{BLOCK}")
    assert codes(found) == ["section_after_history"]


@pytest.mark.parametrize("heading", ["# Policy", " #  policy ##"])
def test_swallowed_by_a_block_left_open(heading):
    found = read(text_with("", before=f"```text\nopen\n\n{heading}\n\n{BLOCK}\n"))
    assert [problem.code for problem in found.errors] == ["unclosed_fence"]


def test_a_block_that_swallows_no_policy_is_a_warning():
    found = read(text_with("", before=f"```text\nopen\n\n## About policy\n\n{BLOCK}\n"))
    assert [(p.code, p.severity) for p in found.problems] == [("unclosed_fence", Severity.WARNING)]


def test_a_runbook_may_be_named_so():
    found = parse(text_with("# Policy\n\n" + BLOCK).replace("# Demo", "# Policy").encode())
    assert found.problems == ()
    assert found.runbook is not None
    assert (found.name, found.runbook.description) == ("Policy", "Words.")
    assert found.runbook.policy.timeout_s == 300.0


def test_a_first_heading_above_the_block_is_the_section():
    text = text_with("").removeprefix("# Demo\n\nWords.\n")
    found = parse(f"# Policy\n\n{BLOCK}\n{text}".encode())
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.policy.timeout_s == 300.0


# -- what can be undone ---------------------------------------------------------------------------


def test_a_step_without_undo_cannot_be_reversed():
    text = text_with("# Policy\n\n```yaml\non_failure: undo\n```\n", script=STEPS)
    found = read(text)
    assert [(p.code, p.message, p.severity, p.line) for p in found.problems] == [
        (
            "not_reversible",
            "Step 'Two' has no Undo, so it can't be undone",
            Severity.WARNING,
            line_of(text, "## Two"),
        )
    ]
    assert found.runbook is not None


@pytest.mark.parametrize("script", [SCRIPT, "# Script\n\n## One\n\n```sh\na\n```\n"])
def test_a_failure_that_undoes_needs_an_undo(script):
    text = text_with("# Policy\n\n```yaml\non_failure: undo\n```\n", script=script)
    (problem,) = read(text).problems
    assert (problem.code, problem.line) == ("nothing_to_undo", line_of(text, "# Policy"))
    assert problem.severity is Severity.ERROR


def test_without_any_script_that_alone_is_said():
    found = block_of("on_failure: undo", script="# Script\n\nnothing\n")
    assert codes(found) == ["no_script"]


# -- arbitrary input ---------------------------------------------------------------------------

KEYS = st.sampled_from(
    ["timeout", "locks", "retry", "on_failure", "confirm", "success_codes", "queue", "tmeout", "?"]
)
SCALARS = st.sampled_from(
    ["5m", "${HOST}", "${", "undo", "-", "[1, 2]", "{attempts: 3}", "{on: [x]}", "'", "0", "", "*a"]
) | st.text(max_size=8)


@settings(max_examples=100)
@given(st.lists(st.tuples(KEYS, SCALARS), max_size=6))
def test_no_policy_makes_it_raise_and_every_error_has_its_line(pairs):
    text = text_with(
        "# Policy\n\n```yaml\n" + "".join(f"{key}: {value}\n" for key, value in pairs) + "```\n"
    )
    data = text.encode("utf-8", "surrogatepass")
    found = parse(data)
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert (found.runbook is None) == bool(found.errors)
    ours = {"bad_value", "unknown_key", "undeclared_input", "bad_yaml", "not_a_mapping"}
    for problem in found.problems:
        if problem.code in ours:
            assert problem.line is not None
            assert 1 <= problem.line <= lines
