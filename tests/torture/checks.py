"""What must be true after a storm, whatever was done in it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from patience import PATIENCE_S
from torture.ledger import Entry, Mark, Records, RunRow
from torture.runbooks import STEPS
from torture.watch import Watch

MOST_SHOWN = 5
LONGEST_MS = 10 * PATIENCE_S * 1000
LOST_MS = 600 * 1000  # the default time limit of a run
# An entry of these isn't promised: refusals are limited, and no invalid run has one.
UNRECORDED = {"refused": (0, 1), "invalid": (0, 0)}
COMPLETED = "succeeded"


@dataclass(frozen=True)
class Finding:
    """A check: how much it looked at, and what contradicts it."""

    name: str
    looked_at: int
    wrong: tuple[str, ...]


Wrong = Iterator[str]


class Checks:
    def __init__(self, records: Records, watch: Watch) -> None:
        self._records = records
        self._damaged = watch.damaged
        self._watch = watch
        self._runs = {run.id: run for run in records.runs}

    def all(self) -> list[Finding]:
        records = self._records
        return [
            self._of("accepted runs exist", self._watch.accepted, self._accepted()),
            self._of("runs ended", self._runs, self._ended()),
            self._of("durations are plausible", self._runs, self._durations()),
            self._of("scripts started once", records.marks, self._once()),
            self._of("completed steps were executed", records.steps, self._executed()),
            self._of("completed steps weren't repeated", self._reruns(), self._repeated()),
            self._of("one winner of simultaneous reruns", self._reruns(), self._winners()),
            self._of("steps undone once", self._undos(), self._undone_once()),
            self._of("one run per idempotency key", self._watch.keys, self._keys()),
            self._of("one history entry per run", records.entries, self._entries()),
            self._of("events without gaps", records.events, self._events()),
            self._of("inputs wiped", self._runs, self._wiped()),
            self._of("locks never shared", self._mentioning("lock"), records.shared_locks),
            self._of("locks free", self._runs, records.held_locks),
            self._of("no row of a dead worker", self._runs, records.workers),
            self._of("damaged runs end, others are unaffected", self._damaged, self._damage()),
            self._of("seen during the storm", self._watch.story, self._watch.faults),
        ]

    @staticmethod
    def _of(name: str, looked_at: Iterable[object], wrong: Iterable[str]) -> Finding:
        return Finding(name, sum(1 for _ in looked_at), tuple(wrong))

    def _sound(self) -> list[RunRow]:
        return [run for run in self._records.runs if run.id not in self._damaged]

    def _accepted(self) -> Wrong:
        return (f"run {one} is gone" for one in sorted(self._watch.accepted - self._runs.keys()))

    def _ended(self) -> Wrong:
        for run in self._records.runs:
            if run.finished_at is None or not (run.ended or run.id in self._damaged):
                yield f"run {run.id} ({run.ref}) is {run.status}"

    def _durations(self) -> Wrong:
        """Of runs that have started. How long a lost one took was not measured: it is bounded."""
        for run in self._sound():
            took = run.duration_ms
            longest = max(LOST_MS, LONGEST_MS) if run.status == "lost" else LONGEST_MS
            if took is not None and not 0 <= took <= longest:
                yield f"run {run.id} took {took} ms"
            if run.finished_at is not None and run.finished_at < run.created_at:
                yield f"run {run.id} ended before it was created"

    def _once(self) -> Wrong:
        for mark, times in self._records.marks.items():
            if times > 1:
                yield f"{mark} {times} times"
            if mark.run_id not in self._runs:
                yield f"{mark} of no run"

    def _executed(self) -> Wrong:
        """A row that says completed is backed by the script's own word."""
        for row in self._records.steps:
            run = self._runs[row.run_id]
            step = f"undo-{row.name}" if run.relation == "undo" else row.name
            is_noted = Mark(row.run_id, step, "end") in self._records.marks
            if row.status == COMPLETED and row.name in STEPS and not is_noted:
                yield f"run {row.run_id} ({run.relation}) has no end of {step} in the ledger"
        for run in self._sound():
            is_single = run.ref not in ("Steps.md", "Reverts.md")
            is_noted = Mark(run.id, "-", "end") in self._records.marks
            if is_single and run.status == COMPLETED and not is_noted:
                yield f"run {run.id} ({run.ref}) succeeded without its script's end"

    def _reruns(self) -> list[RunRow]:
        return [run for run in self._records.runs if run.relation in ("resume", "undo")]

    def _undos(self) -> list[RunRow]:
        return [run for run in self._reruns() if run.relation == "undo"]

    def _completed(self, run_id: str) -> set[str]:
        return self._completed_steps.get(run_id, set())

    @property
    def _completed_steps(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = defaultdict(set)
        for row in self._records.steps:
            if row.status == COMPLETED:
                found[row.run_id].add(row.name)
        return found

    def _repeated(self) -> Wrong:
        """No resume executes what the runs that it resumes have completed."""
        completed = self._completed_steps
        begun = defaultdict(set)
        for mark in self._records.marks:
            begun[mark.run_id].add(mark.step)
        for run in self._reruns():
            current = run
            while current.relation == "resume" and current.related_id in self._runs:
                current = self._runs[current.related_id]
                for step in completed[current.id] & begun[run.id]:
                    yield f"run {run.id} repeats {step} of run {current.id}"

    def _winners(self) -> Wrong:
        """Of the resumes and undos of a run, one has done something, or undos that add up."""
        stepped = {row.run_id for row in self._records.steps}
        effective: dict[str, list[RunRow]] = defaultdict(list)
        for run in self._reruns():
            if run.id in stepped and run.related_id is not None:
                effective[run.related_id].append(run)
        for earlier, reruns in effective.items():
            resumes = [run.id for run in reruns if run.relation == "resume"]
            undone = [run.id for run in reruns if run.relation == "undo" and self._undid(run.id)]
            if len(resumes) > 1 or (resumes and undone):
                yield f"run {earlier} was rerun by {resumes} and undone by {undone}"

    def _undid(self, run_id: str) -> bool:
        return bool(self._completed(run_id))

    def _undone_once(self) -> Wrong:
        done: Counter[tuple[str, str]] = Counter()
        for run in self._undos():
            done.update((run.related_id or "", step) for step in self._completed(run.id))
        for (earlier, step), times in done.items():
            if times > 1:
                yield f"step {step} of run {earlier} was undone {times} times"

    def _keys(self) -> Wrong:
        for key, runs in self._watch.keys.items():
            if len(runs) > 1:
                yield f"key {key} started {sorted(runs)}"

    def _entries(self) -> Wrong:
        found: dict[str, list[Entry]] = defaultdict(list)
        for entry in self._records.entries:
            found[entry.run_id].append(entry)
        for run in self._records.runs:
            entries = found.pop(run.id, [])
            least, most = UNRECORDED.get(run.status, (1, 1))
            if run.id in self._damaged:
                least = 0
            if not least <= len(entries) <= most:
                yield f"run {run.id} ({run.ref}, {run.status}) has {len(entries)} entries"
            elif any(entry.status != run.status for entry in entries) and least:
                yield f"run {run.id} is {run.status}, but its entry says {entries[0].status}"
        yield from (f"an entry of run {run_id}, which doesn't exist" for run_id in found)

    def _events(self) -> Wrong:
        for run in self._sound():
            events = self._records.events.get(run.seq)
            if events is None:
                yield f"run {run.id} has no events"
            elif (events.first, events.last, events.done) != (1, events.count, 1):
                yield f"run {run.id} ({run.status}): {events}"

    def _wiped(self) -> Wrong:
        return (f"run {run.id} keeps its inputs" for run in self._sound() if run.sealed)

    def _mentioning(self, word: str) -> list[RunRow]:
        return [run for run in self._records.runs if word in run.ref.lower()]

    def _damage(self) -> Wrong:
        for run in self._sound():
            if "run_damaged" in run.errors:
                yield f"run {run.id} ({run.ref}) was set aside, but nobody damaged it"
        for run_id in self._damaged & self._runs.keys():
            run = self._runs[run_id]
            if run.finished_at is None:
                yield f"run {run_id} ({run.ref}), which was damaged, is {run.status}"
