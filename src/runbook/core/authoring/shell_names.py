"""Variables that a zsh or bash script reads, found by static analysis.

This is a small tokenizer, not a shell: text in single quotes, comments, quoted heredocs or after a
backslash doesn't count as a use. If it loses track, it says that the result isn't certain.
"""

from __future__ import annotations

import re
from dataclasses import field

from runbook.core.syntax.heredocs import Delimiter, read_delimiter
from runbook.quick_dataclass import dataclass

_COMMENT_AFTER = frozenset(" \t\n;&|")
_COMMAND_AFTER = frozenset("\n;&|({")
_PLAIN = re.compile(r"\$([A-Za-z_]\w*)")
_BRACED = re.compile(
    r"\$\{(?P<flags>\([^()]*\))?(?P<marks>[!#=^~]*)(?P<name>[A-Za-z_]\w*)(?:\[[^][]*\])?(?P<op>:?.)?",
    re.DOTALL,
)
_WORD = re.compile(r"\w[\w.]*")
_ANSI_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)


@dataclass(frozen=True, slots=True)
class NameUse:
    """A variable read, and its line in the script, counted from 0."""

    name: str
    line: int


@dataclass(slots=True)
class ShellNames:
    """The variables that a script reads and the words it mentions.

    `words` are the unquoted words of its code; if one is not read by `$`, the script may set it.
    `indirect`: it reads variables whose names are computed at run time. `sure` is false if the
    tokenizer lost track.
    """

    uses: list[NameUse] = field(default_factory=list)
    words: set[str] = field(default_factory=set)
    sources: bool = False
    indirect: bool = False
    sure: bool = True


def shell_names(source: str) -> ShellNames:
    """Analyze a script. Never raises."""
    found = ShellNames()
    _Scanner(source, found).scan()
    return found


class _Scanner:
    """`_open` is a stack of open constructs: `"`, a backtick, or `(` of a list or a command.

    A heredoc's body is read like double-quoted text in which quotes are literal.
    """

    def __init__(self, text: str, found: ShellNames, at: int = 0, *, heredoc: bool = False) -> None:
        self._text = text
        self._at = at
        self._outside = ['"'] if heredoc else []
        self._open = list(self._outside)
        self._heredocs: list[Delimiter] = []
        self._found = found

    def scan(self) -> None:
        while self._at < len(self._text):
            self._step(self._text[self._at])
        self._found.sure &= self._open == self._outside

    def _step(self, char: str) -> None:
        if char == "\\":
            self._at += 2
        elif char == "$":
            self._dollar()
        elif char in '"`':
            self._toggle(char)
        elif self._open and self._open[-1] == '"':
            self._at += 1
        else:
            self._code(char)

    def _toggle(self, char: str) -> None:
        if char == '"' and self._open == self._outside == ['"']:
            pass  # literal in a heredoc
        elif self._open and self._open[-1] == char:
            self._open.pop()
        else:
            self._open.append(char)
        self._at += 1

    def _code(self, char: str) -> None:
        """One step in unquoted code."""
        if char == "'":
            self._skip_to("'", self._at + 1)
        elif char == "#" and self._follows(_COMMENT_AFTER):
            self._at = self._end_of_line()
        elif char == "\n":
            self._at += 1
            self._bodies()
        elif char in "()":
            self._parenthesis(char)
        elif heredoc := self._heredoc():
            self._heredocs.append(heredoc)
            self._at = heredoc.end
        elif match := _WORD.match(self._text, self._at):
            self._word(match.group())
        else:
            dot = char == "." and self._text[self._at + 1 : self._at + 2] in (" ", "\t")
            self._found.sources |= dot and self._begins_command()
            self._at += 1

    def _word(self, word: str) -> None:
        self._found.words.add(word)
        self._found.sources |= word == "source"
        self._found.indirect |= word in ("env", "printenv")
        # Case patterns have a closing parenthesis without an opening one.
        self._found.sure &= not (word == "case" and bool(self._open))
        if word == "eval" and "RUNBOOK_HEADERS" not in self._text[self._at : self._end_of_line()]:
            self._found.sources = True
        self._at += len(word)

    def _parenthesis(self, char: str) -> None:
        if char == "(":
            self._open.append(char)
        elif self._open and self._open[-1] == "(":
            self._open.pop()
        self._at += 1

    def _dollar(self) -> None:
        text, at = self._text, self._at
        if match := _PLAIN.match(text, at):
            self._use(match[1], at)
            self._at = match.end()
        elif match := _BRACED.match(text, at):
            self._braced(match)
        elif text.startswith("$(", at):
            self._open.append("(")
            self._at += 2
        elif text.startswith("$'", at) and not (self._open and self._open[-1] == '"'):
            string = _ANSI_STRING.match(text, at + 1)
            self._found.sure &= string is not None
            self._at = string.end() if string else at + 2
        elif text.startswith('$"', at):
            self._at += 1
        else:
            self._at += 2

    def _braced(self, match: re.Match[str]) -> None:
        """`${NAME...}`, with or without a default."""
        operator = (match["op"] or "").removeprefix(":")
        self._found.indirect |= "P" in (match["flags"] or "") or "!" in match["marks"]
        if operator == "=":
            self._found.words.add(match["name"])
        else:
            self._use(match["name"], match.start())
        self._at = match.end("name")

    def _use(self, name: str, at: int) -> None:
        self._found.uses.append(NameUse(name, self._text.count("\n", 0, at)))

    # -- heredocs ------------------------------------------------------------------------------

    def _heredoc(self) -> Delimiter | None:
        text, at = self._text, self._at
        if not text.startswith("<<", at) or text.startswith("<<<", at) or text[at - 1 : at] == "<":
            return None
        heredoc = read_delimiter(text, at)
        return heredoc if heredoc and self._body_end(heredoc, heredoc.end) else None

    def _body_end(self, heredoc: Delimiter, start: int) -> re.Match[str] | None:
        blanks = r"\t*" if heredoc.tabs else ""
        end = re.compile(rf"^{blanks}{re.escape(heredoc.word)}$", re.MULTILINE)
        return end.search(self._text, start)

    def _bodies(self) -> None:
        """The bodies of the heredocs that start on this line."""
        for heredoc in self._heredocs:
            end = self._body_end(heredoc, self._at)
            stop = end.start() if end else len(self._text)
            if not heredoc.quoted:
                _Scanner(self._text[:stop], self._found, self._at, heredoc=True).scan()
            self._at = end.end() if end else stop
        self._heredocs.clear()

    # -- positions -----------------------------------------------------------------------------

    def _skip_to(self, char: str, start: int) -> None:
        end = self._text.find(char, start)
        self._found.sure &= end >= 0
        self._at = end + 1 if end >= 0 else len(self._text)

    def _end_of_line(self) -> int:
        end = self._text.find("\n", self._at)
        return end if end >= 0 else len(self._text)

    def _follows(self, chars: frozenset[str]) -> bool:
        return self._at == 0 or self._text[self._at - 1] in chars

    def _begins_command(self) -> bool:
        before = self._text[: self._at].rstrip(" \t")
        return not before or before[-1] in _COMMAND_AFTER
