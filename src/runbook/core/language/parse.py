"""Markdown -> Document: the content of a runbook and all its problems."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import replace

from runbook.core.document import (
    NO_POLICY,
    Document,
    FileRequirement,
    Input,
    Language,
    Policy,
    Problem,
    Runbook,
    Severity,
    Step,
)
from runbook.core.environ import set_by_zsh
from runbook.core.history.scan import HistoryScan, begin_scan, scan_history
from runbook.core.language.declarations import (
    NO_CLAIMS,
    UNKNOWN_CLAIMS,
    Claims,
    read_claims,
    read_files,
    read_inputs,
)
from runbook.core.language.fences import check_cuts, check_fences
from runbook.core.language.front_matter import read_front_matter
from runbook.core.language.policy import check_reversible, read_policy
from runbook.core.language.steps import read_steps
from runbook.core.syntax.bidi import turned_lines
from runbook.core.syntax.markdown import HEAD_LIMIT, HEAD_LINES, Head, line_at, read_head
from runbook.core.syntax.section_names import SectionName
from runbook.core.syntax.sections import read_sections
from runbook.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class ParsedHead:
    """A document up to its History heading, and the scan state for the rest.

    `scan` is None if there is no History heading.
    """

    document: Document
    scan: HistoryScan | None


def parse(data: bytes, *, stem: str | None = None) -> Document:
    """Parse a whole document. Never raises, whatever the bytes.

    `stem` is the file's name without `.md`; a different runbook name causes a warning.
    """
    parsed = parse_head(data, stem=stem)
    if parsed.scan is None:
        return parsed.document
    return with_history(parsed.document, scan_history(data, parsed.scan))


def parse_stored(head: bytes) -> Document:
    """Parse the bytes above a History heading, the form in which documents are stored."""
    return parse(head + b"# History\n")


def parse_head(data: bytes, *, stem: str | None = None) -> ParsedHead:
    """Parse the part above History; `data` may omit the rest."""
    head = read_head(data)
    digest = hashlib.sha256(data[: head.head_bytes]).hexdigest()
    problem = _unreadable(data, head)
    readme = is_readme(stem) and problem is None and not read_sections(head, stem=stem).found
    if readme:
        problem = _documentation(stem or "")
    if problem:
        document = Document(
            stem or "", None, (problem,), digest, head.head_bytes, None, claims_known=readme
        )
        return ParsedHead(document, None)
    document = replace(
        _Reading(head, stem).document(),
        digest=digest,
        head_bytes=head.head_bytes,
        history_bytes=head.history_bytes,
    )
    if head.history_bytes is None or head.history_line is None:
        return ParsedHead(document, None)
    heading = data[head.head_bytes : head.history_bytes].rstrip(b"\r\n")
    last_line = head.history_line + line_at(heading, len(heading)) - 1
    return ParsedHead(document, begin_scan(head.history_bytes, last_line))


def is_readme(stem: str | None) -> bool:
    """Whether a file with this name is documentation, unless it has a runbook's sections."""
    return stem is not None and stem.lower() == "readme"


def _documentation(stem: str) -> Problem:
    text = f"{stem}.md is documentation, not a runbook: it has none of a runbook's sections"
    return Problem("not_a_runbook", text, params={"file": f"{stem}.md"})


def with_history(document: Document, scan: HistoryScan) -> Document:
    """The document with the problems found below its History heading."""
    if not scan.problems:
        return document
    doubted = scan.claims_doubted
    return replace(
        document,
        runbook=None,
        problems=document.problems + scan.problems,
        claims=None if doubted else document.claims,
        claims_known=document.claims_known and not doubted,
    )


def unreadable(stem: str, reason: str) -> Document:
    """The placeholder for a file that can't be read."""
    problem = Problem(
        "unreadable", f"The runbook cannot be read: {reason}", params={"reason": reason}
    )
    digest = hashlib.sha256(b"").hexdigest()
    return Document(stem, None, (problem,), digest, 0, None, claims_known=False)


def _unreadable(data: bytes, head: Head) -> Problem | None:
    if head.too_long:
        text = f"No History heading in the first {HEAD_LIMIT // 1024} KiB or {HEAD_LINES} lines"
        hint = "Add # History. If there is one, look for an unclosed code block above it"
        return Problem(
            "head_too_long", text, hint=hint, params={"limit": HEAD_LIMIT, "lines": HEAD_LINES}
        )
    if head.bad_byte is not None:
        line = line_at(data, head.bad_byte)
        text = f"The document is not valid UTF-8: byte {head.bad_byte + 1}, line {line}"
        return Problem(
            "not_utf8",
            text,
            line,
            hint="Save the file as UTF-8",
            params={"byte": head.bad_byte + 1},
        )
    if (position := data.find(b"\0", 0, head.head_bytes)) >= 0:
        text = "The document contains a NUL character"
        return Problem("nul_character", text, line_at(data, position))
    return None


class _Reading:
    """Parses one head; problems are collected in any order."""

    def __init__(self, head: Head, stem: str | None) -> None:
        self._sections = read_sections(head, stem=stem)
        self._problems = self._sections.problems
        self._stem = stem
        self._front = read_front_matter(head, self._problems)
        check_fences(self._sections, head.blocks)
        self._problems += turned_lines(head)
        self.name = self._name()

    def document(self) -> Document:
        """The document, without the fields that depend on its bytes."""
        inputs = self._inputs()
        files_in, files_out = self._files()
        claims = self._claims()
        steps = self._steps(inputs)
        policy = self._policy(inputs, steps)
        self._warn_of_shell_names(inputs, steps)
        problems = tuple(sorted(self._problems, key=lambda problem: problem.line or 0))
        valid = all(problem.severity is not Severity.ERROR for problem in problems)
        runbook = Runbook(
            name=self.name,
            description=self._sections.description,
            inputs=inputs,
            files_in=files_in,
            files_out=files_out,
            claims=claims.values,
            steps=steps,
            policy=policy,
        )
        return Document(
            name=self.name,
            runbook=runbook if valid else None,
            problems=problems,
            digest="",
            head_bytes=0,
            history_bytes=None,
            claims=claims.values,
            claims_known=claims.known,
            inputs=inputs,
            steps=steps,
            front=self._front,
        )

    def _name(self) -> str:
        title = self._sections.title
        if title is None or not title.text:
            return self._stem or ""
        if self._stem is not None and not _same_name(title.text, self._stem):
            text = f"The runbook's name '{title.text}' doesn't match its file '{self._stem}.md'"
            problem = Problem(
                "name_unlike_file",
                text,
                title.line,
                Severity.WARNING,
                params={"name": title.text, "file": f"{self._stem}.md"},
            )
            self._problems.append(problem)
        return title.text

    def _inputs(self) -> tuple[Input, ...]:
        section = self._sections.found.get(SectionName.ENVIRONMENT)
        return read_inputs(section, self._problems) if section else ()

    def _files(self) -> tuple[tuple[FileRequirement, ...], tuple[FileRequirement, ...]]:
        section = self._sections.found.get(SectionName.FILES)
        return read_files(section, self._problems) if section else ((), ())

    def _claims(self) -> Claims:
        section = self._sections.found.get(SectionName.CLAIMS)
        claims = read_claims(section, self._problems) if section else NO_CLAIMS
        return UNKNOWN_CLAIMS if self._sections.claims_doubted else claims

    def _steps(self, inputs: tuple[Input, ...]) -> tuple[Step, ...]:
        section = self._sections.found.get(SectionName.SCRIPT)
        if section is None:
            return ()
        check_cuts(section, self._problems)
        return read_steps(section, self.name, inputs, self._problems)

    def _policy(self, inputs: tuple[Input, ...], steps: tuple[Step, ...]) -> Policy:
        section = self._sections.found.get(SectionName.POLICY)
        if section is None:
            return NO_POLICY
        policy = read_policy(section, inputs, self._problems)
        check_reversible(policy, steps, section.line, self._problems)
        return policy

    def _warn_of_shell_names(self, inputs: tuple[Input, ...], steps: tuple[Step, ...]) -> None:
        scripts = [script for step in steps for script in (step.script, step.undo) if script]
        if not any(script.language is Language.ZSH for script in scripts):
            return
        for item in inputs:
            if set_by_zsh(item.name):
                text = f"zsh sets {item.name} itself, so the script won't see the given value"
                problem = Problem(
                    "name_set_by_shell",
                    text,
                    item.line,
                    Severity.WARNING,
                    params={"variable": item.name},
                )
                self._problems.append(problem)


def _same_name(title: str, stem: str) -> bool:
    return unicodedata.normalize("NFC", title) == unicodedata.normalize("NFC", stem)
