"""Runs the scripts of one run in its directory, with its environment and hand-over files."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from runbook.core.document import Language, Script
from runbook.core.environ import BaseVariables, RunVariables, child_env
from runbook.core.output.handover import Assignments
from runbook.core.run import Relation, Run
from runbook.engine.execute.handover import LiveHandOver, take_env, take_outputs
from runbook.engine.execute.recorder import Recorder
from runbook.engine.execute.reporting import Reporting
from runbook.engine.parts import Parts
from runbook.engine.process.run import Command, Ended, Stop, run_process
from runbook.engine.process.start import Confinement
from runbook.engine.process.workspace import Workspace
from runbook.script.limits import DEVICE_BACKUPS, REPORT_BYTES

SUMMARY_BYTES = 256 * 1024


class ScriptRunner:
    """Runs the scripts of one run one after the other. `inputs` are the run's input values."""

    def __init__(
        self,
        parts: Parts,
        run: Run,
        workspace: Workspace,
        recorder: Recorder,
        stop: Stop,
        *,
        token: str,
        inputs: Mapping[str, str],
        live: LiveHandOver,
    ) -> None:
        self._parts = parts
        self._run = run
        self._workspace = workspace
        self._recorder = recorder
        self._stop = stop
        self._live = live
        self._document = run.ref.rpartition("/")[2]
        self._environment = self._made_environment(token, inputs)

    def run_script(self, script: Script, variables: Mapping[str, str], timeout_s: float) -> Ended:
        """Run one script to its end. Raises WorkspaceError and ProcessStartError."""
        options = self._parts.options
        self._live.begin()
        argv = self._workspace.write_script(script, self._document, self._library(script))
        with self._confined(script) as confinement:
            ended = run_process(
                Command(
                    argv,
                    self._with(variables),
                    self._workspace.path,
                    self._live.channels(),
                    confinement,
                ),
                sink=self._recorder,
                stop=self._stop,
                timeout_s=timeout_s,
                run_id=self._run.id,
                families=self._parts.families,
                grace=options.grace,
                limits=options.limits,
            )
        self._live.finish()
        if ended.background:
            self._recorder.background_killed(ended.background)
        return ended

    def _confined(self, script: Script) -> AbstractContextManager[Confinement]:
        """What the script is put into. Only steps in Python use the store of backups."""
        return self._parts.options.isolation.confine(
            self._run.id,
            self._workspace.path,
            self._workspace.tmp,
            socket=self._parts.options.call_socket,
            backups=script.language is Language.PYTHON,
        )

    def _library(self, script: Script) -> Path | None:
        """The folder of Python modules that the runbook's toolkit brings along."""
        if script.language is not Language.PYTHON:
            return None
        from runbook.engine.process.python_library import library_of

        return library_of(self._parts.catalog, self._run.ref)

    def take_env(self) -> Assignments:
        return take_env(self._workspace)

    def take_outputs(self) -> Assignments:
        return take_outputs(self._workspace)

    def report_devices(self, reports: Reporting, counts: bool) -> None:
        """Hand what a script said of devices to the inventory."""
        path = self._workspace.handover.device
        data = self._workspace.read_handover(path, REPORT_BYTES + 1)
        if data:
            self._workspace.discard(path)
        if counts:
            reports.take(data)

    def summary(self) -> str | None:
        """The Markdown summary that the scripts wrote, masked; None without one."""
        path = self._workspace.handover.summary
        data = self._workspace.read_handover(path, SUMMARY_BYTES)
        if not data:
            return None
        masker, text = self._recorder.masker, data.decode("utf-8", "replace")
        return masker.mask_cut(text) if len(data) == SUMMARY_BYTES else masker.mask_text(text)

    def _with(self, variables: Mapping[str, str]) -> Mapping[str, str]:
        """The environment with the variables of earlier steps, which are never the engine's own."""
        return {**self._environment, **variables} if variables else self._environment

    def _made_environment(self, token: str, inputs: Mapping[str, str]) -> dict[str, str]:
        options, run = self._parts.options, self._run
        handover = self._workspace.handover
        return child_env(
            inputs=inputs,
            passed=options.passed,
            base=BaseVariables(
                path=options.search_path,
                home=str(self._workspace.path),
                tz=options.timezone,
                tmpdir=str(self._workspace.tmp),
                user=options.user,
            ),
            run=RunVariables(
                api_token=token,
                correlation_id=run.correlation_id,
                url=options.api_url,
                chain=run.tree.chain,
                exec_dir_host=self._workspace.exec_dir_host(options.mount_dir),
                run_id=run.id,
                output=str(handover.output),
                env=str(handover.env),
                progress=str(handover.progress),
                plan=str(handover.plan),
                mask=str(handover.mask),
                effects=str(handover.effects),
                summary=str(handover.summary),
                devices=str(handover.device),
                artifacts=str(handover.artifacts),
                dry_run=run.request.dry_run,
                call_socket=options.call_socket,
                connections=str(self._workspace.connections or ""),
                backups=str(options.data_dir / DEVICE_BACKUPS),
                requested_by=run.requester.subject,
                recovers=_recovered(run),
            ),
        )


def _recovered(run: Run) -> str:
    return (run.related_id or "") if run.relation is Relation.RECOVERY else ""
