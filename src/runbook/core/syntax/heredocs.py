"""Finds the here-document that a shell script never closes.

Such a script is usually half a script: a fence in its here-document closed its code block. This is
a small lexer for zsh and bash that knows quotes, comments, expansions, arithmetic and
here-documents. Wherever the shells themselves would have to decide, it gives up: it reports only
what is certain, because a script that it reports is not executed.
"""

from __future__ import annotations

import re
from collections import deque

from runbook.quick_dataclass import dataclass

_MOST_FRAMES = 200
_MOST_ARITHMETICS = 1000
_LONGEST_ARITHMETIC = 5000
_BLANKS = " \t"
_WORD_BREAKS = frozenset(" \t\n;&|<>()")
_COMMENT_AFTER = frozenset(" \t\n;&|()")
_COMMAND_AFTER = frozenset("\n;&|({`")
_KEYWORDS = frozenset({"then", "do", "else", "elif", "if", "while", "until", "{", "!", "time"})
_WORD = re.compile(r"[A-Za-z_]\w*")
_ANSI_STRING = re.compile(r"'(?:[^'\\]|\\.)*'", re.DOTALL)
_FLAGS = re.compile(r"\$\{\(([^()]*)\)")
_UNCLEAR_FLAGS = re.compile(r"['\"`\\{}]")
# A part of a delimiter; `$NAME` stays as it is. A `#` at its beginning is read differently.
_PART = re.compile(
    r"\\(?P<escaped>[^\n])"
    r"|'(?P<single>[^'\n]*)'"
    r'|"(?P<double>[^"\\`\n]*)"'
    r"|(?P<plain>[^\s\\'\"`$#;&|<>()]|\$(?=[A-Za-z_])|(?<![ \t<-])#)"
)
_CONTINUED = re.compile(r"(?<!\\)(?:\\\\)*\\\Z")


@dataclass(frozen=True, slots=True)
class Delimiter:
    """The word that ends a here-document, and where the text goes on after it.

    `tabs`: leading tabs don't count (`<<-`). `quoted`: the body is literal.
    """

    word: str
    tabs: bool
    quoted: bool
    end: int

    def closes(self, line: str) -> bool:
        return (line.lstrip("\t") if self.tabs else line) == self.word


@dataclass(frozen=True, slots=True)
class OpenHeredoc:
    """`line` is the line of `<<`, counted from 0."""

    word: str
    line: int


def open_heredoc(source: str) -> OpenHeredoc | None:
    """The here-document that is still open at the end; None if there is none, or if in doubt."""
    try:
        return _Lexer(source).run()
    except _UnsureError:
        return None


def read_delimiter(text: str, at: int) -> Delimiter | None:
    """The delimiter of the `<<` at this position, as zsh and bash read it; None if in doubt."""
    tabs = text.startswith("-", at + 2)
    begin = at = len(text) - len(text[at + 2 + tabs :].lstrip(_BLANKS))
    word, quoted = "", False
    while at < len(text) and text[at] not in _WORD_BREAKS:
        part = _PART.match(text, at)
        if part is None:
            return None
        word += (part["escaped"] or part["single"] or part["double"] or part["plain"]) or ""
        quoted |= part["plain"] is None
        at = part.end()
    return Delimiter(word, tabs, quoted, at) if at > begin else None


class _UnsureError(Exception):
    """Only the shell itself can tell."""


@dataclass(slots=True)
class _Frame:
    """An open construct: `(`, a backtick, `"`, or `{` of an expansion; the script itself is "".

    `cases` counts the `case` commands that are open directly in it.
    """

    kind: str
    cases: int = 0


class _Lexer:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._frames = [_Frame("")]
        self._waiting: deque[tuple[Delimiter, int, int]] = deque()
        self._command = True
        self._arithmetics = 0

    def run(self) -> OpenHeredoc | None:
        while self._at < len(self._text):
            if (found := self._step(self._text[self._at])) is not None:
                return found
        if self._waiting:  # the script ends on the line of its `<<`
            return self._open(*self._waiting[0])
        return None

    def _open(self, delimiter: Delimiter, at: int, depth: int) -> OpenHeredoc:
        """Report it, unless it is in a substitution, which may end the here-document itself."""
        if depth > 1 or not delimiter.word:
            raise _UnsureError
        return OpenHeredoc(delimiter.word, self._text.count("\n", 0, at))

    # -- one step ------------------------------------------------------------------------------

    def _step(self, char: str) -> OpenHeredoc | None:
        frame = self._frames[-1]
        if char == "\\":
            self._at += 2
            self._command = False
        elif char == "$":
            self._dollar(frame)
        elif char == "`":
            self._backtick(frame)
        elif frame.kind == '"':
            self._quoted(char)
        elif frame.kind == "{":
            self._expansion(char)
        elif char == "\n":
            self._at += 1
            self._command = True
            return self._bodies()
        else:
            self._code(char, frame)
        return None

    def _quoted(self, char: str) -> None:
        if char == '"':
            self._close()
        self._at += 1

    def _expansion(self, char: str) -> None:
        """Inside `${`; quotes in one that is itself quoted are read differently by each shell."""
        in_quotes = any(frame.kind == '"' for frame in self._frames)
        if char == "}":
            self._close()
        elif char == "{" or (char == "'" and in_quotes):
            raise _UnsureError
        elif char == "'":
            self._at = self._text.find("'", self._at + 1)
            if self._at < 0:
                raise _UnsureError
        elif char == '"':
            self._push(_Frame('"'))
        self._at += 1

    def _code(self, char: str, frame: _Frame) -> None:
        if char == "'":
            self._single_quoted()
        elif char == '"':
            self._push(_Frame('"'))
            self._at += 1
            self._command = False
        elif char == "#" and self._begins_word():
            self._comment(frame)
        elif char in "()":
            self._parenthesis(char, frame)
        elif char == "<" and self._text.startswith("<<", self._at):
            self._redirection(frame)
        elif match := _WORD.match(self._text, self._at):
            self._word(match.group(), frame)
        else:
            self._at += 1
            if char in _COMMAND_AFTER:
                self._command = True
            elif char not in _BLANKS and char != "!":
                self._command = False

    def _word(self, word: str, frame: _Frame) -> None:
        if self._command and self._begins_word():
            if word == "case":
                frame.cases += 1
            elif word == "esac" and frame.cases:
                frame.cases -= 1
            self._command = word in _KEYWORDS
        self._at += len(word)

    def _single_quoted(self) -> None:
        end = self._text.find("'", self._at + 1)
        if end < 0:  # the shell reports this
            raise _UnsureError
        self._at = end + 1
        self._command = False

    def _comment(self, frame: _Frame) -> None:
        end = self._text.find("\n", self._at)
        end = len(self._text) if end < 0 else end
        # `(#` begins a pattern flag of zsh; a backtick may end a comment.
        unclear = frame.kind == "`" or self._text[self._at - 1 : self._at] == "("
        if unclear and self._at:
            raise _UnsureError
        self._at = end

    def _parenthesis(self, char: str, frame: _Frame) -> None:
        if char == "(" and self._text.startswith("((", self._at):
            self._arithmetic(self._at + 2)
            return
        self._at += 1
        self._command = True
        if char == "(":
            self._push(_Frame("("))
        elif frame.kind == "(" and not frame.cases:
            self._close()
            self._command = False

    def _arithmetic(self, start: int) -> None:
        """Skip `((...))`; it may also be a list in a list, or a zsh pattern."""
        self._arithmetics += 1
        if self._arithmetics > _MOST_ARITHMETICS:
            raise _UnsureError
        depth, at = 2, start
        while at < len(self._text) and depth and at - start < _LONGEST_ARITHMETIC:
            depth += {"(": 1, ")": -1}.get(self._text[at], 0)
            at += 1
        inner = self._text[start : at - 2]
        plain = not depth and self._text[at - 2 : at] == "))"
        if plain and not any(char in inner for char in "'\"`\\#\n"):
            self._at = at
            self._command = False
        elif "<<" in inner or depth:
            raise _UnsureError
        else:
            self._push(_Frame("("))
            self._at = start - 1
            self._command = True

    def _dollar(self, frame: _Frame) -> None:
        text, at = self._text, self._at
        self._command = False
        if text.startswith("$((", at):
            self._arithmetic(at + 3)
        elif text.startswith("$(", at):
            self._push(_Frame("("))
            self._at += 2
            self._command = True
        elif text.startswith("${", at):
            flags = _FLAGS.match(text, at)
            if flags and _UNCLEAR_FLAGS.search(flags[1]):
                raise _UnsureError
            self._push(_Frame("{"))
            self._at = flags.end() if flags else at + (3 if text.startswith("${#", at) else 2)
        elif text.startswith("$[", at):
            raise _UnsureError
        elif text.startswith("$'", at) and frame.kind != '"':
            string = _ANSI_STRING.match(text, at + 1)
            if string is None:
                raise _UnsureError
            self._at = string.end()
        elif text.startswith("$#", at):
            self._at += 2
        else:
            self._at += 1

    def _backtick(self, frame: _Frame) -> None:
        if any(each.kind == "`" for each in self._frames):
            if frame.kind != "`":
                raise _UnsureError
            self._close()
            self._command = False
        else:
            self._push(_Frame("`"))
            self._command = True
        self._at += 1

    def _push(self, frame: _Frame) -> None:
        if len(self._frames) > _MOST_FRAMES:
            raise _UnsureError
        self._frames.append(frame)

    def _close(self) -> None:
        if any(depth >= len(self._frames) for _, _, depth in self._waiting):
            raise _UnsureError  # a substitution ends on the line of a `<<` in it
        self._frames.pop()

    # -- here-documents ------------------------------------------------------------------------

    def _redirection(self, frame: _Frame) -> None:
        text, at = self._text, self._at
        if text.startswith("<<<", at):
            self._at += 3
            return
        delimiter = read_delimiter(text, at)
        if delimiter is None or frame.kind == "`" or self._in_subscript():
            raise _UnsureError
        self._waiting.append((delimiter, at, len(self._frames)))
        self._at = delimiter.end

    def _in_subscript(self) -> bool:
        """Whether this is inside `name[...]`, which is arithmetic."""
        begin = self._at
        while begin and self._text[begin - 1] not in _WORD_BREAKS:
            begin -= 1
        word = self._text[begin : self._at]
        return word.count("[") > word.count("]")

    def _bodies(self) -> OpenHeredoc | None:
        """Skip the bodies of the here-documents that begin on the line that just ended."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not self._skip_body(waiting[0]):
                return self._open(*waiting)
        return None

    def _skip_body(self, delimiter: Delimiter) -> bool:
        joined = False
        while self._at < len(self._text):
            end = self._text.find("\n", self._at)
            end = len(self._text) if end < 0 else end
            line = self._text[self._at : end]
            self._at = min(end + 1, len(self._text))
            if not joined and delimiter.closes(line):
                return True
            joined = not delimiter.quoted and _CONTINUED.search(line) is not None
        return False

    def _begins_word(self) -> bool:
        return self._at == 0 or self._text[self._at - 1] in _COMMENT_AFTER
