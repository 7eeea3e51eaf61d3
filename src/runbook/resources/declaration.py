"""What a runbook declares: inputs, steps and policy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from typing_extensions import TypedDict

from runbook.core.document import (
    Condition,
    Input,
    InputType,
    Language,
    LiveChoices,
    OnBusy,
    OnFailure,
    Policy,
    Retry,
    SecretKind,
    Step,
)
from runbook.core.inputs.preflight import RequiredEnv
from runbook.core.inputs.secret_names import is_sensitive
from runbook.core.recovery.rule import Recovery
from runbook.resources.forms import Doc


class OtherOutputJson(TypedDict):
    runbook: str
    output: str


class ShowIfJson(TypedDict):
    """A condition on the value of an input above, or of a field to the left."""

    input: str
    operator: Literal["==", "!="]
    value: str


class LiveChoicesJson(TypedDict):
    """Choices of a runbook that is run for them: POST /api/runbooks/{ref}/choices/{path}."""

    runbook: str
    inputs: Annotated[list[str], Doc("Inputs, or fields of the same row, that they depend on")]
    strict: Annotated[bool, Doc("Whether no other value is valid")]
    ttl_seconds: Annotated[float, Doc("How long an answer is used again")]


_From = TypedDict(
    "_From", {"from": Annotated[SecretKind | None, Doc("Where the server reads the secret")]}
)


class FieldItemJson(_From):
    name: str
    label: Annotated[str | None, Doc("Name to show instead of the variable's")]
    description: str
    type: InputType
    typed: bool
    default: str | None
    optional: bool
    sensitive: Annotated[
        bool, Doc("Whether it is a secret or, in the short form, named like one: hide its value")
    ]
    choices: list[str]
    choices_from: Annotated[OtherOutputJson | None, Doc("Runbook output that provides the choices")]
    live_choices: Annotated[LiveChoicesJson | None, Doc("Runbook that provides the choices")]
    show_if: Annotated[list[ShowIfJson], Doc("It is hidden, and has no value, unless all hold")]
    pattern: Annotated[str | None, Doc("Regular expression that the whole value must match")]
    min: str | None
    max: str | None
    group: str | None
    example: str | None
    kind: Annotated[str | None, Doc("Kind of connection, also of devices")]
    vendor: Annotated[str | None, Doc("For devices: only those of this vendor")]
    tag: Annotated[str | None, Doc("For devices: only those with this tag")]
    line: int


class InputItemJson(FieldItemJson):
    items: Annotated[list[FieldItemJson], Doc("For a list: the fields of its rows")]


class RetryItemJson(TypedDict):
    attempts: Annotated[int, Doc("Maximum number of attempts, including the first")]
    backoff_seconds: Annotated[
        float, Doc("Pause before the second attempt; doubles after each attempt")
    ]
    on: Annotated[list[int] | None, Doc("Return codes to retry; null retries every failure")]


_Continue = TypedDict("_Continue", {"continue": bool})


class StepItemJson(_Continue):
    name: str
    language: Language
    line: int
    heading_line: int | None
    conditions: Annotated[list[str], Doc("The step is skipped unless all are true")]
    timeout_seconds: float | None
    retry: RetryItemJson | None
    reversible: Annotated[bool, Doc("Whether the step has an Undo")]


class RecoverItemJson(TypedDict):
    """The runbook to execute after a run that didn't succeed."""

    runbook: Annotated[str, Doc("Path beside the runbook, or below the runbooks directory")]
    unless: Annotated[list[int], Doc("Return codes after which it isn't executed")]
    attempts: Annotated[int, Doc("Maximum number of attempts")]
    backoff_seconds: Annotated[
        float, Doc("Pause before the second attempt; doubles after each attempt")
    ]


class PolicyItemJson(TypedDict):
    """The Policy section with defaults. Texts contain `${NAME}` unexpanded."""

    timeout_seconds: float | None
    locks: list[str]
    on_busy: OnBusy
    concurrency: int | None
    retry: RetryItemJson
    on_failure: OnFailure
    queue: str | None
    dry_run: Annotated[bool, Doc("Whether the runbook supports dry runs")]
    confirm: Annotated[str | None, Doc("Text that must be typed to confirm")]
    success_codes: list[int]
    provides_choices: Annotated[bool, Doc("Whether forms can run it for choices")]
    updates_inventory: Annotated[bool, Doc("Whether its runs update devices in the inventory")]
    recover: RecoverItemJson | None


class NamedInputJson(TypedDict):
    name: str
    description: str


class RequiredEnvJson(TypedDict):
    success: Literal[True]
    filename: str
    required: list[NamedInputJson]
    available: list[NamedInputJson]
    missing: list[NamedInputJson]


class InputGroupJson(TypedDict):
    name: Annotated[str | None, Doc("Null for the inputs without a group, which come first")]
    inputs: list[str]


_Dollars = TypedDict(
    "_Dollars",
    {
        "$schema": str,
        "$id": str,
        "x-groups": Annotated[list[InputGroupJson], Doc("The pages of a long form")],
    },
)


class InputSchemaJson(_Dollars):
    """A JSON Schema (2020-12) of the inputs, for `env_vars`."""

    title: str
    type: Literal["object"]
    properties: dict[str, dict[str, Any]]
    required: list[str]
    additionalProperties: Literal[False]  # noqa: N815 - a JSON Schema keyword


def input_json(item: Input) -> InputItemJson:
    return {**field_json(item), "items": [field_json(declared) for declared in item.items]}


def field_json(item: Input) -> FieldItemJson:
    source = item.choices_from
    return {
        "name": item.name,
        "label": item.label or None,
        "description": item.description,
        "type": item.type,
        "typed": item.typed,
        "default": item.default,
        "optional": item.optional,
        "sensitive": is_sensitive(item),
        "choices": list(item.choices),
        "choices_from": None
        if source is None
        else {"runbook": source.ref, "output": source.output},
        "live_choices": None if item.live is None else _live_json(item.live),
        "show_if": [_shown_json(condition) for condition in item.show_if],
        "pattern": item.pattern,
        "min": item.minimum,
        "max": item.maximum,
        "group": item.group,
        "example": item.example,
        "kind": item.kind,
        "vendor": item.vendor,
        "tag": item.tag,
        "from": None if item.source is None else item.source.kind,
        "line": item.line,
    }


def _live_json(live: LiveChoices) -> LiveChoicesJson:
    return {
        "runbook": live.ref,
        "inputs": list(dict.fromkeys(live.inputs.values())),
        "strict": live.strict,
        "ttl_seconds": live.ttl_s,
    }


def _shown_json(condition: Condition) -> ShowIfJson:
    operator: Literal["==", "!="] = "!=" if condition.negated else "=="
    return {"input": condition.name, "operator": operator, "value": condition.value}


def step_json(step: Step) -> StepItemJson:
    return {
        "name": step.name,
        "language": step.language,
        "line": step.line,
        "heading_line": step.heading_line,
        "conditions": [condition.text for condition in step.conditions],
        "timeout_seconds": step.timeout_s,
        "retry": None if step.retry is None else retry_json(step.retry),
        "continue": step.continues,
        "reversible": step.undo is not None,
    }


def retry_json(retry: Retry) -> RetryItemJson:
    return {
        "attempts": retry.attempts,
        "backoff_seconds": retry.backoff_s,
        "on": None if retry.codes is None else sorted(retry.codes),
    }


def policy_json(policy: Policy) -> PolicyItemJson:
    return {
        "timeout_seconds": policy.timeout_s,
        "locks": list(policy.locks),
        "on_busy": policy.on_busy,
        "concurrency": policy.concurrency,
        "retry": retry_json(policy.retry),
        "on_failure": policy.on_failure,
        "queue": policy.queue,
        "dry_run": policy.dry_run,
        "confirm": policy.confirm,
        "success_codes": sorted(policy.success_codes),
        "provides_choices": policy.provides_choices,
        "updates_inventory": policy.updates_inventory,
        "recover": None if policy.recover is None else recover_json(policy.recover),
    }


def recover_json(rule: Recovery) -> RecoverItemJson:
    return {
        "runbook": rule.ref,
        "unless": sorted(rule.unless),
        "attempts": rule.attempts,
        "backoff_seconds": rule.backoff_s,
    }


def required_env_json(ref: str, found: RequiredEnv) -> RequiredEnvJson:
    return {
        "success": True,
        "filename": ref,
        "required": _named_json(found.required),
        "available": _named_json(found.available),
        "missing": _named_json(found.missing),
    }


def _named_json(inputs: Iterable[Input]) -> list[NamedInputJson]:
    return [{"name": item.name, "description": item.description} for item in inputs]
