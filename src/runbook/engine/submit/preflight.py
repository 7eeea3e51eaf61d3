"""Stage 3: the values of the inputs, the input files, and all that is wrong with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from runbook import log
from runbook.core.document import Problem, errors_of
from runbook.core.inputs.preflight import check_chain, coerce_values, resolve_inputs
from runbook.engine.parts import Parts
from runbook.engine.submit.attempt import Attempt
from runbook.engine.submit.input_facts import InputKnowledge
from runbook.engine.submit.input_files import check_files, input_files


class Preflight:
    """Adds inputs, files and problems to an attempt."""

    def __init__(self, parts: Parts, knowledge: InputKnowledge) -> None:
        self._parts = parts
        self._knowledge = knowledge

    def complete(self, attempt: Attempt) -> Attempt:
        """With the inputs, and the contents of the input files. Raises NotFoundError."""
        attempt = self._resolve(attempt)
        files, problems = input_files(self._parts, attempt.entry, attempt.rerun)
        attempt = dataclasses.replace(attempt, files=files).with_problems(*problems)
        return attempt if attempt.rerun is None else attempt.with_problems(*attempt.rerun.problems)

    def check(self, attempt: Attempt) -> Attempt:
        """With the inputs; input files are checked but not read. Raises NotFoundError."""
        attempt = self._resolve(attempt)
        return attempt.with_problems(*check_files(self._parts, attempt.entry))

    @staticmethod
    def _log_bad_names(attempt: Attempt, problems: Iterable[Problem]) -> None:
        names = [item.params["variable"] for item in problems if item.code == "bad_input_name"]
        if names:
            log.alert(
                "inputs.bad_names",
                log.Alert.BAD_NAME,
                names=names,
                runbook=attempt.entry.ref,
                by=attempt.principal.subject,
            )

    def inherit_files(self, attempt: Attempt) -> Attempt:
        """With the input files of the earlier run, without judging them. Raises NotFoundError."""
        files, _ = input_files(self._parts, attempt.entry, attempt.rerun)
        return dataclasses.replace(attempt, files=files)

    def _resolve(self, attempt: Attempt) -> Attempt:
        entry, request = attempt.entry, attempt.request
        document = entry.document
        hidden = request.secrets | request.hidden
        given, refused = coerce_values(request.env_vars, document.inputs, hidden)
        facts = self._knowledge.facts(entry, attempt.principal, hidden)
        inputs, unfit = resolve_inputs(document.inputs, given, facts)
        attempt.concealer.add(inputs.values[name] for name in sorted(inputs.secrets))
        depth = self._parts.options.max_recursion_depth
        chains = [check_chain(entry.ref, chain, depth) for chain in attempt.chains]
        recursions = [problem for problem in chains if problem is not None]
        if not errors_of(unfit):
            for book in (self._parts.connections, self._parts.devices):
                attempt.concealer.add(book.secrets(document.inputs, inputs.values))
        self._log_bad_names(attempt, unfit)
        attempt = dataclasses.replace(attempt, inputs=inputs)
        needed = [found for found in refused if found.params.get("variable") not in inputs.hidden]
        return attempt.with_problems(*document.problems, *needed, *unfit, *recursions)
