"""One history entry as Markdown, and back.

    (blank line)
    ### 2026-01-23T14:33:02.123Z | Exit Code: 0
    (blank line)
    By `ada` (roles `sre`) via api, run `0198...`, 1234 ms, succeeded, retry of `0197...`: `why`
    (blank line)
    **Stdout:**
    (fence) text (fence)
    (blank line)
    <!-- runbook-entry v=1 n=12 run=... status=... document=... previous=... digest=... -->

Optional parts after the status: `, dry run (verified)` or `, dry run (not executed)`, the relation
to an earlier run, the reason. Stdout, Stderr and Error follow in this order, unless they are
empty. Their text is stored byte for byte, including control characters and CR, between fences
longer than any run of backticks in it; a trailing line break is followed by another one before the
fence. Names are code spans without line breaks, backticks or invisible characters, so they can't be
closed early. The comment is the entry's last line and carries the chain: `digest` is the SHA-256 of
the entry's bytes before ` digest=`, including the digest of the previous entry, with CRLF read as
LF.
An adoption (see `adoption`) is an entry too; both are found by `find_item` there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from runbook.core.history.line_ends import has_crlf, lf, readings, without_crs
from runbook.core.outcome import PlanLabel
from runbook.core.output.cap import HeadTail, utf8_size
from runbook.core.run import Origin, Relation
from runbook.core.status import RunStatus
from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass

EOL = rb"\r*\n"
TIME = rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
_HEADING = rb"\n### (?P<at>" + TIME + rb") \| Exit Code: (?P<code>-?\d{1,10})" + EOL
SPAN = rb"`[^`\n]+`"
WHO = (
    EOL + rb"By (?P<who>" + SPAN + rb")"
    rb"(?: \(roles (?P<roles>" + SPAN + rb"(?:, " + SPAN + rb")*)\))?"
    rb" via (?P<origin>[a-z]+)"
)
_RUN_ID = r"[0-9A-Za-z][0-9A-Za-z._-]{0,127}"
_RUN = (
    rb", run `[^`\n]+`, (?P<ms>\d{1,15}) ms, [a-z_]+"
    rb"(?:, dry run \((?P<label>verified|assumed|unknown|not executed)\))?"
    rb"(?:, (?P<relation>retry|resume|undo|recovery) of `(?P<related>" + _RUN_ID.encode() + rb")`)?"
    rb"(?:: (?P<reason>" + SPAN + rb"))?" + EOL
)
ENTRY_HEAD = re.compile(_HEADING + WHO + _RUN)
"""The start of every run's entry. CRs before it belong to the entry too."""

_TITLE = re.compile(EOL + rb"\*\*(Stdout|Stderr|Error):\*\*" + EOL + rb"(`{3,})" + EOL)
_FENCE_END = re.compile(EOL)
_TITLES = (b"Stdout", b"Stderr", b"Error")
LINK = re.compile(
    rb"\n<!-- runbook-entry v=1 n=(?P<n>[1-9]\d{0,15})"
    rb"(?: run=(?P<run>" + _RUN_ID.encode() + rb") status=(?P<status>[a-z_]+)"
    rb" document=(?P<document>[0-9a-f]{64})| adopted=(?P<adopted>[1-9]\d{0,6}))"
    rb" previous=(?P<previous>[0-9a-f]{64}) digest=(?P<digest>[0-9a-f]{64}) -->(?:" + EOL + rb"|\Z)"
)
"""The end of every entry. An editor may have removed the last line break of a file."""

LINK_BYTES = 1024
"""Longer than any link."""

_NOT_EXECUTED = "not executed"
"""Stands instead of a dry run's label. In entries of older versions, `unknown` does."""

_NO_DIGEST = len(b" digest=")
_INNER_NOTICE = re.compile(
    r"\n\[\.\.\. (\d{1,15}) bytes of output omitted: HISTORY_ENTRY_BYTES is \d+ \.\.\.\]\n"
)


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """The content of one run's entry.

    `at` is when the run finished or was refused. `document` is the digest of the executed document.
    Empty texts are omitted; lone surrogates become `?`. `dry_run` is a dry run's label, and
    `not_executed` says that its runbook doesn't support dry runs. `relation` and `related_id` name
    the earlier run of a rerun.
    """

    run_id: str
    status: RunStatus
    return_code: int
    at: Millis
    who: str
    origin: Origin
    document: str
    roles: tuple[str, ...] = ()
    duration_ms: int = 0
    reason: str | None = None
    stdout: str = ""
    stderr: str = ""
    error: str = ""
    dry_run: PlanLabel | None = None
    not_executed: bool = False
    relation: Relation | None = None
    related_id: str | None = None


@dataclass(frozen=True, slots=True)
class ChainEntry:
    """An entry's location in the history's bytes, and the fields of its last line.

    `intact`: its bytes match its digest.
    """

    start: int
    end: int
    n: int
    run_id: str
    status: RunStatus
    return_code: int
    document: str
    previous: str
    digest: str
    intact: bool


def refusal_text(user: str, text: str) -> str:
    """The Error text of a refusal because of claims."""
    return f"RBAC Failure: Access denied for user {user}. {text}"


def render(record: EntryRecord, *, n: int, previous: str) -> bytes:
    """The entry's bytes. Raises ValueError for run IDs or digests that don't fit the format."""
    text = (
        f"\n### {iso(record.at)} | Exit Code: {record.return_code}\n"
        f"\n{_who_line(record)}\n"
        f"{_fenced('Stdout', record.stdout)}"
        f"{_fenced('Stderr', record.stderr)}"
        f"{_fenced('Error', record.error)}"
        f"\n<!-- runbook-entry v=1 n={n} run={record.run_id} status={record.status.value}"
        f" document={record.document} previous={previous}"
    )
    entry = sealed(text.encode("utf-8", "replace"))
    if not (LINK.search(entry, entry.rfind(b"\n<!-- ")) and ENTRY_HEAD.match(entry)):
        raise ValueError("a history entry needs plain run IDs and SHA-256 digests in hex")
    return entry


def sealed(body: bytes) -> bytes:
    """An entry's bytes with their digest."""
    return body + f" digest={sha256(lf(body))} -->\n".encode()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def last_digest(entry: bytes) -> str:
    """The digest at the end of rendered bytes."""
    return entry[-len(" -->\n") - 64 : -len(" -->\n")].decode("ascii")


def fitted(record: EntryRecord, limit: int) -> EntryRecord:
    """The record with its output shortened to `limit` bytes, shared fairly between the streams.

    If output was already shortened, the omitted bytes are added up.
    """
    out, err = utf8_size(record.stdout), utf8_size(record.stderr)
    if out + err <= limit:
        return record
    half = limit // 2
    for_out = limit - err if err <= limit - half else half
    for_out = min(for_out, out)
    return replace(
        record,
        stdout=_shortened(record.stdout, for_out),
        stderr=_shortened(record.stderr, limit - for_out),
    )


def _shortened(text: str, limit: int) -> str:
    kept = HeadTail(limit)
    kept.feed(text)
    notice = _INNER_NOTICE.search(text)
    before = int(notice[1]) - len(notice[0]) if notice else 0
    return kept.text(omitted_before=max(0, before))


# -- rendering ---------------------------------------------------------------------------------


def _who_line(record: EntryRecord) -> str:
    return (
        f"{by_text(record.who, record.roles, record.origin)},"
        f" run `{record.run_id}`, {record.duration_ms} ms, {record.status.value}"
        f"{_dry_run_text(record)}"
        f"{'' if record.relation is None else f', {record.relation} of `{record.related_id}`'}"
        f"{'' if record.reason is None else f': {span(record.reason)}'}"
    )


def _dry_run_text(record: EntryRecord) -> str:
    if record.dry_run is None:
        return ""
    return f", dry run ({_NOT_EXECUTED if record.not_executed else record.dry_run})"


def by_text(who: str, roles: Sequence[str], origin: Origin) -> str:
    shown = ", ".join(map(span, roles))
    return f"By {span(who)}{f' (roles {shown})' if shown else ''} via {origin.value}"


def span(text: str) -> str:
    """A code span on one line, with unprintable characters escaped."""
    return f"`{''.join(map(_escaped, text)) or _EMPTY}`"


_EMPTY = "\\-"
_ESCAPES = re.compile(r"\\(?:\\|-|x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8}))")


def _escaped(character: str) -> str:
    if character == "\\":
        return "\\\\"
    if character.isprintable() and character != "`":
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _unescaped(found: re.Match[str]) -> str:
    if found[0] == "\\\\":
        return "\\"
    code = found[1] or found[2] or found[3]
    return chr(int(code, 16)) if code else ""


def from_span(span: bytes) -> str:
    return _ESCAPES.sub(_unescaped, span[1:-1].decode("utf-8"))


def _fenced(title: str, text: str) -> str:
    if not text:
        return ""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"\n**{title}:**\n{fence}\n{text}\n{fence}\n"


# -- reading -----------------------------------------------------------------------------------


def find_entry(data: bytes, start: int) -> ChainEntry | None:
    """The entry that starts exactly at `start`, per the strict grammar; may be a changed one."""
    head = head_at(ENTRY_HEAD, data, start)
    if head is None:
        return None
    end = head.end()
    for section in _sections(data, end):
        end = section.end
    link = link_at(data, end)
    status = _status(link["status"]) if link and link["status"] else None
    if link is None or status is None:
        return None
    return ChainEntry(
        start=start,
        end=link.end(),
        n=int(link["n"]),
        run_id=link["run"].decode(),
        status=status,
        return_code=int(head["code"]),
        document=link["document"].decode(),
        previous=link["previous"].decode(),
        digest=link["digest"].decode(),
        intact=is_intact(data, start, link),
    )


def head_at(pattern: re.Pattern[bytes], data: bytes, start: int) -> re.Match[bytes] | None:
    """The head of an entry that starts at `start`, with any CRs before the first LF."""
    at = start
    while data[at : at + 1] == b"\r":
        at += 1
    return pattern.match(data, at)


def link_at(data: bytes, at: int) -> re.Match[bytes] | None:
    while data[at : at + 1] == b"\r":
        at += 1
    return LINK.match(data, at)


def is_intact(data: bytes, start: int, link: re.Match[bytes]) -> bool:
    """Whether the bytes of an entry match its digest, whatever their line ends are now."""
    body, digest = data[start : link.start("digest") - _NO_DIGEST], link["digest"].decode()
    return any(sha256(text) == digest for text in readings(body))


def read_record(data: bytes, entry: ChainEntry) -> EntryRecord:
    """The record that an intact entry was rendered from."""
    head = head_at(ENTRY_HEAD, data, entry.start)
    if head is None:
        raise ValueError("no history entry starts here")
    converted = has_crlf(head[0].removeprefix(b"\n"))
    texts = {
        section.title: _text(data, section, converted=converted)
        for section in _sections(data, head.end())
    }
    reason, relation = head["reason"], head["relation"]
    label = head["label"].decode() if head["label"] else None
    return EntryRecord(
        run_id=entry.run_id,
        status=entry.status,
        return_code=entry.return_code,
        at=millis(head["at"].decode()),
        who=from_span(head["who"]),
        origin=Origin(head["origin"].decode()),
        document=entry.document,
        roles=tuple(map(from_span, re.findall(SPAN, head["roles"] or b""))),
        duration_ms=int(head["ms"]),
        reason=from_span(reason) if reason else None,
        stdout=texts.get(b"Stdout", ""),
        stderr=texts.get(b"Stderr", ""),
        error=texts.get(b"Error", ""),
        dry_run=_dry_run_of(label),
        not_executed=label == _NOT_EXECUTED,
        relation=Relation(relation.decode()) if relation else None,
        related_id=head["related"].decode() if relation else None,
    )


def _dry_run_of(label: str | None) -> PlanLabel | None:
    if label is None:
        return None
    return PlanLabel.UNKNOWN if label == _NOT_EXECUTED else PlanLabel(label)


def _text(data: bytes, section: _Section, *, converted: bool) -> str:
    """A recorded text. If the file uses CRLF, the text's own line ends are not known any more."""
    end = without_crs(data, section.text_end) if converted else section.text_end
    text = data[section.text_start : max(end, section.text_start)]
    return (lf(text) if converted else text).decode("utf-8")


@dataclass(frozen=True, slots=True)
class _Section:
    title: bytes
    text_start: int
    text_end: int
    end: int


def _sections(data: bytes, at: int) -> list[_Section]:
    """The consecutive fenced texts from `at`, in order."""
    found: list[_Section] = []
    titles = list(_TITLES)
    while (title := _TITLE.match(data, at)) and title[1] in titles:
        stop, end = _closing_fence(data, title.end(), b"\n" + title[2])
        if stop < 0:
            break
        at = end
        found.append(_Section(title[1], title.end(), stop, at))
        titles = titles[titles.index(title[1]) + 1 :]
    return found


def _closing_fence(data: bytes, at: int, fence: bytes) -> tuple[int, int]:
    """The offsets where a text ends and its fence's line ends; -1 if the fence isn't closed."""
    stop = data.find(fence, at)
    while stop >= 0:
        if end := _FENCE_END.match(data, stop + len(fence)):
            return stop, end.end()
        stop = data.find(fence, stop + 1)
    return -1, -1


def _status(value: bytes) -> RunStatus | None:
    try:
        return RunStatus(value.decode())
    except ValueError:
        return None


def millis(text: str) -> Millis:
    moment = datetime.fromisoformat(text)
    return int(moment.replace(microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
