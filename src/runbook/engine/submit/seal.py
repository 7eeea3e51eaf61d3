"""Stage 5: encrypt the inputs for the time until the run starts."""

from __future__ import annotations

from collections.abc import Mapping

from runbook.core.inputs.devices import devices_of
from runbook.engine.sealing import RunInputs, Sealer
from runbook.engine.submit.attempt import Attempt


def seal(attempt: Attempt, sealer: Sealer) -> Attempt:
    """The attempt with its inputs encrypted, and with those that may be shown in plain text."""
    inputs, request = attempt.inputs, attempt.request
    secrets = inputs.secrets | (request.secrets & inputs.values.keys())
    handed = attempt.rerun.handed if attempt.rerun is not None else None
    plain = RunInputs(
        values=dict(inputs.values),
        secrets=secrets,
        files=dict(inputs.files),
        variables=dict(handed.variables) if handed else {},
        outputs=dict(handed.outputs) if handed else {},
        masks=attempt.masks,
    )
    shown = {name: None if name in secrets else inputs.shown[name] for name in inputs.shown}
    asked = request.env_vars if isinstance(request.env_vars, Mapping) else {}
    given = tuple(name for name in inputs.shown if name in asked)
    return _sealed(attempt, plain, sealer).requesting(inputs=shown, given=given)


def seal_inherited(attempt: Attempt, inputs: RunInputs, sealer: Sealer) -> Attempt:
    """The attempt of an automatic undo, with the inputs and timeout of the run that failed."""
    if attempt.rerun is None:
        return attempt
    asked = attempt.rerun.run.request
    return _sealed(attempt, inputs, sealer).requesting(
        inputs=asked.inputs, given=asked.given, timeout_s=asked.timeout_s
    )


def _sealed(attempt: Attempt, inputs: RunInputs, sealer: Sealer) -> Attempt:
    devices = devices_of(attempt.entry.document.inputs, inputs.values)
    sealed = sealer.seal(inputs, attempt.new.id)
    return attempt.recording(sealed_inputs=sealed, devices=devices)
