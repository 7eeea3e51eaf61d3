"""Return codes set by the engine instead of a script. See the table by status in docs/runs.md.

A script's own code is passed through; -N means that signal N killed it.
"""

from __future__ import annotations

FAILED = 1
"""A script couldn't be started, or a file it wrote for the engine couldn't be read."""
INVALID = 1
UNKNOWN = -1
"""Interrupted or lost: the script's return code is unknown."""
CANCELLED = -2
"""As if by SIGINT; a script killed by another signal has that signal's code."""
TIMED_OUT = -9
REFUSED = 403
QUEUE_FULL = 503
"""Refused because the queue is full, not because of claims."""
