"""The shells' own checks, with the real shells."""

import shutil

import pytest

from runbook.core.document import Language, Script
from runbook.core.syntax.heredocs import open_heredoc
from runbook.host import shells as module
from runbook.host.shells import Shells
from unit.core.syntax.test_heredocs import CLOSED, OPEN

PATH = "/usr/local/bin:/usr/bin:/bin"
SHELLS = [Language.ZSH, Language.BASH]


def complaint(source, language=Language.ZSH, path=PATH):
    return Shells(path).complaint(Script(language, source, 1))


@pytest.mark.parametrize("language", SHELLS)
@pytest.mark.parametrize(
    "source",
    [
        "true\nif true; then\n",
        'true\necho "a\n',
        "true\nfi\n",
        "true\nf() {\n",
        "true\necho $(ls\n",
    ],
)
def test_a_syntax_error_has_its_line(language, source):
    found = complaint(source, language)
    assert found is not None
    assert 1 <= found.line <= 2
    assert found.reason


@pytest.mark.parametrize("language", SHELLS)
@pytest.mark.parametrize("source", OPEN)
def test_a_here_document_that_is_never_closed_is_an_error(language, source):
    assert complaint(source, language)


@pytest.mark.parametrize("language", SHELLS)
@pytest.mark.parametrize("source", CLOSED)
def test_a_good_script_is_accepted(language, source):
    assert complaint(source, language) is None
    assert open_heredoc(source) is None


def test_nothing_is_executed(tmp_path):
    target = tmp_path / "x"
    assert complaint("runbook env OLD=$(<nosuch) =nosuch ${x?} {1..1000000000}") is None
    assert complaint("true $(</dev/zero)") is None
    assert complaint("}\ntrue $(</dev/zero)")
    for language in SHELLS:
        assert complaint(f"touch {target}\n: $(touch {target}) {{a..c}}\n", language) is None
    assert not target.exists()


@pytest.mark.parametrize(
    ("language", "source"),
    [
        (Language.BASH, "shopt -s extglob\nls !(a|b)\n"),
        (Language.ZSH, "setopt csh_junkie_loops\nwhile false\n true\nend\n"),
        (Language.ZSH, "setopt extended_glob\nls (#i)a^b*(.N)\n"),
        (Language.ZSH, ""),
        (Language.ZSH, "# it's a comment\n\n"),
        (Language.ZSH, "repeat 3 echo x\nfor x (a b) { echo $x }\nprint ${(s.:.)x}\n"),
    ],
)
def test_a_grammar_that_a_script_switches_on_is_no_error(language, source):
    assert complaint(source, language) is None


def test_without_a_shell_nothing_is_checked():
    assert complaint("fi", path="/nonexistent") is None


def test_a_shell_that_takes_too_long_says_nothing(tmp_path):
    slow = tmp_path / "zsh"
    slow.write_text("#!/bin/sh\nexec sleep 60\n")
    slow.chmod(0o755)
    shells = Shells(f"{tmp_path}:{PATH}", timeout_s=0.05)
    assert shells.complaint(Script(Language.ZSH, "fi", 1)) is None


def test_the_shell_gets_no_variable_of_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("JWT_SECRET", "hidden")
    spy = tmp_path / "zsh"
    spy.write_text(f'#!/bin/sh\nenv >{tmp_path}/env\nexec {shutil.which("zsh")} "$@"\n')
    spy.chmod(0o755)
    assert complaint("fi", path=f"{tmp_path}:{PATH}")
    assert "JWT_SECRET" not in (tmp_path / "env").read_text()


def test_a_script_is_checked_once_and_few_are_remembered(monkeypatch):
    shells = Shells(PATH)
    asked = []
    monkeypatch.setattr(shells, "_ask", lambda _language, source: asked.append(source))
    monkeypatch.setattr(module, "CACHED_SCRIPTS", 2)
    for source in ("a", "a", "b", "a", "c", "a", "b"):
        shells.complaint(Script(Language.ZSH, source, 1))
    assert asked == [b"a", b"b", b"c", b"b"]
