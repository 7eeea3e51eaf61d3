from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook.core.document import Document, InputType, Language, Severity
from runbook.core.language.parse import parse, parse_head, parse_stored, unreadable, with_history
from runbook.core.syntax.markdown import HEAD_LIMIT, HEAD_LINES

ENVIRONMENT = """# Environment Requirements

```yaml
HOST: the host to reach
```
"""
FILES = """# File System Requirements

```yaml
Input:
Output:
```
"""
SCRIPT = """# Script

```sh
echo $HOST
```
"""
CLAIMS = """# Required Claims

```yaml
roles: sre, api
```
"""
TITLE = "# Demo\n\nWhat it *does*.\n\n"
VALID = TITLE + ENVIRONMENT + FILES + SCRIPT + "# History\n"


def document(
    *,
    title: str = TITLE,
    environment: str = ENVIRONMENT,
    files: str = FILES,
    claims: str = "",
    script: str = SCRIPT,
    history: str = "# History\n",
) -> str:
    return title + environment + files + claims + script + history


def read(text: str, stem: str | None = None) -> Document:
    return parse(text.encode(), stem=stem)


def codes(found: Document) -> list[str]:
    return [problem.code for problem in found.problems]


def line_of(text: str, start: str) -> int:
    lines = text.replace("\r", "\n").split("\n")
    return max(number for number, line in enumerate(lines, 1) if line.startswith(start))


def messages(found: Document) -> list[str]:
    return [problem.message for problem in found.errors]


def test_a_valid_runbook():
    found = read(VALID, "Demo")
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.name == "Demo"
    assert found.runbook.description == "What it *does*."
    assert [(item.name, item.description, item.line) for item in found.inputs] == [
        ("HOST", "the host to reach", 8)
    ]
    assert found.runbook.claims is None
    step = found.runbook.steps[0]
    assert (step.name, step.language, step.source) == ("Demo", Language.ZSH, "echo $HOST\n")
    assert VALID.splitlines()[step.line - 1] == "echo $HOST"


def test_the_digest_covers_what_stands_above_the_history_heading():
    head = VALID.removesuffix("# History\n").encode()
    found = parse(VALID.encode() + b"\n### an entry\n")
    assert found.digest == hashlib.sha256(head).hexdigest()
    assert found.head_bytes == len(head)
    assert found.history_bytes == len(VALID.encode())


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_make_no_difference(line_end, mark):
    text = mark + (VALID + "\nold\n").replace("\n", line_end)
    found = read(text, "Demo")
    assert found.problems == ()
    assert found.runbook == read(VALID).runbook
    assert text.encode()[found.head_bytes : found.history_bytes].strip() == b"# History"


def test_a_history_heading_that_ends_the_file():
    found = read(VALID.rstrip("\n"))
    assert found.problems == ()
    assert found.history_bytes == len(VALID.rstrip("\n"))


@pytest.mark.parametrize("heading", ["# HISTORY #", "History\n=======", "   #\tHistory"])
def test_other_ways_to_write_the_history_heading(heading):
    found = read(document(history=f"\n{heading}\n\nold text\n"))
    assert found.problems == ()
    text = document(history=f"\n{heading}\n\nold text\n")
    assert text[found.history_bytes :] == "\nold text\n"


def test_sections_in_any_case_and_as_setext_headings():
    environment = ENVIRONMENT.replace("# Environment Requirements", "environment REQUIREMENTS\n===")
    found = read(document(environment=environment, script=SCRIPT.replace("# S", "# s")))
    assert found.problems == ()
    assert found.inputs[0].name == "HOST"


@pytest.mark.parametrize("stored", [VALID, VALID.replace("# History", "\nHistory\n===")])
def test_a_stored_head_parses_to_the_same(stored):
    found = read(stored)
    again = parse_stored(stored.encode()[: found.head_bytes])
    assert (again.runbook, again.digest) == (found.runbook, found.digest)


@pytest.mark.parametrize(
    "hiding",
    [
        "```text\n# Script\n\n# Required Claims\n# History\n```\n",
        "~~~\n# Script\n~~~\n",
        "> # Script\n> # Required Claims\n",
        "<!--\n# Script\n# Required Claims\n-->\n",
        "<!-- <h1>Required Claims</h1> -->\n",
        "    # Script\n    # History\n",
    ],
)
def test_what_only_looks_like_a_heading_is_none(hiding):
    found = read(document(title=TITLE + hiding))
    assert found.errors == ()
    assert found.claims is None
    assert found.claims_known


def test_an_example_in_the_description_is_not_the_script():
    found = read(document(title=TITLE + "```sh\nrm -rf example\n```\n\n"))
    assert found.runbook is not None
    assert [step.source for step in found.runbook.steps] == ["echo $HOST\n"]


def test_unknown_sections_are_prose():
    found = read(document(files=FILES + "# Background\n\n## Notes\n\n```sh\nno\n```\n"))
    assert found.problems == ()


# -- missing, empty, misplaced ----------------------------------------------------------------


def test_missing_sections_are_named():
    assert messages(read("# Demo\n")) == [
        "Missing required section: Environment Requirements",
        "Missing required section: File System Requirements",
        "Missing required section: Script",
        "Missing required section: History",
    ]


def test_an_empty_section():
    text = document(files="# File System Requirements\n\n")
    found = read(text)
    assert messages(found) == ["Section 'File System Requirements' is empty"]
    assert found.errors[0].line == line_of(text, "# File")


def test_every_problem_is_reported_with_its_line():
    found = read(
        document(
            environment="# Environment Requirements\n\n```yaml\nPATH: no\n```\n",
            files="# File System Requirements\n",
            script="# Script\n\nnothing\n",
        )
    )
    assert [(problem.code, problem.line) for problem in found.errors] == [
        ("reserved_name", 8),
        ("empty_section", 10),
        ("no_script", 11),
    ]
    assert found.runbook is None


def test_a_section_twice():
    found = read(document(files=FILES + ENVIRONMENT))
    assert codes(found) == ["repeated_section"]


@pytest.mark.parametrize("level", [2, 3, 6])
@pytest.mark.parametrize("name", ["Script", "required claims", "History"])
def test_a_section_name_at_another_level(level, name):
    found = read(document(files=f"{FILES}{'#' * level} {name}\n\ntext\n"))
    assert codes(found) == ["wrong_heading_level"]
    assert found.claims_known is (name != "required claims")


def test_a_section_heading_inside_a_list():
    found = read(document(files=FILES + "- # Required Claims\n\n"))
    assert codes(found) == ["wrong_heading_level"]
    assert not found.claims_known


def test_a_name_unlike_the_file_is_a_warning():
    found = read(VALID, "Other")
    assert codes(found) == ["name_unlike_file"]
    assert found.problems[0].severity is Severity.WARNING
    assert found.runbook is not None


def test_composed_and_decomposed_names_are_alike():
    assert read(VALID.replace("# Demo", "# Mu\u0308ll"), "M\u00fcll").problems == ()


def test_without_any_heading_the_file_gives_the_name():
    assert read("just text\n", "Notes").name == "Notes"


# -- bytes that are no runbook ----------------------------------------------------------------


def test_what_is_not_utf8_is_one_problem():
    found = parse(VALID.encode().replace(b"What", b"Wh\xe4t"))
    assert codes(found) == ["not_utf8"]
    assert found.errors[0].line == 3
    assert "byte 11" in found.errors[0].message
    assert not found.claims_known


def test_what_is_not_utf8_in_the_history_does_no_harm():
    assert parse(VALID.encode() + b"\nold \xff output\n").problems == ()


def test_a_nul_character():
    assert codes(read(VALID.replace("echo", "echo\0"))) == ["nul_character"]


def test_a_head_without_end_is_not_read_for_ever():
    found = read(TITLE + "word\n" * HEAD_LIMIT)
    assert codes(found) == ["head_too_long"]
    assert not found.claims_known


def test_a_document_without_a_line_history_is_not_parsed_at_all(monkeypatch):
    from runbook.core.syntax import markdown

    monkeypatch.setattr(markdown, "_parser", lambda: pytest.fail("parsed"))
    found = read(TITLE + "see the history\n\n" * HEAD_LINES)
    assert codes(found) == ["head_too_long"]
    assert found.head_bytes < HEAD_LIMIT


@pytest.mark.parametrize(("size", "valid"), [(HEAD_LIMIT, True), (HEAD_LIMIT + 1, False)])
def test_history_may_stand_within_the_limit(size, valid):
    head = document(title=TITLE + "word " * 130_000 + "\n\n", history="")
    text = head.replace(
        "it *does*", "it *does* " + "x" * (size - len(head) - len("# History\n") - 1)
    )
    found = read(text + "# History\n" + "x\n" * HEAD_LINES)
    assert (found.runbook is not None) is valid


def test_a_line_that_is_cut_at_the_limit_is_no_heading():
    text = TITLE + "x" * (HEAD_LIMIT - len(TITLE) - len("\n# History")) + "\n# History of it\n"
    assert codes(read(text)) == ["head_too_long"]


def test_a_history_of_any_size_is_found_behind_a_mention_of_it():
    head = VALID.replace("echo", "history; echo").encode()
    assert read(head.decode() + "x\n" * HEAD_LIMIT).history_bytes == len(head)


def test_many_mentions_of_history_cost_few_parses(monkeypatch):
    from runbook.core.syntax import markdown

    parses = []
    decode = markdown._decode
    monkeypatch.setattr(markdown, "_decode", lambda data: parses.append(len(data)) or decode(data))
    script = "# Script\n\n```sh\n" + "# History\n" * 2000 + "```\n"
    assert read(document(script=script)).problems == ()
    assert sum(parses) < 10 * len(document(script=script))


def test_an_unreadable_file_lets_nobody_in():
    found = unreadable("Demo", "Permission denied")
    assert (found.name, found.claims_known, len(found.errors)) == ("Demo", False, 1)


PIECES = st.sampled_from(
    [
        "# Demo\n",
        ENVIRONMENT,
        FILES,
        CLAIMS,
        SCRIPT,
        "# History\n",
        "```",
        "~~~ yaml\n",
        "\r",
        "> ",
        "- ",
        "<!--",
        "# Required  Claim\n",
        "===\n",
        "a: &a [*a]\n",
        "\0",
        "\ufeff",
        "\u2028",
    ]
)


@settings(max_examples=100)
@given(st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join))
@example("History\n=")
def test_no_text_makes_it_raise(text):
    check_invariants(text.encode("utf-8", "surrogatepass"))


@settings(max_examples=100)
@given(st.binary(max_size=300))
def test_no_bytes_make_it_raise(data):
    check_invariants(data)


def check_invariants(data: bytes) -> None:
    found = parse(data, stem="Demo")
    assert found.digest == hashlib.sha256(data[: found.head_bytes]).hexdigest()
    assert (found.runbook is None) == bool(found.errors)
    assert found.claims_known or found.errors
    assert found.claims_known or found.claims is None
    lines = data.count(b"\n") + data.count(b"\r") + 1
    assert all(problem.line is None or 1 <= problem.line <= lines for problem in found.problems)


# Without `<`: a heredoc that is never closed is a mistake.
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r`<"), max_size=80))
def test_a_script_is_exactly_what_stands_in_its_block(source):
    found = read(document(script=f"# Script\n\n````sh\n{source}\n````\n"))
    assert found.runbook is not None
    assert found.runbook.steps[0].source == source + "\n"


# -- claims fail closed -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("block", "values"),
    [
        ("roles: sre, api", ("sre", "api")),
        ("roles: [sre, api]", ("sre", "api")),
        ("roles:\n- sre\n- api", ("sre", "api")),
        ("roles: NO", ("NO",)),
        ("roles: 010", ("010",)),
    ],
)
def test_claims(block, values):
    found = read(document(claims=f"# required claims\n\n~~~~ yml title=x\n{block}\n~~~~\n"))
    assert found.problems == ()
    assert found.claims == {"roles": values}
    assert found.claims_known


@pytest.mark.parametrize(
    "content",
    [
        "",
        "only sre may",
        "```\nroles: sre\n```",
        "```json\nroles: sre\n```",
        "- ```yaml\n  roles: sre\n  ```",
        "```yaml\n```",
        "```yaml\n# roles: sre\n```",
        "```yaml\n{}\n```",
        "```yaml\n- sre\n```",
        "```yaml\nsre\n```",
        "```yaml\nroles:\n```",
        "```yaml\nroles: ~\n```",
        "```yaml\nroles: []\n```",
        "```yaml\nroles: ','\n```",
        "```yaml\nroles: [sre, '']\n```",
        "```yaml\nroles: {any: sre}\n```",
        "```yaml\nroles: [[sre]]\n```",
        "```yaml\n'': sre\n```",
        "```yaml\nroles: sre\nroles: dev\n```",
        "```yaml\nroles: &a sre\n```",
        "```yaml\nroles: 'sre\n```",
        "```yaml\nroles: sre\n```\n\n```yaml\nteam: net\n```",
    ],
)
def test_claims_that_are_not_understood_let_nobody_in(content):
    found = read(document(claims=f"# Required Claims\n\n{content}\n\n"))
    assert found.errors != ()
    assert not found.claims_known
    assert found.claims is None


@pytest.mark.parametrize(
    "heading",
    [
        "# Required Claim",
        "# RequiredClaims",
        "# Required  Claims",
        "# Required Claims:",
        "# Reqiured Claims",
        "# Require claims",
        "# Claims required",
        "# **Required Claims**",
        "# [Required Claims](#x)",
        "# Required&#32;Claims",
        "# Required<!-- --> Claims",
        "# Required\u00a0Claims",
        "# Required\u200b Claims",
        "# \uff32equired Claims",
        "# R\u0435quir\u0435d \u0421l\u0430ims",
        "## Required Claim",
        "Required claim\n---",
        "Some words\nRequired Claims\n===",
        "#Required Claims",
        "\\# Required Claims",
        "\u200b# Required Claims",
        "\uff03 Required Claims",
        "####### Required Claims",
        "Required Claims",
        "**Required Claims**",
        "    # Required Claims",
        "<h1>Required Claims</h1>",
        "<div>\n# Required Claims\n</div>",
        "- # Required Claim",
    ],
)
def test_a_near_miss_of_required_claims_lets_nobody_in(heading):
    found = read(document(files=f"{FILES}\n{heading}\n\n```yaml\nroles: sre\n```\n"))
    assert [problem.code for problem in found.errors] == ["near_miss_of_required_claims"]
    assert not found.claims_known


def test_claims_twice_let_nobody_in():
    found = read(document(claims=CLAIMS + CLAIMS.replace("sre", "dev")))
    assert codes(found) == ["repeated_section"]
    assert not found.claims_known


@pytest.mark.parametrize("name", ["RequiredClaims", "Required Claim"])
def test_a_runbook_may_be_named_so(name):
    assert read(document(title=f"# {name}\n\n"), name).problems == ()


@pytest.mark.parametrize(
    "text",
    [
        "## How the required claims are checked\n",
        "## Insurance claims\n",
        "# Claims\n",
        "Anyone who has the required claims may run this.\n",
    ],
)
def test_text_about_claims_is_no_near_miss(text):
    assert read(document(files=FILES + text)).problems == ()


def test_claims_swallowed_by_a_block_left_open():
    script = "# Script\n\n```sh\necho $HOST\n\n"
    found = read(document(script=script + CLAIMS))
    assert codes(found) == ["unclosed_fence"]
    assert not found.claims_known


# -- below History ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("\n# Script\n", "# Script"),
        ("\n\nscript\n===\n", "script"),
        ("### History ###\n", "### History"),
        ("# Required Claims", "# Required"),
        ("<!-- a\n# Script\n-->\n# Script\n", "# Script"),
        ("```\n# Script\n````\n~~~\n# Script\n~~~\n## Script", "## Script"),
        ("a\rb\r# Script\r", "# Script"),
    ],
)
def test_sections_below_history(text, start):
    found = read(VALID + text)
    assert [problem.line for problem in found.errors] == [line_of(VALID + text, start)]
    assert found.runbook is None
    assert found.claims_known is ("Required" not in text)


def test_a_near_miss_below_history_lets_nobody_in():
    found = read(VALID + "\n# Required Claim\n")
    assert codes(found) == ["near_miss_of_required_claims"]
    assert not found.claims_known


def test_output_in_the_history_is_no_section():
    entry = "\n### 2026-01-23T14:33:02.123Z | Exit Code: 0\n\n**Stdout:**\n\n"
    output = "````\n# Script\n```\n# Required Claims\nHistory\n===\n````\n"
    found = read(VALID + (entry + output) * 3)
    assert found.problems == ()


def test_a_head_with_its_history_is_the_whole_document():
    data = (VALID + "\n# Script\n").encode()
    parsed = parse_head(data)
    assert parsed.document.problems == ()
    assert parsed.scan is not None
    from runbook.core.history.scan import scan_history

    assert with_history(parsed.document, scan_history(data, parsed.scan)) == parse(data)


# -- inputs and files -------------------------------------------------------------------------


def inputs_of(block: str) -> Document:
    return read(document(environment=f"# Environment Requirements\n\n```yaml\n{block}\n```\n"))


def test_inputs_of_the_old_form_stay_text():
    found = inputs_of("A: NO\nB: 12:30\nC:\nD: ~\nON: 010\nE: 'null'")
    assert found.problems == ()
    assert [(item.name, item.description) for item in found.inputs] == [
        ("A", "NO"),
        ("B", "12:30"),
        ("C", ""),
        ("D", ""),
        ("ON", "010"),
        ("E", "null"),
    ]
    assert not any(item.typed for item in found.inputs)
    assert {item.type for item in found.inputs} == {InputType.TEXT}


def test_typed_inputs():
    found = inputs_of("A: {description: d, type: secret, optional: yes}\nB: {default: 010}")
    assert found.problems == ()
    first, second = found.inputs
    assert (first.type, first.description, first.optional, first.secret) == (
        InputType.SECRET,
        "d",
        True,
        True,
    )
    assert (second.type, second.default, second.typed) == (InputType.STRING, "010", True)


@pytest.mark.parametrize("block", ["", "{}", "# nothing", "~"])
def test_no_inputs(block):
    found = inputs_of(block)
    assert found.problems == ()
    assert found.inputs == ()


@pytest.mark.parametrize(
    ("block", "code", "hint"),
    [
        ("A: {defualt: x}", "unknown_key", "default"),
        ("A: {type: strng}", "unknown_input_type", "string"),
        ("A: {type: zzz}", "unknown_input_type", "secret"),
        ("A: {optional: maybe}", "bad_input", ""),
        ("A: {default: [x]}", "bad_input", ""),
        ("A: [x]", "bad_input", ""),
        ("1A: x", "bad_input_name", "128"),
        ('"A\\n": x', "bad_input_name", ""),
        ("\u00c4: x", "bad_input_name", ""),
        ("LD_PRELOAD: x", "reserved_name", ""),
        ("- A", "not_a_mapping", ""),
        ("A", "not_a_mapping", ""),
        ("A: 'x", "bad_yaml", ""),
    ],
)
def test_inputs_that_cannot_be_used(block, code, hint):
    found = inputs_of(block)
    assert codes(found) == [code]
    assert found.errors[0].line in {8, 9}
    assert hint in (found.errors[0].hint or "")


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("A: {type: secret, default: x}", "secret_default"),
        ("status: x", "name_set_by_shell"),
    ],
)
def test_inputs_worth_a_warning(block, code):
    found = inputs_of(block)
    assert codes(found) == [code]
    assert found.runbook is not None


def test_only_the_first_block_declares():
    environment = ENVIRONMENT + "\n```yaml\nOTHER: x\n```\n\n- ```yaml\n  THIRD: x\n  ```\n"
    found = read(document(environment=environment))
    assert codes(found) == ["unread_block", "unread_block"]
    assert [item.name for item in found.inputs] == ["HOST"]


def test_a_section_without_a_block_declares_nothing():
    found = read(document(environment="# Environment Requirements\n\nNone.\n\n"))
    assert codes(found) == ["no_yaml_block"]
    assert found.runbook is not None


def files_of(block: str) -> Document:
    return read(document(files=f"# File System Requirements\n\n```yaml\n{block}\n```\n"))


def test_files():
    found = files_of("Input:\n- a.txt\n- conf/\noutput: out.txt")
    assert found.runbook is not None
    first, second = found.runbook.files_in
    assert (first.path, second.path) == ("a.txt", "conf/")
    assert (first.line, second.line) == (14, 15)
    assert [item.path for item in found.runbook.files_out] == ["out.txt"]


@pytest.mark.parametrize("block", ["Input:", "Input: []", "Input: ~", "{}", ""])
def test_an_empty_input_is_none(block):
    found = files_of(block)
    assert found.runbook is not None
    assert found.runbook.files_in == ()


@pytest.mark.parametrize("block", ["Input: {a: b}", "Input: [[a]]", "Input: ['']", "Input: [~]"])
def test_files_that_are_no_paths(block):
    assert codes(files_of(block)) == ["bad_file_requirement"]


def test_an_unknown_kind_of_file_is_a_warning():
    found = files_of("Inputs: [a]")
    assert codes(found) == ["unknown_key"]
    assert found.problems[0].hint == "Did you mean Input?"
    assert found.runbook is not None


# -- steps ------------------------------------------------------------------------------------


def steps_of(script: str) -> Document:
    return read(document(script=f"# Script\n\n{script}\n"))


def test_steps():
    found = steps_of(
        "Words.\n\n## One\n\n```sh\na\n```\n\n## About\n\ntext\n\n"
        "## Two\n\n```text\nno\n```\n\n~~~ bash {x=y}\nb\n~~~\n\n### Details\n\n"
        "## Three\n\n```Python\nc\n```\n"
    )
    assert found.runbook is not None
    assert found.problems == ()
    assert [(step.name, step.language, step.source) for step in found.runbook.steps] == [
        ("One", Language.ZSH, "a\n"),
        ("Two", Language.BASH, "b\n"),
        ("Three", Language.PYTHON, "c\n"),
    ]


def test_a_block_above_the_first_heading_is_the_whole_script():
    found = steps_of("```zsh\na\n```\n\n```sh\nb\n```\n\n## More\n\n```sh\nc\n```\n")
    assert found.runbook is not None
    assert [step.source for step in found.runbook.steps] == ["a\n"]
    assert codes(found) == ["unread_script", "unread_script"]


def test_two_blocks_in_one_step():
    found = steps_of("## One\n\n```sh\na\n```\n\n```sh\nb\n```\n")
    assert codes(found) == ["two_scripts_in_step"]


@pytest.mark.parametrize(
    "script", ["text", "```\na\n```", "```yaml\na: b\n```", "- ```sh\n  a\n  ```", "> ```sh\n> a"]
)
def test_no_script(script):
    assert messages(steps_of(script)) == ["Script section must contain a sh code block"]


def test_an_empty_script_is_a_warning():
    assert codes(steps_of("```sh\n\n```")) == ["empty_script"]


@pytest.mark.parametrize("fence", ["````", "~~~"])
def test_a_heredoc_with_fences_in_it_stays_whole(fence):
    source = "cat <<END\n```yaml\na: b\n```\n# History\n# Required Claims\nEND\necho done\n"
    found = steps_of(f"{fence}sh\n{source}{fence}")
    assert found.problems == ()
    assert found.runbook is not None
    assert found.runbook.steps[0].source == source


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("```sh\ncat <<END\n```\ntext\n```\nEND\n```", "script_cut"),
        ("```sh\ncat <<-'END'\n```\ntext\nEND\n```", "script_cut"),
        ("```sh\ncat <<\\END\n```\ntext\n```\nEND\n```", "script_cut"),
        ("```bash\ncat <<'THE END'\n```\ntext\nTHE END\n```", "script_cut"),
        ("```sh\ncat <<'EN-D'\n```\ntext\nEN-D\n```", "script_cut"),
        ("```sh\ncat <<'END'\n  END\ntrue\n```", "heredoc_not_closed"),
        ("```sh\ncat <<END\n```yaml\na: b\n```\nEND\n", "unclosed_fence"),
    ],
)
def test_a_script_cut_short_by_a_fence_in_it_does_not_run(script, code):
    found = steps_of(script)
    assert code in codes(found)
    assert found.runbook is None


@pytest.mark.parametrize(
    "source",
    ["(( x = 1 << N ))", "cat <<< WORD", "cat <<A <<B\nA\nB", "# cat <<A", "echo 'cat <<A'"],
)
def test_what_is_no_open_heredoc(source):
    assert steps_of(f"```sh\n{source}\n```\n\n```\nexample\n```\n").errors == ()


@pytest.mark.parametrize("opening", ["```sh", "~~~~sh\na\n~~~", "```sh\na"])
def test_a_block_left_open(opening):
    found = read(document(script=f"# Script\n\n{opening}\n", history=""))
    assert "unclosed_fence" in codes(found)


def test_a_block_left_open_swallows_history():
    found = read(document(script="# Script\n\n```sh\na\n"))
    assert codes(found)[:2] == ["missing_section", "unclosed_fence"]


def test_a_fence_in_the_description_that_hides_nothing_is_a_warning():
    found = read(document(title=TITLE + "```text\n```yaml\na: b\n```\n\n"))
    assert codes(found) == ["unclosed_fence"]
    assert found.runbook is not None
    assert replace(found.problems[0], hint=None).severity is Severity.WARNING


def test_a_quote_in_a_quote_is_one_block_and_hides_nothing_behind_it():
    quoted = VALID.replace("What it *does*.", "> one\n> > # Script\n> three\n\nbehind")
    found = read(quoted)
    assert codes(found) == []
    assert "behind" in found.runbook.description


@pytest.mark.parametrize("stem", ["README", "readme"])
def test_a_readme_is_documentation(stem):
    found = read("# Our runbooks\n\n## Script\n\nText.\n", stem)
    assert found.is_documentation
    assert codes(found) == ["not_a_runbook"]
    assert found.claims_known


@pytest.mark.parametrize(
    ("text", "stem"), [(VALID, "README"), ("# A\n", "A"), ("# A\n\n# Required Claims\n", "README")]
)
def test_what_is_no_documentation(text, stem):
    assert not read(text, stem).is_documentation


@pytest.mark.parametrize("words", ["sre", "sre, admin"])
def test_claims_without_a_name_get_a_hint_with_one(words):
    found = read(document(claims=f"# Required Claims\n\n```yaml\n{words}\n```\n"))
    (problem,) = found.problems
    assert (problem.code, problem.hint) == ("bad_required_claims", f"Write: roles: {words}")
    assert not found.claims_known
