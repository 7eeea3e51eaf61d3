"""RouterOS scripts as text."""

import pytest

from runbook.connectors.routeros.rsc import Fault, Section, normalized, parse

BODY = """# software id = ABCD-1234
#
# model = RB4011
/ip address
add address=10.0.0.1/24 interface=ether1
"""
HEADERS = (
    "# apr/02/1970 17:59:30 by RouterOS 6.22",
    "# jan/15/2024 10:00:00 by RouterOS 7.9.2",
    "# 2024-01-15 10:00:00 by RouterOS 7.12",
    "# 2026/11/30 1:00:00 by RouterOS 7.18.2",
)


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_an_export_is_the_same_at_any_time(header, end):
    export = f"{header}\n\n{BODY}\n\n".replace("\n", end)
    assert normalized(export) == BODY


def test_remarks_on_the_state_are_left_out_and_blanks_too():
    remarked = BODY.replace("add address", "# no interface\nadd address").replace(
        "/ip address", "\n\n/ip address  "
    )
    assert normalized(remarked) == BODY.replace("/ip address", "\n/ip address")
    # A comment that looks like a header is one only where a header is.
    assert normalized('add comment="# 2024-01-15 10:00:00 by RouterOS 7.12"') == (
        'add comment="# 2024-01-15 10:00:00 by RouterOS 7.12"\n'
    )


def test_commands_are_counted_for_each_menu():
    script = parse(
        """/interface bridge
add name=bridge1
/ip address
add address=10.0.0.1/24 interface=ether1
set [ find address=10.0.0.2/24 ] disabled=yes
remove [find comment="a \\"quoted\\" / word"]
/ip/firewall/filter/add chain=input action=accept
/ip firewall filter add chain=forward action=drop
enable 0
:log info "done"
/system identity set name=core-1
"""
    )
    assert script.problems == ()
    assert script.sections == (
        Section("/interface bridge", add=1),
        Section("/ip address", add=1, set=1, remove=1, other=2),
        Section("/ip firewall filter", add=2),
        Section("/system identity", set=1),
    )


def test_continued_lines_are_one_command():
    script = parse(
        '/system script\nadd name=x source="first\\r\\\n'
        '    \\nsecond # \\\\\\\n    third"\nset 0 a=b\n'
    )
    first, second = script.commands
    assert (first.line, second.line) == (2, 5)
    assert first.text == 'add name=x source="first\\r\\nsecond # \\\\third"'
    assert script.problems == ()


def test_a_block_is_one_command():
    script = parse(
        '/ip address\n:if (true) do={\n  :put "a}"\n  add address=1.1.1.1/32\n}\nadd x=1\n'
    )
    assert [(it.line, it.verb) for it in script.commands] == [(2, ""), (6, "add")]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ('/ip address\nadd comment="open\nadd x=1\n', Fault.UNBALANCED_QUOTES, 2),
        ("/ip address\nadd address=10.0.0.1/24 \\\n", Fault.TRUNCATED, 2),
        ("/ip address\nadd address=10.0.0.1/24 \\", Fault.TRUNCATED, 2),
        ("/ip address\nset [ find x=1 disabled=yes\n", Fault.UNBALANCED_BRACKETS, 2),
        (":put 1 }\n", Fault.UNBALANCED_BRACKETS, 1),
        ("#error exporting /interface/wifi\n", Fault.INCOMPLETE_EXPORT, 1),
    ],
)
def test_what_is_wrong_has_a_line(text, code, line):
    (problem,) = parse(text).problems
    assert (problem.code, problem.line) == (code, line)


def test_menus_can_be_relative():
    script = parse("/ip\naddress add address=10.0.0.1/24\n/\nsystem identity set name=x\n..\n/ip\n")
    assert [(it.path, it.verb) for it in script.commands] == [
        ("/ip address", "add"),
        ("/system identity", "set"),
        ("/", ""),
    ]
