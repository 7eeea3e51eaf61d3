"""Stage 2: whether the principal may execute or validate the runbook."""

from __future__ import annotations

from runbook.core.access import Decision, UnreadableClaims
from runbook.core.permissions import Permission
from runbook.engine.authorization import Authorizer
from runbook.engine.submit.attempt import Attempt
from runbook.engine.submit.births import Births
from runbook.library.catalog import Entry


class Admission:
    """Asks the Authorizer and records refusals as runs."""

    def __init__(self, authorizer: Authorizer, births: Births) -> None:
        self._authorizer = authorizer
        self._births = births

    def check_validate(self, attempt: Attempt) -> None:
        """Raises AccessDeniedError, after recording the refused run."""
        decision = self._authorizer.can(
            attempt.principal, Permission.RUNBOOK_VALIDATE, attempt.entry
        )
        if _is_refusal(decision, attempt.entry):
            self._births.refuse(attempt, attempt.entry, decision)

    def check_execute(self, attempt: Attempt, *entries: Entry) -> None:
        """Each of the entries must allow it. Refusals are written to the file's history, too.

        Raises AccessDeniedError, after recording the refused run.
        """
        for entry in entries:
            decision = self._authorizer.can(attempt.principal, Permission.RUNBOOK_EXECUTE, entry)
            if _is_refusal(decision, entry):
                self._births.refuse(attempt, entry, decision, in_file=True)


def _is_refusal(decision: Decision, entry: Entry) -> bool:
    """Whether the principal lacks something.

    Unreadable claims are a fault of the document instead: the run becomes `invalid`, with an
    error that names the line, and is not started either.
    """
    undecidable = decision.missing == (UnreadableClaims(),) and bool(entry.document.errors)
    return not decision.allowed and not undecidable
