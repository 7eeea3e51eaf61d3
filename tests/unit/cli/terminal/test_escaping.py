"""Others' text cannot control the terminal."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook.cli.terminal.escaping import OutputEscaper, escaped

ATTACKS = {
    "title": "\x1b]0;owned\x07",
    "clipboard": "\x1b]52;c;cm0gLXJm\x07",
    "clear": "\x1b[2J\x1b[H",
    "device status": "\x1b[6n",
    "C1 control sequence": "\x9b31m",
    "right-to-left override": "\u202eevil",
    "isolate": "\u2066x\u2069",
    "backspace": "rm -rf /\b\b\b\b\b\b\b\bls      ",
    "overwritten line": "exit code 1\rexit code 0",
    "line separator": "a\u2028b",
    "bell": "\a",
    "delete": "\x7f",
}
CONTROLS = re.compile(
    r"\x1b(?!\[[0-9;:]*m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)


def shown(*pieces: str, colour: bool = True) -> str:
    escaper = OutputEscaper(colour=colour)
    return "".join(map(escaper.feed, pieces)) + escaper.finish()


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
def test_what_controls_a_terminal_is_shown_instead(attack):
    assert not CONTROLS.search(shown(attack))


def test_escapes_are_readable():
    assert shown("\x1b[2J \u202e \x9b \r.") == r"\x1b[2J \u202e \x9b \r."


def test_colours_are_kept_and_ended():
    assert shown("\x1b[1;31mred") == "\x1b[1;31mred\x1b[0m"
    assert shown("\x1b[31mred\x1b[0m") == "\x1b[31mred\x1b[0m"


def test_colours_are_left_out_without_a_terminal():
    assert shown("\x1b[1;31mred\x1b[m", colour=False) == "red"


def test_tabs_newlines_and_windows_line_ends_are_lines():
    assert shown("a\tb\r\nc\n") == "a\tb\nc\n"


def test_a_sequence_may_be_cut_anywhere():
    assert shown("\x1b", "[3", "1mred", "\x1b[0", "m\r", "\nx") == "\x1b[31mred\x1b[0m\nx"


def test_an_unfinished_sequence_at_the_end_is_shown():
    assert shown("x\x1b[3") == r"x\x1b[3"
    assert shown("x\r") == r"x\r"


def test_a_cell_has_no_control_character_at_all():
    assert escaped("a\nb\tc\x1b[31m") == r"a\nb\tc\x1b[31m"


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("\x1b[0;31m\r\n\x9b\u202eax"))))
def test_cutting_changes_nothing_and_nothing_dangerous_passes(pieces):
    whole = shown("".join(pieces))
    assert shown(*pieces) == whole
    assert not CONTROLS.search(whole)


@settings(deadline=None)
@given(st.text())
def test_text_without_controls_passes_unchanged(text):
    plain = "".join(c for c in text if not CONTROLS.search(c) and c not in "\x1b\u061c\ufeff\r")
    assert shown(plain) == plain
