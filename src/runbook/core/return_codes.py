"""The return codes of runs that no script gave. docs/runs.md has the table by status.

A script's own code stays as it is; -N says that signal N killed it.
"""

from __future__ import annotations

SUCCEEDED = 0
FAILED = 1
"""A script could not be started, or what it handed over could not be read."""
INVALID = 1
UNKNOWN = -1
"""Interrupted, or lost: what the script would have returned is not known."""
CANCELLED = -2
"""As if by SIGINT; a script that another signal ended says that one."""
TIMED_OUT = -9
REFUSED = 403
QUEUE_FULL = 503
"""Refused, not for the claims but because too many runs waited."""
