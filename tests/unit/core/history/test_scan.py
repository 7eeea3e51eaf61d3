from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from runbook.core.history.scan import begin_scan, scan_history
from runbook.core.syntax.markdown import BlockKind, _blocks
from runbook.core.syntax.section_names import section_named

HEADING = b"# History\n"

LINES = st.sampled_from(
    [
        "# Script",
        " ## History ##",
        "#  required claims",
        "    # Script",
        "#Script",
        "Script",
        "===",
        "--",
        "```",
        "````",
        "``` sh",
        "~~~",
        "text",
        "",
        "<!-- a -->",
        "<!--",
        "-->",
    ]
)


def lines_with_problems(text: str) -> list[int | None]:
    data = HEADING + text.encode()
    return [problem.line for problem in scan_history(data, begin_scan(len(HEADING), 1)).problems]


@settings(max_examples=250)
@given(st.lists(LINES, max_size=12))
@example(["Script", "==="])
@example(["text # Script", "####### Script"])
def test_finds_what_the_markdown_parser_finds(lines):
    text = "\n\n".join(lines).replace("Script\n\n===", "Script\n===")
    expected = [
        block.line + 1
        for block in _blocks(text)
        if block.kind is BlockKind.HEADING and section_named(block.text)
    ]
    assert lines_with_problems(text) == expected


@settings(max_examples=250)
@given(
    st.lists(LINES | st.just("# Required Claim") | st.text("ab\r\n`~#", max_size=4), max_size=12),
    st.data(),
)
def test_going_on_after_an_append_finds_the_same(lines, data):
    document = HEADING + "\n".join(lines).encode()
    scan = begin_scan(len(HEADING), 1)
    cut = data.draw(st.integers(len(HEADING), len(document)), label="cut")
    partial = scan_history(document[:cut], scan)
    resumed = scan_history(document[partial.offset :], partial, base=partial.offset)
    assert resumed == scan_history(document, scan)


def test_going_on_looks_only_at_the_end():
    document = HEADING + b"text\n" * 1000
    scan = scan_history(document, begin_scan(len(HEADING), 1))
    assert len(document) - scan.offset <= len(b"\ntext\n")


def test_headings_that_speak_of_claims_are_near_misses_or_text():
    data = HEADING + b"\n# Required Claim\n\n## Reclaiming space\nWe proclaim\n"
    (problem,) = scan_history(data, begin_scan(len(HEADING), 1)).problems
    assert (problem.code, problem.line) == ("near_miss_of_required_claims", 3)
