"""Prints what was done and found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from torture.checks import MOST_SHOWN, Finding
from torture.ledger import RunRow
from torture.watch import Watch


def show(title: str, runs: Iterable[RunRow], watch: Watch, findings: Iterable[Finding]) -> bool:
    """Whether nothing is wrong."""
    print(f"\n{title}")
    statuses = Counter(f"runs: {run.status}" for run in runs)
    for name, count in sorted((statuses + watch.counts).items()):
        print(f"  {name:45} {count:7}")
    for name, reason in watch.skipped.items():
        print(f"  not done: {name}: {reason}")
    print()
    wrong = [finding for finding in findings if not _line(finding)]
    for finding in wrong:
        print(f"\n  {finding.name}: {len(finding.wrong)} wrong")
        for text in finding.wrong[:MOST_SHOWN]:
            print(f"    {text}")
    if wrong:
        print("\n  what was done, when:")
        for line in watch.story:
            print(f"    {line}")
    return not wrong


def _line(finding: Finding) -> bool:
    verdict = f"{len(finding.wrong)} WRONG" if finding.wrong else "ok"
    print(f"  {finding.name:45} {finding.looked_at or '':7} {verdict}")
    return not finding.wrong
