"""The execution of one claimed run, in one thread of a worker or of the command line."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence

from runbook import log
from runbook.core.document import Runbook, Step
from runbook.core.environ import BaseVariables, RunVariables, child_env
from runbook.core.mask import Masker, unmaskable
from runbook.core.output import OutputPipeline
from runbook.core.run import EventType, Outcome, Run, RunStatus
from runbook.engine.options import EngineOptions
from runbook.engine.parts import Parts
from runbook.engine.process import Command, Ended, ProcessStartError, Stop, StopReason, run_process
from runbook.engine.reaper import NOT_KNOWN_CODE
from runbook.engine.recorder import Recorder
from runbook.engine.records import RecordedOutput
from runbook.engine.sealing import GivenInputs
from runbook.engine.workspace import Workspace, WorkspaceError
from runbook.errors import (
    ConflictError,
    RunbookError,
    StoreBusyError,
    StoreUnavailableError,
)
from runbook.library.refs import input_sources
from runbook.store.records import Claimed, NewEvent

TIMED_OUT_CODE = -9
INTERRUPT_CODE = -2
NOT_STARTED_CODE = 1
END_ATTEMPTS = 10
END_PAUSE_S = 0.1
END_PAUSE_MOST_S = 5.0


class Execution:
    """Executes one run and ends it in the store, whatever happens on the way."""

    def __init__(self, parts: Parts, claimed: Claimed, worker_id: str, stop: Stop) -> None:
        self._parts = parts
        self._options: EngineOptions = parts.options
        self._run: Run = claimed.run
        self._worker_id = worker_id
        self._stop = stop
        self._runbook: Runbook = parts.documents.runbook(claimed.document)
        self._given = (
            parts.sealer.open(claimed.sealed_inputs, claimed.run.id)
            if claimed.sealed_inputs
            else GivenInputs({}, frozenset())
        )
        self._token = self._options.mint_token(
            self._run.id,
            self._run.requester.subject,
            self._run.requester.claims,
            self._run.timeout_s + self._options.grace.total_s,
        )
        self._recorder = Recorder(
            parts.store,
            self._run.id,
            worker_id,
            self._pipeline,
            entry_bytes=self._options.history_entry_bytes,
            clock=parts.clock,
            wake=parts.wakeups.wake_followers,
        )

    def execute(self) -> None:
        """Run the script to its end and record it. Only a lost claim ends without a record."""
        log.event("run.started", run_id=self._run.id, runbook=self._run.ref)
        try:
            outcome = self._cancelled_before() or self._outcome()
        except ConflictError:  # someone else ended the run: this process was taken for dead
            log.warning("run.claim_lost", run_id=self._run.id)
            return
        except RunbookError as error:
            outcome = self._not_run(error.message)
        except Exception as error:  # noqa: BLE001 - a fault of ours must end the run, not lose it
            log.failure("run.fault", run_id=self._run.id)
            outcome = self._not_run(f"The engine failed: {type(error).__name__}")
        finally:
            self._stop.close()
        self._end(outcome)

    def _cancelled_before(self) -> Outcome | None:
        """A run whose end was asked for while it waited is never started."""
        if self._run.cancel_at is None:
            return None
        return Outcome(RunStatus.CANCELLED, INTERRUPT_CODE, errors=(self._cancel_text(),))

    def _outcome(self) -> Outcome:
        workspace = Workspace.create(
            self._options.execution_dir, self._run.id, search_path=self._options.search_path
        )
        try:
            workspace.copy_inputs(
                self._options.runbooks_dir,
                input_sources(self._options.runbooks_dir, self._run.ref, self._runbook),
            )
            ended = self._run_steps(workspace)
        except (WorkspaceError, ProcessStartError) as error:
            return self._not_run(error.message)
        finally:
            for problem in workspace.remove():
                log.warning("workspace.left", run_id=self._run.id, problem=problem)
        return self._judge(ended)

    def _run_steps(self, workspace: Workspace) -> Ended:
        """Every step in order until one fails. A single script is not announced as a step."""
        steps: Sequence[Step] = self._runbook.steps
        announced = len(steps) > 1
        remaining = self._run.timeout_s
        for number, step in enumerate(steps, start=1):
            if announced:
                self._recorder.step = number
                self._announce(step, "started")
            ended = self._run_step(workspace, step, remaining)
            remaining = max(0.001, remaining - ended.duration_s)
            self._recorder.end_step()
            if announced:
                self._announce(step, "ended", return_code=ended.return_code)
            if ended.return_code != 0 or ended.stopped is not None:
                break
        self._recorder.step = None
        return ended

    def _announce(self, step: Step, state: str, **more: object) -> None:
        self._recorder.add(EventType.STEP, {"name": step.name, "state": state, **more})

    def _run_step(self, workspace: Workspace, step: Step, timeout_s: float) -> Ended:
        command = Command(
            argv=workspace.write_script(step),
            env=self._environment(workspace),
            cwd=workspace.path,
        )
        return run_process(
            command,
            sink=self._recorder,
            stop=self._stop,
            timeout_s=timeout_s,
            run_id=self._run.id,
            families=self._parts.families,
            grace=self._options.grace,
            limits=self._options.limits,
        )

    def _environment(self, workspace: Workspace) -> dict[str, str]:
        options, run = self._options, self._run
        handover = workspace.handover
        return child_env(
            inputs=self._given.values,
            passed=options.passed,
            base=BaseVariables(
                path=options.search_path,
                home=str(workspace.path),
                tz=options.timezone,
                tmpdir=str(workspace.tmp),
            ),
            run=RunVariables(
                api_token=self._token,
                correlation_id=run.correlation_id,
                url=options.api_url,
                chain=run.chain,
                exec_dir_host=workspace.exec_dir_host(options.mount_dir),
                run_id=run.id,
                output=str(handover.output),
                env=str(handover.env),
                progress=str(handover.progress),
                summary=str(handover.summary),
                artifacts=str(handover.artifacts),
                dry_run=False,
                call_socket=options.call_socket,
            ),
        )

    def _pipeline(self) -> OutputPipeline:
        return OutputPipeline(Masker(self._secrets()), self._options.max_output_bytes)

    def _secrets(self) -> list[str]:
        return [self._token, *(self._given.values[name] for name in sorted(self._given.secrets))]

    def _judge(self, ended: Ended) -> Outcome:
        match ended.stopped:
            case StopReason.TIMEOUT:
                text = f"Script execution timed out after {self._run.timeout_s:g} seconds"
                self._recorder.message(text)
                return Outcome(RunStatus.TIMED_OUT, TIMED_OUT_CODE, errors=(text,))
            case StopReason.CANCEL:
                code = ended.return_code if ended.return_code < 0 else INTERRUPT_CODE
                return Outcome(RunStatus.CANCELLED, code, errors=(self._cancel_text(),))
            case StopReason.DRAIN:
                text = "The engine was stopped before the script ended"
                return Outcome(RunStatus.INTERRUPTED, NOT_KNOWN_CODE, errors=(text,))
        status = RunStatus.SUCCEEDED if ended.return_code == 0 else RunStatus.FAILED
        return Outcome(status, ended.return_code)

    def _cancel_text(self) -> str:
        run = self._parts.store.run(self._run.id)
        return f"Cancelled by {run.cancel_by}" if run and run.cancel_by else "Cancelled"

    def _not_run(self, text: str) -> Outcome:
        self._recorder.message(text)
        return Outcome(RunStatus.FAILED, NOT_STARTED_CODE, errors=(text,))

    def _end(self, outcome: Outcome) -> None:
        events: list[NewEvent] = self._recorder.finish()
        output = RecordedOutput(
            self._recorder.excerpt(EventType.STDOUT), self._recorder.excerpt(EventType.STDERR)
        )
        outcome = dataclasses.replace(
            outcome, warnings=(*self._run.warnings, *outcome.warnings, *self._unmasked())
        )
        for attempt in range(END_ATTEMPTS):
            try:
                self._parts.ending.end(
                    self._run,
                    outcome,
                    output,
                    events,
                    worker_id=self._worker_id,
                    once=attempt > 0,
                )
            except (StoreBusyError, StoreUnavailableError) as error:
                log.warning("run.end_delayed", run_id=self._run.id, error=error.message)
                time.sleep(min(END_PAUSE_S * 2**attempt, END_PAUSE_MOST_S))
            else:
                return
        # The worker notices that nobody executes it any more, and ends it once the store is back.
        log.warning("run.end_given_up", run_id=self._run.id, status=outcome.status.value)

    def _unmasked(self) -> tuple[str, ...]:
        """Secrets too short to be masked without garbling every output are named."""
        return tuple(
            f"The value of {name} is too short to be masked"
            for name in sorted(self._given.secrets)
            if unmaskable(self._given.values[name])
        )
