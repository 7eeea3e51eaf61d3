"""What can't be part of a change, however it is written."""

import random

import pytest

from mikrotik.site import TOOLKIT


@pytest.fixture
def first_line(monkeypatch):
    """The line of the first command that can't be part of a change; None if there is none."""
    monkeypatch.syspath_prepend(str(TOOLKIT / "lib"))
    from mikrotik_toolkit.forbidden import first_forbidden

    def line(script):
        found = first_forbidden(script)
        return found and found.line

    return line


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("/system/reset-configuration", 1),
        ("/ip dns set servers=192.0.2.1\n/sys reset-conf no-defaults=yes", 2),
        ("/system\nreset-configuration", 2),
        ("/system\n/system identity print\nreboot", 3),
        ("/system identity { .. reboot }", 1),
        ("/system \\\n  shutdown", 1),
        ("/ip dns print\n/sys\\\n    tem re\\\n  boot", 2),
        ("/ip dns set servers=192.0.2.1; /system reboot;", 1),
        (":do { :if (true) do={\n/system reb } } on-error={}", 2),
        (":put [/system reboot]", 1),
        ('\n:execute script="/system reboot"', 2),
        ('[:parse "/system reboot"]', 1),
        ('/sy ba lo name=x password=""', 1),
        ("/system package update install", 1),
        ("/system scheduler remove [find]", 1),
        ("/sys sch\nrem [find name~nightly]", 2),
        ("/system scheduler disable 0,1", 1),
        ("/system scheduler remove [find name=runbook-revert-run-1]", 1),
        (":foreach i in=[/system scheduler find] do={/system scheduler remove $i}", 1),
        ("/file remove [find]", 1),
        ("{" * 5000, 1),
    ],
)
def test_what_cuts_a_change_short_or_takes_its_revert_is_found(first_line, script, line):
    assert first_line(script) == line


@pytest.mark.parametrize(
    "script",
    [
        '/system scheduler add name=nightly on-event="/system reboot" interval=1d',
        "/system scheduler add name=nightly on-event={ /system reboot }",
        '/system script add name=reset source="/system reset-configuration"',
        "/system scheduler\nremove [find name=nightly]\nset nightly interval=1d",
        '/system scheduler remove [ find where name="my job" ]',
        "/system scheduler\nadd name=nightly\n/ip address\nremove [find]",
        '/file remove [find name="old.rsc"]\n/file remove flash/old.rsc',
        '/ip address add address=10.0.0.1/24 comment="; /system reboot"',
        '/system note set note="a\\"b; /system reboot"',
        "# /system reboot\n/system resource print\n/system backup save name=x",
        "/system package update check-for-updates",
    ],
)
def test_what_a_change_only_stores_or_names_is_allowed(first_line, script):
    assert first_line(script) is None


def test_any_text_is_read_to_its_end(first_line):
    chance = random.Random(7)
    parts = [
        '"',
        "\\",
        "\n",
        "{",
        "}",
        "[",
        "]",
        ";",
        "#",
        "/system",
        " ",
        "=",
        ":",
        "$x",
        "..",
        "a",
    ]
    for _ in range(500):
        first_line("".join(chance.choices(parts, k=30)))
