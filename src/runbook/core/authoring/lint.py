"""Lint rules: likely mistakes in a runbook beyond parse errors.

Rules report only what is certain: if a script may set variables in ways that its text doesn't show,
its variables aren't checked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import field
from urllib.parse import unquote

from runbook.core.authoring.python_names import python_names
from runbook.core.authoring.script_syntax import ShellCheck, script_problems, scripts_of
from runbook.core.authoring.shell_names import NameUse, shell_names
from runbook.core.document import Document, Input, Language, Problem, Runbook, Script, Severity
from runbook.core.environ import is_reserved, set_by_zsh
from runbook.core.inputs.choices import all_inputs
from runbook.core.inputs.connections import unknown_kind
from runbook.core.inputs.references import names_used, source_problems
from runbook.core.inputs.secret_names import is_sensitive
from runbook.core.syntax.markdown import BlockKind, read_head
from runbook.quick_dataclass import dataclass

_UPPER = re.compile(r"[A-Z][A-Z0-9_]*")
_SET_BY_BASH = re.compile(
    r"BASH\w*|RANDOM|SRANDOM|SECONDS|LINENO|FUNCNAME|PIPESTATUS|HOSTNAME|HOSTTYPE|OSTYPE|MACHTYPE"
    r"|EUID|UID|PPID|GROUPS|DIRSTACK|REPLY|OPTARG|OPTIND|OPTERR|COLUMNS|LINES|EPOCHSECONDS"
    r"|EPOCHREALTIME|MAPFILE|COPROC|COMP_\w+|READLINE_\w+"
)
_SET_BY_ZSH = re.compile(r"MATCH|MBEGIN|MEND|REPLY|OPTARG|EPOCH\w+|LOGNAME|HOST|ZSH_\w+|WATCH")
_SET_BY_ENGINE = frozenset({"TERM", "USER", "LOGNAME"})
_ASSIGNED = re.compile(r"(?<![\w$])(?<!\$\{)([A-Z][A-Z0-9_]*)(?:\+?=|\[|<<|:=)")
_MADE_ELSEWHERE = re.compile(r"\brunbook env\b(?!\s+[\"']?[A-Za-z_]\w*=)|\bRUNBOOK_ENV\b")
_CALL = re.compile(r"\brunbook call\b[^\n;|&#]*?[\s\"']([\w][\w./-]*\.md)(?=[\s\"';|&)]|$)")
_EXECUTE = re.compile(r"\$\{?RUNBOOK_URL\}?/([\w%][^\s\"'$?#]*?\.md)/execute\b")
_REPORTS = re.compile(r"\bRUNBOOK_DEVICES\b|\brunbook device\b|\brunbook\.device\(")
_DISABLE = re.compile(r"<!--\s*runbook-lint:\s*disable=([\w,\s]+?)\s*-->")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """A runbook's context in its folder and on the server.

    `refs` are the called runbooks that exist; `passed` are the variables that the server passes to
    every script. `shells` check the syntax of scripts. `sources` are those of `refs` that provide
    choices while a form is filled in. `kinds` are those of connections; None if they aren't known.
    """

    refs: Collection[str] = ()
    passed: Collection[str] = ()
    shells: ShellCheck | None = None
    sources: Mapping[str, Document] = field(default_factory=dict)
    kinds: Collection[str] | None = None


@dataclass(frozen=True, slots=True)
class CalledRef:
    """A reference to another runbook, and its line, if that is known.

    `beside` means that the path may also be relative to the runbook's own folder.
    """

    ref: str
    line: int | None
    beside: bool = False


def lint(document: Document, head: bytes, around: Surroundings) -> list[Problem]:
    """All findings by line, including parse problems. `head` is the part above History.

    `<!-- runbook-lint: disable=code -->` in the document disables a finding, except errors that
    make the runbook invalid.
    """
    found = list(_findings(document, around))
    disabled = disabled_codes(head)
    kept = [p for p in (*document.warnings, *found) if p.code not in disabled]
    errors = (*document.errors, *script_problems(document, around.shells))
    return sorted([*errors, *kept], key=lambda problem: problem.line or 0)


def disabled_codes(head: bytes) -> frozenset[str]:
    """The finding codes that comments in a document disable."""
    texts = (
        b.text for b in read_head(head).blocks if b.kind in (BlockKind.HTML, BlockKind.PARAGRAPH)
    )
    named = (match[1] for text in texts for match in _DISABLE.finditer(text))
    return frozenset(code.strip() for codes in named for code in codes.split(","))


def called_refs(document: Document) -> tuple[CalledRef, ...]:
    """The runbooks that a runbook calls by name, takes choices from or is recovered by."""
    calls = [
        CalledRef(ref, item.line, beside=True)
        for item in all_inputs(document.inputs)
        if (ref := _choices_ref(item)) is not None
    ]
    for script in scripts_of(document):
        for number, text in enumerate(script.source.split("\n"), start=script.line):
            if not text.lstrip().startswith("#"):
                refs = (*_CALL.findall(text), *_EXECUTE.findall(text))
                calls += [CalledRef(unquote(ref), number) for ref in refs]
    rule = document.runbook.policy.recover if document.runbook else None
    if rule is not None:
        calls.append(CalledRef(rule.ref, None, beside=True))
    return tuple(dict.fromkeys(calls))


def choices_sources(document: Document) -> tuple[CalledRef, ...]:
    """The runbooks that a form runs for choices."""
    found = (
        CalledRef(item.live.ref, item.line, beside=True)
        for item in all_inputs(document.inputs)
        if item.live is not None
    )
    return tuple(dict.fromkeys(found))


def _choices_ref(item: Input) -> str | None:
    source = item.choices_from or item.live
    return None if source is None else source.ref


def _findings(document: Document, around: Surroundings) -> Iterator[Problem]:
    yield from _secrets_by_name(document.inputs)
    for call in called_refs(document):
        if call.ref not in around.refs:
            text = f"Runbook {call.ref} does not exist"
            hint = "Use its path below the runbooks directory"
            yield Problem(
                "unknown_runbook", text, call.line, hint=hint, params={"runbook": call.ref}
            )
    for item in all_inputs(document.inputs):
        if item.live is not None and item.live.ref in around.sources:
            yield from source_problems(item, item.live, around.sources[item.live.ref])
    for item in document.inputs:
        if around.kinds is not None and item.kind and item.kind not in around.kinds:
            yield unknown_kind(item.kind, around.kinds, item.line)
    if document.runbook is not None:
        names = _read_names(document)
        yield from _undeclared(document.runbook, names, around.passed)
        yield from _unused(document, document.runbook, names)
        yield from _reports(document, document.runbook)


def _reports(document: Document, runbook: Runbook) -> Iterator[Problem]:
    """Reports of devices that the engine will ignore."""
    if runbook.policy.updates_inventory:
        return
    for script in scripts_of(document):
        for number, text in enumerate(script.source.split("\n"), start=script.line):
            if _REPORTS.search(text) and not text.lstrip().startswith("#"):
                said = "The script reports devices, but the Policy doesn't let it"
                hint = "Add `inventory: update` to Policy"
                yield Problem("inventory_not_declared", said, number, Severity.WARNING, hint)
                return


def _secrets_by_name(inputs: tuple[Input, ...]) -> Iterator[Problem]:
    for item in inputs:
        if not item.secret and is_sensitive(item):
            text = f"{item.name} looks like a secret, but is not declared as one"
            hint = f"Declare {item.name} with `type: secret`"
            yield Problem(
                "secret_by_name",
                text,
                item.line,
                Severity.WARNING,
                hint,
                params={"variable": item.name},
            )


# -- variables -----------------------------------------------------------------------------------


@dataclass(slots=True)
class _Names:
    """The variables that a runbook's scripts read and set. `sure`: the list is complete."""

    uses: list[NameUse] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    indirect: bool = False
    sure: bool = True


def _read_names(document: Document) -> _Names:
    names = _Names()
    for script in scripts_of(document):
        names.assigned.update(_ASSIGNED.findall(script.source))
        names.sure &= not any(_sets_unseen(line) for line in script.source.split("\n"))
        if script.language is Language.PYTHON:
            _read_python(script, names)
        else:
            _read_shell(script, names)
    return names


def _sets_unseen(line: str) -> bool:
    """Whether the line passes on variables whose names it doesn't show."""
    return bool(_MADE_ELSEWHERE.search(line)) and not _ASSIGNED.search(line)


def _read_python(script: Script, names: _Names) -> None:
    found = python_names(script.source)
    names.assigned |= found.assigned
    names.indirect |= found.indirect
    names.uses += _placed(found.uses, script)


def _read_shell(script: Script, names: _Names) -> None:
    found = shell_names(script.source)
    names.assigned |= found.words
    names.indirect |= found.indirect or not found.sure
    names.sure &= not found.sources
    if found.sure:
        uses = [use for use in found.uses if not _set_by_shell(use.name, script.language)]
        names.uses += _placed(uses, script)


def _set_by_shell(name: str, language: Language) -> bool:
    if language is Language.ZSH:
        return set_by_zsh(name) or _SET_BY_ZSH.fullmatch(name) is not None
    return _SET_BY_BASH.fullmatch(name) is not None


def _placed(uses: list[NameUse], script: Script) -> list[NameUse]:
    return [NameUse(use.name, script.line + use.line) for use in uses]


def _undeclared(runbook: Runbook, names: _Names, passed: Collection[str]) -> Iterator[Problem]:
    if not names.sure:
        return
    known = {item.name for item in runbook.inputs} | names.assigned | set(passed) | _SET_BY_ENGINE
    first: Mapping[str, NameUse] = {use.name: use for use in reversed(names.uses)}
    for use in first.values():
        if _UPPER.fullmatch(use.name) and use.name not in known and not is_reserved(use.name):
            text = f"The script reads {use.name}, which is neither declared nor set"
            hint = "Declare it in Environment Requirements, or correct the name"
            yield Problem(
                "undeclared_variable",
                text,
                use.line,
                Severity.WARNING,
                hint,
                params={"variable": use.name},
            )


def _unused(document: Document, runbook: Runbook, names: _Names) -> Iterator[Problem]:
    """Input files may be programs that read variables, so nothing is reported if there are any."""
    if names.indirect or runbook.files_in:
        return
    policy = runbook.policy
    texts = [script.source for script in scripts_of(document)]
    texts += [*policy.locks, policy.confirm or "", policy.queue or ""]
    mentioned = {word for text in texts for word in re.findall(r"[A-Za-z_]\w*", text)}
    mentioned |= {item.name for step in runbook.steps for item in step.conditions}
    mentioned |= names_used(runbook.inputs)
    for item in runbook.inputs:
        if item.name not in mentioned:
            text = f"{item.name} is declared but not used"
            hint = "Remove it. If a program reads it, mention it in a comment in the script"
            yield Problem(
                "unused_input",
                text,
                item.line,
                Severity.WARNING,
                hint,
                params={"variable": item.name},
            )
