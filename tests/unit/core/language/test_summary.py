import pytest

from runbook.core.language.parse import parse
from runbook.core.language.summary import NO_SUMMARY, Summary, first_paragraph, summarize

RUNBOOK = """\
# Job

Says *what* it does.

More of it.

# Environment Requirements
```yaml
```

# File System Requirements
```yaml
Input:
```

# Policy
```yaml
dry_run: supported
```

# Script
## One
```sh
true
```
## Two
```sh
true
```

# History
"""


@pytest.mark.parametrize(
    ("markdown", "text"),
    [
        ("", ""),
        ("One line.", "One line."),
        ("Two\nlines.\n\nAnother paragraph.", "Two lines."),
        ("With *one*, **two**, `code` and [a link](x).", "With one, two, code and a link."),
        ("Hard  \nbreak\\\nand again", "Hard break and again"),
        ("![A picture](x.png) and <b>HTML</b> &amp; entities", "A picture and HTML & entities"),
        ("<!-- a comment -->\n\n## A heading\n\nThe text.", "The text."),
        ("- in a list\n\n> in a quote\n\nAfter both.", "After both."),
        ("```\ncode\n```", ""),
    ],
)
def test_the_first_paragraph_as_plain_text(markdown, text):
    assert first_paragraph(markdown) == text


@pytest.mark.parametrize(
    ("markdown", "cut"),
    [
        ("one two three", "one two three"),
        ("one two three four", "one two…"),
        ("abcdefghijklmnopq", "abcdefghijkl…"),
        ("a bcdefghijklmnopq", "a bcdefghijk…"),
    ],
)
def test_a_long_one_is_cut_where_a_word_ends_if_one_does(markdown, cut):
    assert first_paragraph(markdown, 13) == cut
    assert len(cut) <= 13


def test_what_is_too_long_to_be_read_is_cut_all_the_same():
    assert len(first_paragraph("word " * 100_000)) <= 300


def test_a_runbook():
    assert summarize(parse(RUNBOOK.encode())) == Summary("Says what it does.", 2, dry_run=True)


def test_one_that_is_not_valid():
    assert summarize(parse(b"# Job\n\nText.\n")) == NO_SUMMARY
