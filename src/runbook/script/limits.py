"""What scripts may say, known to both sides."""

from __future__ import annotations

import re

MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""The longest request to call another runbook."""
LINE_BYTES = 4096
"""The longest line of progress or of a plan, which is the longest atomic write to a pipe: longer
lines could mix with those of another process."""
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")
