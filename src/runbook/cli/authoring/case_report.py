"""Prints the results of `runbook test`."""

from __future__ import annotations

from typing import Protocol

from runbook.cli.authoring.case_run import CaseResult
from runbook.cli.authoring.selection import Selected
from runbook.cli.terminal.escaping import escaped
from runbook.cli.terminal.messages import print_json, print_line


class CaseReport(Protocol):
    """Reports results one by one."""

    @property
    def failed(self) -> int: ...

    def add(self, result: CaseResult) -> None: ...

    def finish(self) -> None: ...


class TextReport:
    """A line per case. Failed cases also show the differences and the end of the log."""

    def __init__(self) -> None:
        self.passed = 0
        self.failed = 0
        self._item: Selected | None = None

    def add(self, result: CaseResult) -> None:
        if result.item != self._item:
            self._item = result.item
            print_line(escaped(result.item.shown))
        if result.passed:
            self.passed += 1
            print_line(f"ok {escaped(result.case.name)}")
            return
        self.failed += 1
        first, *others = reasons(result)
        print_line(f"FAILED {escaped(result.case.name)}: {escaped(first)}")
        for text in others:
            print_line(f"    {escaped(text)}")
        self._print_log(result)

    def _print_log(self, result: CaseResult) -> None:
        for text in result.outcome.errors if result.outcome else ():
            print_line(f"    error: {escaped(text)}")
        for line in result.tail:
            print_line(f"    | {escaped(line)}")

    def finish(self) -> None:
        print_line(f"{self.passed} passed, {self.failed} failed")


class JsonReport:
    """One JSON object at the end."""

    def __init__(self) -> None:
        self._results: list[CaseResult] = []

    @property
    def failed(self) -> int:
        return sum(not result.passed for result in self._results)

    def add(self, result: CaseResult) -> None:
        self._results.append(result)

    def finish(self) -> None:
        failed = self.failed
        print_json(
            {
                "success": not failed,
                "passed": len(self._results) - failed,
                "failed": failed,
                "cases": [result_json(result) for result in self._results],
            }
        )


def reasons(result: CaseResult) -> list[str]:
    """Why a case failed, as at least one text."""
    texts = [difference.text for difference in result.differences]
    return [result.error, *texts] if result.error else texts


def result_json(result: CaseResult) -> dict[str, object]:
    outcome = result.outcome
    return {
        "runbook": result.item.ref,
        "name": result.case.name,
        "line": result.case.line,
        "success": result.passed,
        "duration_ms": round(result.seconds * 1000),
        "status": outcome.status.value if outcome else None,
        "return_code": outcome.return_code if outcome else None,
        "errors": [*([result.error] if result.error else []), *(outcome.errors if outcome else ())],
        "differences": [
            {"what": item.what, "expected": item.expected, "actual": item.actual}
            for item in result.differences
        ],
        "log_tail": list(result.tail),
    }
