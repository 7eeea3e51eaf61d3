"""Keeps the secrets of a request out of everything that is recorded of it.

`take_in` handles what must not get past the door: names, and values that hold a secret. `concealed`
masks the text of the run just before it is stored.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from runbook.core.document import Input, Params, Problem
from runbook.core.output.mask import Masker
from runbook.core.run import Run
from runbook.engine.requests import ExecuteRequest
from runbook.store.models import NewRun

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Concealer:
    """Masks one request's secrets. Without text to look at, it costs nothing; see Masker."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._secrets: set[str] = set()
        self._masker: Masker | None = None
        self.add(secrets)

    def __bool__(self) -> bool:
        return bool(self._secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Also mask these secrets from now on."""
        for secret in secrets:
            if secret and secret not in self._secrets:
                self._secrets.add(secret)
                self._masker = self._masker or Masker()
                self._masker.add(secret)

    def text(self, text: str) -> str:
        if self._masker is None or not text or self._is_id(text):
            return text
        return self._masker.mask_text(text)

    def optional(self, text: str | None) -> str | None:
        return None if text is None else self.text(text)

    def holds(self, value: object) -> bool:
        """Whether a JSON value contains a secret that is long enough to be masked."""
        if self._masker is None or not value:
            return False
        if isinstance(value, str):
            return self.text(value) != value
        return self._masker.mask_value(value) != value or self.holds(_as_text(value))

    def _is_id(self, text: str) -> bool:
        """Whether a text is a UUID, as the server makes them, and in no secret: no need to look."""
        return bool(_UUID.fullmatch(text)) and not any(text in secret for secret in self._secrets)

    def problem(self, problem: Problem) -> Problem:
        return dataclasses.replace(
            problem,
            message=self.text(problem.message),
            hint=self.optional(problem.hint),
            params=self._params(problem.params),
        )

    def problems(self, problems: tuple[Problem, ...]) -> tuple[Problem, ...]:
        return tuple(map(self.problem, problems)) if self._secrets else problems

    def _params(self, params: Params) -> Params:
        return {k: self.text(v) if isinstance(v, str) else v for k, v in params.items()}


def take_in(
    request: ExecuteRequest, declared: Sequence[Input], inherited: Sequence[str] = ()
) -> tuple[ExecuteRequest, Concealer]:
    """The request with what its secrets require, and what masks them.

    The secrets are those `inherited` from other runs and the values given for secret inputs. A
    value that contains an inherited one becomes a secret, whatever the runbook declares; one that
    contains another is not shown. A name that contains a secret is masked, so it names no variable.
    """
    given = request.env_vars if isinstance(request.env_vars, Mapping) else {}
    concealer = Concealer(inherited)
    holding = {n for n, v in _named(given) if v in inherited or concealer.holds(v)}
    request = dataclasses.replace(request, secrets=request.secrets | holding)
    named = {item.name for item in declared if item.secret} | request.secrets
    concealer.add(_as_text(value) for name, value in _named(given) if name in named)
    if not concealer:
        return request, concealer
    typed = {item.name for item in declared if item.typed} - named
    return dataclasses.replace(
        request,
        env_vars=_renamed(request.env_vars, declared, concealer),
        correlation_id=concealer.text(request.correlation_id),
        hidden=frozenset(n for n, v in _named(given) if n in typed and concealer.holds(v)),
    ), concealer


def values_given_again(request: ExecuteRequest, run: Run) -> Iterator[str]:
    """The values that a rerun gives for what was not stored of the earlier run: maybe secrets."""
    given = request.env_vars if isinstance(request.env_vars, Mapping) else {}
    kept = run.request.inputs
    return (_as_text(value) for name, value in _named(given) if kept.get(name) is None)


def _named(given: Mapping[object, object]) -> Iterator[tuple[str, object]]:
    return ((name, value) for name, value in given.items() if isinstance(name, str))


def _renamed(given: object, declared: Sequence[Input], concealer: Concealer) -> object:
    """The inputs, with the names masked that are not declared."""
    if not isinstance(given, Mapping):
        return given
    known = {item.name for item in declared}
    return {
        concealer.text(name) if isinstance(name, str) and name not in known else name: value
        for name, value in given.items()
    }


def concealed(new: NewRun, concealer: Concealer) -> NewRun:
    """The run as it may be stored."""
    if not concealer:
        return new
    *callers, own = new.tree.chain
    request, result = new.request, new.result
    return dataclasses.replace(
        new,
        correlation_id=concealer.text(new.correlation_id),
        tree=dataclasses.replace(new.tree, chain=(*map(concealer.text, callers), own)),
        request=dataclasses.replace(
            request,
            reason=concealer.optional(request.reason),
            inputs={n: None if concealer.holds(v) else v for n, v in request.inputs.items()},
        ),
        result=dataclasses.replace(
            result,
            errors=concealer.problems(result.errors),
            warnings=concealer.problems(result.warnings),
        ),
    )


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return "" if value is None else json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return ""
