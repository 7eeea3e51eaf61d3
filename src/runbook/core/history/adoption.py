"""Adoptions: entries that take what the chain didn't cover into it, as what it is.

    (blank line)
    ### 2026-01-23T14:33:02.123Z | Adopted
    (blank line)
    By `ada` (roles `sre`) via cli: `another system appended to the file`
    (blank line)
    - foreign, entry 12: `(SHA-256)`
    - changed, entry 13: `(SHA-256)`
    (blank line)
    <!-- runbook-entry v=1 n=14 adopted=2 previous=... digest=... -->

Each line is a problem that a verification had found, with a digest of its evidence: of the foreign
text, of the changed entry, or of the digests on both sides of a gap. If the evidence changes, the
adoption doesn't apply to it any more.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from runbook.core.history.entry import (
    ENTRY_HEAD,
    EOL,
    LINK,
    LINK_BYTES,
    SPAN,
    TIME,
    WHO,
    ChainEntry,
    by_text,
    find_entry,
    from_span,
    head_at,
    is_intact,
    link_at,
    millis,
    sealed,
    span,
)
from runbook.core.history.line_ends import without_crs
from runbook.core.run import Origin
from runbook.core.times import Millis, iso
from runbook.quick_dataclass import dataclass

ADOPTION_HEAD = re.compile(
    rb"\n### (?P<at>" + TIME + rb") \| Adopted" + EOL + WHO + rb": (?P<reason>" + SPAN + rb")" + EOL
)
"""The start of every adoption. CRs before it belong to it too."""

_FINDING = re.compile(
    rb"- (?P<code>[a-z_]{1,40}), entry (?P<entry>\d{1,16}): `(?P<mark>[0-9a-f]{64})`" + EOL
)
_BLANK_LINE = re.compile(EOL)
_ANY_HEAD = re.compile(rb"\n### " + TIME + rb" \| (?:Exit Code: -?\d{1,10}|Adopted)" + EOL)


@dataclass(frozen=True, slots=True)
class ChainFinding:
    """A problem of a history. `code` is a ChainProblemCode, `mark` a digest of its evidence."""

    code: str
    entry: int
    mark: str


@dataclass(frozen=True, slots=True)
class AdoptionRecord:
    """The content of an adoption: what was adopted, by whom, when and why."""

    at: Millis
    who: str
    origin: Origin
    reason: str
    roles: tuple[str, ...] = ()
    findings: tuple[ChainFinding, ...] = ()


@dataclass(frozen=True, slots=True)
class Adoption:
    """An adoption's location in the history's bytes, and the fields of its last line."""

    start: int
    end: int
    n: int
    previous: str
    digest: str
    intact: bool


Item = ChainEntry | Adoption
"""An entry of the chain: of a run, or an adoption."""


def render_adoption(record: AdoptionRecord, *, n: int, previous: str) -> bytes:
    """The adoption's bytes. Raises ValueError for digests that don't fit the format."""
    found = "".join(f"- {it.code}, entry {it.entry}: `{it.mark}`\n" for it in record.findings)
    text = (
        f"\n### {iso(record.at)} | Adopted\n"
        f"\n{by_text(record.who, record.roles, record.origin)}: {span(record.reason)}\n"
        f"\n{found}"
        f"\n<!-- runbook-entry v=1 n={n} adopted={len(record.findings)} previous={previous}"
    )
    data = sealed(text.encode("utf-8", "replace"))
    if find_adoption(data, 0) is None:
        raise ValueError("an adoption needs findings with SHA-256 digests in hex")
    return data


def find_adoption(data: bytes, start: int) -> Adoption | None:
    """The adoption that starts exactly at `start`, per the strict grammar."""
    head = head_at(ADOPTION_HEAD, data, start)
    if head is None:
        return None
    findings = list(_findings(data, head.end()))
    link = link_at(data, findings[-1].end()) if findings else None
    if link is None or link["adopted"] is None or int(link["adopted"]) != len(findings):
        return None
    return Adoption(
        start=start,
        end=link.end(),
        n=int(link["n"]),
        previous=link["previous"].decode(),
        digest=link["digest"].decode(),
        intact=is_intact(data, start, link),
    )


def read_adoption(data: bytes, adoption: Adoption) -> AdoptionRecord:
    """The record that an intact adoption was rendered from."""
    head = head_at(ADOPTION_HEAD, data, adoption.start)
    if head is None:
        raise ValueError("no adoption starts here")
    return AdoptionRecord(
        at=millis(head["at"].decode()),
        who=from_span(head["who"]),
        origin=Origin(head["origin"].decode()),
        reason=from_span(head["reason"]),
        roles=tuple(map(from_span, re.findall(SPAN, head["roles"] or b""))),
        findings=tuple(
            ChainFinding(found["code"].decode(), int(found["entry"]), found["mark"].decode())
            for found in _findings(data, head.end())
        ),
    )


def _findings(data: bytes, at: int) -> Iterator[re.Match[bytes]]:
    blank = _BLANK_LINE.match(data, at)
    while blank and (found := _FINDING.match(data, at := max(at, blank.end()))):
        yield found
        at = found.end()


# -- entries of both kinds ---------------------------------------------------------------------


def find_item(data: bytes, start: int) -> Item | None:
    """The entry of either kind that starts exactly at `start`; may be a changed one."""
    return find_entry(data, start) or find_adoption(data, start)


def item_starts(data: bytes, start: int = 0, end: int | None = None) -> Iterator[int]:
    """The offsets where an entry of either kind may start, from its beginning."""
    for head in _ANY_HEAD.finditer(data, start, len(data) if end is None else end):
        yield without_crs(data, head.start())


def begins_like_item(data: bytes, at: int) -> bool:
    return any(head_at(head, data, at) for head in (ENTRY_HEAD, ADOPTION_HEAD))


def item_ending(data: bytes, end: int) -> Item | None:
    """The entry of either kind that ends at `end`."""
    at = end
    while (at := data.rfind(b"\n### ", 0, at)) >= 0:
        if _ANY_HEAD.match(data, at, end):
            item = find_item(data, without_crs(data, at))
            if item is not None and item.end == end:
                return item
    return None


def end_of_blank(data: bytes, at: int) -> int:
    """Where the blank lines from `at` on end: at the next entry, other text, or the end."""
    end = at
    while end < len(data) and data[end] in b" \t\r\n":
        end += 1
    if end == len(data):
        return end
    line = without_crs(data, max(at, data.rfind(b"\n", at, end)))
    return max(at, line) if _ANY_HEAD.match(data, data.find(b"\n", line)) else at


def end_of_text(data: bytes, end: int) -> int:
    """The end of the link before `end`, if only blank lines are in between; else `end`."""
    low = max(0, end - 2 * LINK_BYTES)
    tail = data[low:end]
    last = len(tail.rstrip(b" \t\r\n"))
    link = tail.rfind(b"\n", 0, last)
    found = LINK.match(tail, link) if link >= 0 else None
    return low + found.end() if found else end
