"""Characters that change the text direction."""

from runbook.core.syntax.bidi import without_turns


def test_replaces_what_turns_text_and_nothing_else() -> None:
    marks = "\u200e\u200f"  # right-to-left text needs them
    assert without_turns(f"a\u202eb\u2069{marks}\n") == f"a\ufffdb\ufffd{marks}\n"
