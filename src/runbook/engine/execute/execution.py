"""Executes one claimed run in one thread."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol

from runbook import log
from runbook.core import return_codes
from runbook.core.document import OnFailure, Problem, Runbook, texts_of, warning
from runbook.core.events import EventType
from runbook.core.outcome import Outcome, PlanLabel
from runbook.core.output.handover import label_of
from runbook.core.output.mask import unmaskable
from runbook.core.output.pipeline import OutputPipeline
from runbook.core.reruns import Numbered, numbered, restored_steps, undo_steps
from runbook.core.run import Relation, Run
from runbook.core.status import RunStatus
from runbook.engine.execute.effects import EffectJournal
from runbook.engine.execute.handover import LiveHandOver
from runbook.engine.execute.outcome import judge
from runbook.engine.execute.recorder import Recorder
from runbook.engine.execute.reporting import Reporting
from runbook.engine.execute.run_files import content_of, files_of
from runbook.engine.execute.script_runner import ScriptRunner
from runbook.engine.execute.steps import StepRunner, StepsEnd, Values
from runbook.engine.options import EngineOptions
from runbook.engine.parts import Parts
from runbook.engine.problems import problem_of
from runbook.engine.process.run import ProcessStartError, Stop
from runbook.engine.process.workspace import Workspace
from runbook.engine.record.history_entry import RecordedOutput
from runbook.engine.reruns.steps import (
    earlier_effects,
    steps_of_all,
    touched_by,
    undone_steps,
)
from runbook.engine.sealing import RunInputs
from runbook.errors import (
    ConflictError,
    NotFoundError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.store.models import Claimed, NewEvent

NOT_DRY = warning(
    "no_dry_run", "Nothing was executed: the runbook does not say that it supports dry runs"
)
END_ATTEMPTS = 10
END_PAUSE_S = 0.1
END_PAUSE_MOST_S = 5.0


class UndoOnFailure(Protocol):
    """Undoes a failing run: see AutomaticUndo."""

    def undo_failed(
        self, run: Run, runbook: Runbook, inputs: RunInputs, stop: Stop
    ) -> Problem | None:
        """Wait for the undo run to end; a warning that says how it ended."""


class Execution:
    """Executes one run and ends it in the store, whatever happens on the way."""

    def __init__(
        self,
        parts: Parts,
        claimed: Claimed,
        worker_id: str,
        stop: Stop,
        undo: UndoOnFailure,
    ) -> None:
        self._parts = parts
        self._options: EngineOptions = parts.options
        self._run: Run = claimed.run
        self._head = claimed.head
        self._worker_id = worker_id
        self._stop = stop
        self._undo = undo
        self._runbook: Runbook = parts.documents.runbook(claimed.document)
        self._given = (
            parts.sealer.open(claimed.sealed_inputs, claimed.run.id)
            if claimed.sealed_inputs
            else RunInputs({}, frozenset())
        )
        self._began = time.monotonic()
        who = self._run.requester
        self._token = self._options.mint_token(self._run.id, who.subject, who.claims)
        self._values = Values(
            self._given.values, dict(self._given.variables), dict(self._given.outputs)
        )
        self._registered: list[str] = []
        """Values that the script has asked to mask."""
        self._recorder = Recorder(
            parts.store,
            self._run.id,
            worker_id,
            lambda masker: OutputPipeline(masker, self._options.max_output_bytes),
            secrets=self._secrets,
            entry_bytes=self._options.history_entry_bytes,
            clock=parts.clock,
            wake=parts.wakeups.wake_followers,
        )

    def execute(self) -> None:
        """Run the script to its end and record it. Only a lost claim ends without a record."""
        log.event("run.started", run_id=self._run.id, runbook=self._run.ref)
        try:
            outcome = self._cancelled_before() or self._outcome()
        except ConflictError:  # another process ended the run, because this one seemed dead
            log.warning("run.claim_lost", run_id=self._run.id)
            return
        except RunbookError as error:
            outcome = self._not_run(problem_of(error))
        except OSError as error:  # too many open files, no memory, a full disk
            log.failure("run.fault", run_id=self._run.id)
            reason = error.strerror or type(error).__name__
            text = f"The script could not be run: {reason}"
            outcome = self._not_run(Problem(ProcessStartError.code, text))
        except Exception as error:  # noqa: BLE001 - a fault of ours must end the run, not lose it
            log.failure("run.fault", run_id=self._run.id)
            text = f"The engine failed: {type(error).__name__}"
            outcome = self._not_run(Problem("internal_error", text))
        finally:
            self._stop.close()
        if outcome.status is RunStatus.TIMED_OUT:
            log.alert(
                "run.timed_out",
                log.Alert.TIMEOUT,
                run_id=self._run.id,
                runbook=self._run.ref,
                errors=texts_of(outcome.errors),
            )
        self._end(outcome)

    def _cancelled_before(self) -> Outcome | None:
        """A run that was cancelled while queued or waiting is never started."""
        if self._run.cancel is None:
            return None
        return Outcome(RunStatus.CANCELLED, return_codes.CANCELLED, errors=(self._cancelled(),))

    def _outcome(self) -> Outcome:
        if self._run.request.dry_run:
            steps = [item.step for item in self._steps()]
            from runbook.engine.execute.preview import preview

            shown = preview(self._runbook, steps, self._run, self._parts.store)
            self._recorder.add(EventType.PLAN, shown)
            if not self._runbook.policy.dry_run:
                return Outcome(RunStatus.SUCCEEDED, 0, warnings=(NOT_DRY,), label=PlanLabel.UNKNOWN)
        outcome = self._executed()
        return self._undone(outcome) if self._is_to_be_undone(outcome) else outcome

    def _executed(self) -> Outcome:
        connections = self._connections()
        workspace = Workspace.create(
            self._options.execution_dir,
            self._run.id,
            search_path=self._options.search_path,
            user=self._options.isolation.user,
        )
        try:
            if self._runbook.files_in:
                store = self._parts.store
                files = files_of(store, self._run)
                workspace.write_run_files(files, partial(content_of, store))
            workspace.write_input_files(self._given.files)
            if connections:
                workspace.write_connections(connections)
            return self._in_workspace(workspace)
        finally:
            for problem in workspace.remove():
                log.warning("workspace.left", run_id=self._run.id, problem=problem)

    def _connections(self) -> dict[str, str]:
        """The connections for the script, as JSON by input, with their secrets masked from now on.

        They are read when the run starts, so a run that waited gets what is valid now. Raises
        UnusableConnectionError.
        """
        parts, run = self._parts, self._run
        asked = (run, self._runbook.inputs, self._given.values)
        used = (*parts.connections.of_run(*asked), *parts.devices.of_run(*asked))
        if used:
            for secret in (secret for one in used for secret in one.opened.secrets):
                self._mask(secret)
            self._keep_masks()
            uses = [one.use for one in used if one.opened.name]
            parts.store.connections.use(run.id, self._worker_id, uses)
        return {one.input: one.as_json() for one in used}

    def _in_workspace(self, workspace: Workspace) -> Outcome:
        recorder = self._recorder
        with LiveHandOver(
            workspace.handover,
            on_progress=recorder.progress,
            on_plan=recorder.plan,
            on_secret=self._mask,
            after_secrets=self._keep_masks,
            journal=self._journal(),
            acting=workspace.acting,
        ) as live:
            recorder.before_output = live.read_secrets
            scripts = ScriptRunner(
                self._parts,
                self._run,
                workspace,
                recorder,
                self._stop,
                token=self._token,
                inputs=self._given.values | workspace.input_paths,
                live=live,
            )
            values, may_keep = self._given.values, recorder.may_keep
            reports = Reporting(self._parts, self._run, self._runbook, values, may_keep)
            runner = self._runner(scripts)
            runner.after_attempt = partial(scripts.report_devices, reports)
            outcome = self._judged(self._run_steps(runner))
            summary = scripts.summary()
        folder, may_keep = workspace.handover.artifacts, recorder.may_keep
        kept = self._parts.artifacts.collect(folder, self._run.id, may_keep, workspace.acting)
        return dataclasses.replace(
            outcome,
            warnings=(*outcome.warnings, *kept.warnings, *reports.warnings),
            artifacts=tuple(kept.artifacts),
            summary=summary,
        )

    def _journal(self) -> EffectJournal:
        return EffectJournal(
            self._parts.store,
            self._run,
            self._worker_id,
            self._recorder,
            earlier=earlier_effects(self._parts.store, self._run),
            step_name=lambda n: self._runbook.steps[n - 1].name,
            clock=self._parts.clock,
            acting=self._options.isolation.acting,
        )

    def _run_steps(self, runner: StepRunner) -> StepsEnd:
        rerun = self._run.rerun_of
        if rerun is not None and rerun.start_step is not None:
            rows = self._parts.store.steps.of(rerun.run_id)
            runner.restore(restored_steps(rows, rerun.start_step))
        return runner.run(self._steps())

    def _steps(self) -> Sequence[Numbered]:
        """The steps that are left, or for an undo those that reverse them. Raises NotFoundError."""
        store, rerun = self._parts.store, self._run.rerun_of
        if rerun is None or rerun.relation is not Relation.UNDO:
            start = 1 if rerun is None else rerun.start_step or 1
            return numbered(self._runbook)[start - 1 :]
        earlier = store.runs.get(rerun.run_id)
        if earlier is None:
            raise NotFoundError("The run to undo is no longer stored.")
        undone = undone_steps(store, earlier.id, but=self._run.id)
        rows = steps_of_all(store, earlier, self._runbook)
        touched = touched_by(store, earlier, self._runbook)
        return undo_steps(self._runbook, rows, undone, touched)

    def _runner(self, scripts: ScriptRunner) -> StepRunner:
        return StepRunner(
            scripts,
            self._recorder,
            self._stop,
            self._runbook.policy,
            values=self._values,
            deadline=time.monotonic() + self._run.request.timeout_s,
            clock=self._parts.clock,
            announced=self._runbook.stepped,
        )

    def _judged(self, end: StepsEnd) -> Outcome:
        outcome = judge(
            end,
            timeout_s=self._run.request.timeout_s,
            stepped=self._runbook.stepped,
            cancelled=self._cancelled,
        )
        if outcome.status is RunStatus.TIMED_OUT:
            self._recorder.message(outcome.errors[0].text)
        masked, shown = self._recorder.masked, self._recorder.shown
        return dataclasses.replace(
            outcome,
            outputs={masked(name): shown(text) for name, text in self._values.outputs.items()},
            label=label_of(self._recorder.labels) if self._run.request.dry_run else None,
        )

    def _secrets(self) -> list[str]:
        return [self._token, *self._given.secret_values(), *self._registered]

    def _mask(self, value: str) -> None:
        """Mask this value from now on."""
        if value not in self._registered:
            self._registered.append(value)
            self._recorder.masker.add(value)

    def _keep_masks(self) -> None:
        """Store the registered secrets for the runs that this one calls."""
        masks = (*self._given.masks, *self._registered)
        given = dataclasses.replace(self._given, masks=masks)
        sealed = self._parts.sealer.seal(given, self._run.id)
        try:
            self._parts.store.runs.reseal(self._run.id, self._worker_id, sealed)
        except (StoreBusyError, StoreUnavailableError) as error:
            log.warning("run.masks_not_kept", run_id=self._run.id, error=error.message)

    def _is_to_be_undone(self, outcome: Outcome) -> bool:
        return (
            self._runbook.policy.on_failure is OnFailure.UNDO
            and outcome.status in (RunStatus.FAILED, RunStatus.TIMED_OUT)
            and self._run.relation is not Relation.UNDO
            and not self._run.request.dry_run
        )

    def _undone(self, outcome: Outcome) -> Outcome:
        """Undo the completed steps in a child run while this run still holds its locks."""
        self._recorder.save()
        sealed = dataclasses.replace(
            self._given,
            variables=self._values.variables,
            outputs=self._values.outputs,
            masks=(*self._given.masks, *self._registered),
        )
        try:
            said = self._undo.undo_failed(self._run, self._runbook, sealed, self._stop)
        except RunbookError as error:  # the failure itself must be recorded anyway
            log.failure("run.not_undone", run_id=self._run.id, error=error.message)
            text = f"The completed steps were NOT undone: {error.message}"
            said = warning("not_undone", text, reason=error.message)
        return dataclasses.replace(outcome, warnings=(*outcome.warnings, said)) if said else outcome

    def _cancelled(self) -> Problem:
        run = self._parts.store.runs.get(self._run.id)
        by = run.cancel.by if run and run.cancel else None
        text = f"Cancelled by {by}" if by else "Cancelled"
        return Problem("cancelled", text, params={"by": by})

    def _not_run(self, problem: Problem) -> Outcome:
        self._recorder.message(problem.message)
        return Outcome(RunStatus.FAILED, return_codes.FAILED, errors=(problem,))

    def _end(self, outcome: Outcome) -> None:
        with suppress(StoreBusyError, StoreUnavailableError):  # they are stored with the end
            self._recorder.save_outputs()
        events: list[NewEvent] = self._recorder.finish()
        output = RecordedOutput(
            self._recorder.excerpt(EventType.STDOUT),
            self._recorder.excerpt(EventType.STDERR),
            "\n".join(texts_of(outcome.errors)) if self._names_step(outcome) else "",
        )
        outcome = dataclasses.replace(
            outcome,
            warnings=(*self._run.result.warnings, *outcome.warnings, *self._unmasked()),
            steps=self._recorder.unsaved_steps(),
        )
        took_ms = round((time.monotonic() - self._began) * 1000)
        for attempt in range(END_ATTEMPTS):
            try:
                self._parts.ending.end(
                    self._run,
                    outcome,
                    output,
                    events,
                    worker_id=self._worker_id,
                    once=attempt > 0,
                    took_ms=took_ms,
                    known=self._head,
                )
            except (StoreBusyError, StoreUnavailableError) as error:
                log.warning("run.end_delayed", run_id=self._run.id, error=error.message)
                time.sleep(min(END_PAUSE_S * 2**attempt, END_PAUSE_MOST_S))
            else:
                return
        # The worker ends the run once the store is back: see end_forgotten.
        log.warning("run.end_given_up", run_id=self._run.id, status=outcome.status.value)

    def _names_step(self, outcome: Outcome) -> bool:
        """Whether the errors name the failed step, which the output doesn't."""
        failed = outcome.status in (RunStatus.FAILED, RunStatus.TIMED_OUT)
        return failed and self._runbook.stepped

    def _unmasked(self) -> tuple[Problem, ...]:
        """A warning for each secret that is too short to mask without garbling the output."""
        return tuple(
            warning("not_masked", f"The value of {name} is too short to be masked", variable=name)
            for name in sorted(self._given.secrets)
            if unmaskable(self._given.values[name])
        )
