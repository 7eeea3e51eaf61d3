"""Interactive shells of a real OpenSSH server, with a program that behaves like a device."""

import pytest

from runbook.connectors.errors import ConnectorError, ErrorCode
from runbook.connectors.host_keys import CollectedHostKeys
from runbook.connectors.ssh import open_session
from runbook.connectors.ssh.target import route_of

PROMPT = r"^core-1(\(config\))?[>#] "
DEVICE = """#!/bin/sh
printf 'Welcome\\r\\n'
mode=''
while :; do
    printf '\\033[1mcore-1%s# \\033[0m' "$mode"
    IFS= read -r line || exit 0
    case $line in
        configure) mode='(config)' ;;
        show) echo one; stty -icanon -echo; printf -- '--More-- '
              dd bs=1 count=1 2>/dev/null >/dev/null; stty icanon echo
              printf '\\r         \\rtwo\\n' ;;
        ask) printf 'Sure? [confirm]'; IFS= read -r answer; echo "$answer" ;;
        quit) exit 0 ;;
        hang) sleep 600 ;;
        *) echo "% Invalid input: $line" ;;
    esac
done
"""


@pytest.fixture
def shell_of(sshd):
    path = sshd.folder / "device"
    path.write_text(DEVICE)
    path.chmod(0o755)
    config = sshd.folder / "sshd_config"
    config.write_text(config.read_text() + f"ForceCommand {path}\n")
    sshd.stop()
    sshd.start()
    opened = []

    def start(*, dry_run=False, **more):
        route = route_of("lab", sshd.values(command_timeout=20))
        session = open_session(route, CollectedHostKeys({}), dry_run=dry_run)
        opened.append(session)
        return session.shell(PROMPT, pager="--More-- ?", **more)

    yield start
    for session in opened:
        session.close()


def test_commands_follow_each_other(shell_of):
    with shell_of() as shell:
        assert shell.greeting == "Welcome"
        assert shell.send("configure") == ""
        assert shell.send("größe") == "% Invalid input: größe"
        assert [line.strip() for line in shell.send("show").splitlines()] == ["one", "two"]
        shell.send("ask", prompt=r"\[confirm\]")
        assert shell.send("yes") == "yes"


def test_a_shell_that_ends_or_hangs(shell_of):
    with shell_of() as shell, pytest.raises(ConnectorError) as error:
        shell.send("quit")
    assert error.value.code is ErrorCode.TRUNCATED
    with shell_of() as shell, pytest.raises(ConnectorError) as error:
        shell.send("hang", timeout=0.5)
    assert error.value.code is ErrorCode.TIMEOUT


def test_a_dry_run_sends_only_what_reads(shell_of, monkeypatch):
    plans = []
    monkeypatch.setattr(
        "runbook.connectors.effects.commands.plan", lambda line, label: plans.append(line)
    )
    with shell_of(dry_run=True) as shell:
        assert shell.send("configure") == ""
        assert shell.send("nothing", reads=True) == "% Invalid input: nothing"
    assert plans == ["send `configure` to lab"]
