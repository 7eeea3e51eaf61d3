"""What scripts may say, known to both sides."""

from __future__ import annotations

import re
from enum import StrEnum

MAX_REQUEST_BYTES = 2 * 1024 * 1024
"""The longest request to call another runbook."""
LINE_BYTES = 4096
"""The longest line of progress or of a plan, which is the longest atomic write to a pipe: longer
lines could mix with those of another process."""
REPORT_BYTES = 4 * 1024 * 1024
"""The longest report of devices of one step."""
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
OUTPUT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,127}")


class EffectState(StrEnum):
    """What is known of a change outside the run."""

    INTENDED = "intended"
    """It was about to be made; whether it was is not known. A probe can tell."""
    DONE = "done"
    FAILED = "failed"
    """It was not made."""
    UNDONE = "undone"
    ADOPTED = "adopted"
    """A later attempt found it made, and goes on from there: it has its own record of it."""

    @property
    def is_open(self) -> bool:
        """Whether the change may be in place, and nobody else answers for it."""
        return self in (EffectState.INTENDED, EffectState.DONE)


DEVICE_BACKUPS = "device-backups"
"""The folder in DATA_DIR with the configurations of devices."""
EARLIER_EFFECTS = "earlier-effects"
MOST_EFFECTS = 10_000
EFFECT_ID = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]{0,63})/([1-9][0-9]{0,8})")
EFFECT_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
REPLY_NAME = re.compile(r"[0-9a-f]{32}")
